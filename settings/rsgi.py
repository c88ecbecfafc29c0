"""What a process of ``manage.py serve`` answers with: the WSGI application behind what waits for slow clients."""

from importlib import import_module
from typing import Any


def application(threads: int) -> Any:
    """An RSGI application that answers in so many threads. Who imports this module has no application yet."""
    wsgi = import_module("settings.wsgi").application
    return import_module("awx_compat.buffered").Application(wsgi, threads)
