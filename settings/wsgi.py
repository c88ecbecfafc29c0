"""The WSGI application, for ``manage.py serve`` or any other WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")
os.environ.setdefault("DATABASE_POOL_SIZE", "4")
os.environ.setdefault("STATEMENT_TIMEOUT", "900")  # a list takes two statements; together they stay below 2 s
application = get_wsgi_application()
