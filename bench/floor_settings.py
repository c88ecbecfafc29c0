"""The service's settings, for the floor: one view and no middleware."""

from settings.base import *

ACCESS_LOG = False
MIDDLEWARE = []
ROOT_URLCONF = "bench.floor"
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]  # the administration needs the middleware
