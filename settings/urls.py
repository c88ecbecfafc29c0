from django.contrib import admin
from django.urls import include, path

from awx_compat.openapi import serving

urlpatterns = [
    path("api/", include("awx_compat.urls")),
    path("api/fleet/v1/", include("fleet.urls")),
    path("", include("fleet.pages.urls")),
    path("api/schema/", serving.schema, name="schema"),
    path("api/docs/", serving.swagger_ui, name="docs"),
    path("api/redoc/", serving.redoc, name="redoc"),
    path("admin/", admin.site.urls),
]

handler400 = "awx_compat.views.errors.bad_request"
handler403 = "awx_compat.views.errors.forbidden"
handler404 = "awx_compat.views.errors.not_found"
handler500 = "awx_compat.views.errors.server_error"
