"""Login and logout of sessions, for AWX's web interface and command line: forms, not JSON."""

from django.conf import settings
from django.contrib import auth
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie

from awx_compat import paths
from awx_compat.views.errors import prefers_page


def set_logged_in(response: HttpResponse, logged_in: bool) -> None:
    """Set the cookie by which the scripts of AWX's web interface know whether there is a session."""
    value = "true" if logged_in else "false"
    response.set_cookie(
        "userLoggedIn", value, secure=settings.SESSION_COOKIE_SECURE, path=settings.SESSION_COOKIE_PATH, samesite="Lax"
    )


@method_decorator(ensure_csrf_cookie, name="dispatch")
class Login(views.LoginView):
    """GET shows the form; POST of username, password and next begins a session (302), or fails (401)."""

    template_name = "awx_compat/login.html"

    def get_default_redirect_url(self) -> str:
        return paths.api()

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        response["X-API-Session-Cookie-Name"] = settings.SESSION_COOKIE_NAME
        set_logged_in(response, True)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 401
        return response


@never_cache
def logout(request: HttpRequest) -> HttpResponse:
    """End the session and redirect to ``next``, also on GET, as in AWX: clients follow a link.

    Without a ``next`` on this host, browsers are redirected to the dashboard and other clients to /api/.
    """
    auth.logout(request)
    target = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = reverse("home") if prefers_page(request) else paths.api()
    response = HttpResponseRedirect(target)
    set_logged_in(response, False)
    return response
