"""What Django answers where no view of the API does: JSON below /api/, Django's pages elsewhere."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers
from django.views import defaults

from awx_compat.exceptions import SERVER_ERROR


def _json(detail: str, status: int) -> HttpResponse:
    response = JsonResponse({"detail": detail}, status=status)
    patch_vary_headers(response, ["Accept"])
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _json("The request could not be understood.", 400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _json("The requested resource could not be found.", 404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return _json(SERVER_ERROR, 500)
