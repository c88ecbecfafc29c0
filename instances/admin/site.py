"""The site at /admin/ and its first page."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from instances.admin.base import mirror_of
from instances.admin.show import NOTHING

ORDER = (
    "Instance",
    "InstanceGroup",
    "InstanceLink",
    "ReceptorAddress",
    "Drain",
    "UnifiedJob",
    "User",
    "NodeToken",
    "Mirror",
    "MeshInspection",
)
NAMES = {
    "oauth2_provider": "Access",
    "procrastinate": "Background work",
}  # of other packages' applications


class MeshSite(admin.AdminSite):
    site_header = "Automation mesh"
    site_title = "Automation mesh"
    index_title = "Overview"
    index_template = "admin/instances/overview.html"
    empty_value_display = NOTHING

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        mirror = mirror_of(request) if request.user.is_authenticated else None
        return {**super().each_context(request), "mirror": mirror, "site_url": reverse("home")}

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from django.contrib.auth.views import PasswordChangeView  # both imports need the models

        from instances.admin.forms import OwnPasswordForm

        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            template_name="admin/instances/own_password.html",
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from instances.admin.base import mirror_of  # both imports need the models' pages, which need the site
        from instances.admin.overview import figures, warnings

        context = {"figures": figures(request.user), "warnings": warnings(request.user, mirror_of(request))}
        return super().index(request, {**context, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """The models, in the order of their daily use."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["name"] = NAMES.get(app["app_label"], app["name"])
            for model in app["models"]:
                model["name"] = self.get_model_admin(model["model"]).verbose_name_plural  # type: ignore[attr-defined]
            app["models"].sort(
                key=lambda model: ORDER.index(model["object_name"]) if model["object_name"] in ORDER else 99
            )
        return sorted(apps, key=lambda app: app["app_label"])
