from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import path


def icon(request: HttpRequest) -> HttpResponseRedirect:
    """What browsers ask for beside any page, those of the API and the administration too."""
    return HttpResponseRedirect(static("pages/icon.svg"))


urlpatterns = [
    path("favicon.ico", icon),
]
