"""The WSGI application, for ``manage.py serve`` or any other WSGI server."""

import gc
import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

from settings.env import SERVING_STATEMENT_TIMEOUT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")
os.environ.setdefault("STATEMENT_TIMEOUT", str(SERVING_STATEMENT_TIMEOUT))
handler = get_wsgi_application()
import_module("instances.mirror.spoken").speak_as_mirrored()
configured = import_module("django.conf").settings
application = handler
if configured.ANSWER_CACHE_SIZE:
    application = import_module("awx_compat.answer_cache").AnswerCache(application, configured.ANSWER_CACHE_SIZE)
if configured.ACCESS_LOG or import_module("awx_compat.process_metrics").current:
    application = import_module("awx_compat.access_log").AccessLog(application)
application = import_module("awx_compat.probes").Probes(application)
import_module("settings.urls")  # imports all views before the first request
# Permanent objects are frozen: otherwise each full garbage collection would scan them for 50 ms.
gc.collect()
gc.freeze()
