"""Headers that AWX puts on every answer, whether a view made it or not."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers


def dialect_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add ``X-API-Total-Time`` (seconds), ``Vary: Origin`` and, to somebody's session, ``Session-Timeout``."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        patch_vary_headers(response, ["Origin"])
        if request.session.accessed and SESSION_KEY in request.session:
            response["Session-Timeout"] = str(settings.SESSION_COOKIE_AGE)
        response["X-API-Total-Time"] = f"{time.perf_counter() - started:.3f}s"
        return response

    return middleware
