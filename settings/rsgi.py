"""What a process of ``manage.py serve`` answers with: the WSGI application behind what waits for slow clients."""

import signal
from importlib import import_module
from typing import Any

from settings.embedded.keeper import end_with_parent


def application(threads: int, shared: Any, parent: int) -> Any:
    """An RSGI application that answers in so many threads. Who imports this module has no application yet.

    ``parent`` is the id of the main process, which has the same ``shared`` memory (``awx_compat/draining.py``).
    """
    end_with_parent(signal.SIGKILL, parent)  # or this process would survive a killed parent, and occupy the port
    wsgi = import_module("settings.wsgi").application
    draining = import_module("awx_compat.draining").Draining(shared)
    return import_module("awx_compat.buffered").Application(wsgi, threads, draining)
