"""How the service is set up, in the shape that AWX's clients expect of AWX."""

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import paths
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.views.base import ApiView, not_writable

CATEGORIES = {"all": "All", "system": "System"}


class SystemSettings(serializers.Serializer[Any]):
    """What clients ask of the settings; each is of the same name in the environment."""

    IS_K8S = serializers.BooleanField(read_only=True, help_text="Whether instances can be made and removed here.")
    INSTALL_UUID = serializers.CharField(read_only=True, help_text="What tells this installation from others.")
    AWX_CONTROL_NODE_TASK_IMPACT = serializers.IntegerField(
        read_only=True, help_text="The capacity that a job takes of the node that controls it."
    )


class Config(ApiView):
    """The version and the licence; AWX is open, and so is this."""

    title = "Configuration"
    post = delete = not_writable

    def get(self, request: Request) -> Response:
        return Response(
            {
                "time_zone": settings.TIME_ZONE,
                "license_info": {
                    "license_type": "open",
                    "valid_key": True,
                    "subscription_name": "OPEN",
                    "product_name": "AWX",
                },
                "version": settings.AWX_VERSION,
                "eula": "",
                "analytics_status": "off",
                "analytics_collectors": {},
                "become_methods": [],
            }
        )


class SettingCategories(ApiView):
    """The categories of settings that the user may read."""

    title = "Setting Categories"

    def get(self, request: Request) -> Response:
        user: Any = request.user
        categories = [
            {"url": paths.record("settings", slug), "slug": slug, "name": name}
            for slug, name in CATEGORIES.items()
            if user.sees_everything
        ]
        return Response({"count": len(categories), "next": None, "previous": None, "results": categories})


class SettingCategory(ApiView):
    """The settings of a category. They come from the environment, so that none can be changed here."""

    title = "Setting Detail"
    permission_classes = [IsSuperuserOrAuditor]
    put = patch = delete = not_writable

    def get_serializer(self) -> SystemSettings:
        if self.kwargs["slug"] not in CATEGORIES:
            raise NotFound
        return SystemSettings(settings)

    def get(self, request: Request, slug: str) -> Response:
        return Response(self.get_serializer().data)
