"""The WSGI application, for ``manage.py serve`` or any other WSGI server."""

import gc
import multiprocessing
import os
import signal
from importlib import import_module

from django.core.wsgi import get_wsgi_application

from settings.embedded.keeper import end_with_parent

if multiprocessing.parent_process() is not None:  # a worker of "manage.py serve", which would keep the port
    end_with_parent(signal.SIGKILL)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")
os.environ.setdefault("STATEMENT_TIMEOUT", "800")  # those of a slow list together; with all else it takes below 1 s
handler = get_wsgi_application()
cache_size = import_module("django.conf").settings.ANSWER_CACHE_SIZE
application = import_module("awx_compat.answer_cache").AnswerCache(handler, cache_size) if cache_size else handler
import_module("settings.urls")  # with all views, before anybody asks
# What lives as long as the process: Python's collector need not look at it again, each time for 50 ms.
gc.collect()
gc.freeze()
