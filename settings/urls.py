from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

urlpatterns = [
    path("api/", include("awx_compat.urls")),
    path("", include("awx_compat.pages.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view()),
    path("api/redoc/", SpectacularRedocView.as_view()),
    path("admin/", admin.site.urls),
]

handler400 = "awx_compat.views.errors.bad_request"
handler404 = "awx_compat.views.errors.not_found"
handler500 = "awx_compat.views.errors.server_error"
