"""The versions of AWX that the service can speak as: what differs between them, one declaration for each.

base.py    the fields of a declaration, each of them something that versions say differently.
awx23.py   AWX 23.6.0
awx24.py   AWX 24.6.1; its further routes are in awx24_urls.py

``AWX_VERSION`` chooses one for the whole process. All other code reads fields of ``current()``, and never compares
versions. The declarations are imported by the settings, and so import neither models nor views.
"""

from django.conf import settings

from awx_compat.dialects import awx23, awx24
from awx_compat.dialects.base import Dialect

__all__ = ["DIALECTS", "Dialect", "current"]

DIALECTS = {dialect.version: dialect for dialect in (awx23.DIALECT, awx24.DIALECT)}


def current() -> Dialect:
    """The dialect of this process."""
    return DIALECTS[settings.AWX_VERSION]
