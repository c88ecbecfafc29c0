"""The document at /api/schema/, in YAML or JSON, of the current dialect. It is the same for all users, and generated
once in each process.
"""

import functools
import threading
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from awx_compat import csp, dialects
from awx_compat.dialects import Dialect

YAML, JSON = "application/vnd.oai.openapi", "application/vnd.oai.openapi+json"


generation = threading.Lock()  # drf-spectacular's search for extensions is not thread-safe


def document(media_type: str) -> bytes:
    """The document in this format."""
    with generation:
        return render_document(media_type, dialects.current())


@functools.cache
def render_document(media_type: str, dialect: Dialect) -> bytes:
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

    renderer: Any = OpenApiJsonRenderer() if media_type == JSON else OpenApiYamlRenderer()
    with translation.override("en"):
        written: bytes = renderer.render(SchemaGenerator().get_schema(public=True), renderer_context={})
    return written


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """YAML, or JSON with ``?format=json`` or an ``Accept`` that names JSON."""
    wants_json = request.GET.get("format") == "json" or "json" in request.headers.get("Accept", "")
    media_type = JSON if wants_json else YAML
    response = HttpResponse(document(media_type), content_type=media_type)
    response["Content-Disposition"] = f'inline; filename="openapi.{"json" if wants_json else "yaml"}"'
    patch_vary_headers(response, ["Accept"])
    return response


# Swagger UI sends the CSRF token of the cookie with changes in a session.
swagger_ui = ensure_csrf_cookie(TemplateView.as_view(template_name="awx_compat/docs.html"))
# Redoc creates empty style elements and fills them by script, which the hash of an empty text allows, and searches in
# a worker made from a blob. Its logo, from another host, is blocked.
EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
# The style of scroll bars that Redoc writes into the page.
SCROLL_BARS = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
redoc = csp.allowing(
    TemplateView.as_view(template_name="awx_compat/redoc.html"),
    style_src=f"{EMPTY} {SCROLL_BARS}",
    worker_src="blob:",
)
