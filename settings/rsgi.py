"""What a process of ``manage.py serve`` answers with: the WSGI application behind what waits for slow clients."""

import signal
from importlib import import_module
from pathlib import Path
from typing import Any

from settings.embedded.keeper import end_with_parent


def application(threads: int, shared: Any, parent: int, folder: Path | None) -> Any:
    """An RSGI application that answers in so many threads. Who imports this module has no application yet.

    ``parent`` is the id of the main process, which has the same ``shared`` memory (``awx_compat/draining.py``). In
    ``folder`` the processes write down what they measure (``awx_compat/process_metrics.py``).
    """
    end_with_parent(signal.SIGKILL, parent)  # or this process would survive a killed parent, and occupy the port
    process_metrics = import_module("awx_compat.process_metrics")
    process_metrics.start(folder)
    wsgi = import_module("settings.wsgi").application
    draining = import_module("awx_compat.draining").Draining(shared)
    buffered = import_module("awx_compat.buffered").Application(wsgi, threads, draining)
    if process_metrics.current:
        process_metrics.current.watch(buffered.pools)
    return buffered
