"""The settings of the tests: those of the service, with the values of the AWX that was recorded."""

import os

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("ALLOWED_HOSTS", "*")
os.environ.setdefault("CLUSTER_HOST_ID", "control-1.example.org")
os.environ.setdefault("INSTALL_UUID", "f0f0f0f0-1111-4222-8333-abcdefabcdef")
os.environ.setdefault("IS_K8S", "true")
os.environ.setdefault("HEALTH_PROBE", "agent")
os.environ.setdefault("LOG_FORMAT", "text")  # as at a terminal
os.environ.setdefault("DRAIN_SECONDS", "0")
# All tests come from one address, and many try wrong passwords.
for limit in ("LOGIN_FAILURE_LIMIT", "LOGIN_FAILURE_LIMIT_BY_NAME", "LOGIN_FAILURE_LIMIT_BY_ADDRESS"):
    os.environ.setdefault(limit, "1000000")

from settings import base, embedded
from settings.base import *

# The tests' data may be lost in a power failure; waiting for the disk would take half of the tests' time.
DATA_DIR = base.DATA_DIR / "tests"
embedded.OPTIONS.update(fsync="off", full_page_writes="off", synchronous_commit="off")
# An autovacuum counts as a connection, which two answers in a row would differ by; nothing here needs one.
embedded.OPTIONS["autovacuum"] = "off"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; the tests hash many passwords
