"""The configuration of the service, in the format that AWX's clients expect."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import dialects
from awx_compat.awx_settings import CATEGORIES, Category
from awx_compat.declared_metadata import settings_read, settings_written
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.common import only_page
from awx_compat.serializers.service import (
    ConfigSerializer,
    SettingCategoryPageSerializer,
    SettingsSerializer,
    category,
)
from awx_compat.views.base import ApiView, not_implemented

SET_BY_ENVIRONMENT = "{name} is set by the environment."


@extend_schema(methods=["POST"], summary="Set the licence")
@extend_schema(methods=["DELETE"], summary="Remove the licence")
class Config(ApiView):
    """The version and the licence. AWX and this service are open source."""

    title = "Configuration"
    post = delete = not_implemented

    @extend_schema(responses=ConfigSerializer, summary="The version and the licence")
    def get(self, request: Request) -> Response:
        body = {
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
        return Response(ConfigSerializer(body).data)


class SettingCategories(ApiView):
    """The categories of settings that the user may read."""

    title = "Setting Categories"

    @extend_schema(
        operation_id="settings_list", responses=SettingCategoryPageSerializer, summary="The categories of settings"
    )
    def get(self, request: Request) -> Response:
        user: Any = request.user
        categories = [category(slug) for slug in CATEGORIES if user.sees_everything]
        return Response(SettingCategoryPageSerializer(only_page(categories)).data)


@extend_schema(methods=["DELETE"], summary="Reset settings")
class SettingCategory(ApiView):
    """The settings of a category. They come from the environment and cannot be changed over the API."""

    title = "Setting Detail"
    permission_classes = [IsSuperuserOrAuditor]
    has_forms = False  # every change is refused
    delete = not_implemented

    @property
    def category(self) -> Category:
        """Raises NotFound for a category that AWX has not."""
        if self.kwargs["slug"] not in CATEGORIES:
            raise NotFound
        return CATEGORIES[self.kwargs["slug"]]

    def declared_options(self) -> dict[str, Any]:
        described = {"GET": settings_read, "PUT": settings_written}
        actions = {
            method: describe(self.category, dialects.current())
            for method, describe in described.items()
            if self.has_permission_for(method)
        }
        return {"actions": actions}

    @extend_schema(responses=SettingsSerializer, summary="The settings of a category")
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.category.values(settings))

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer, summary="Change settings")
    def put(self, request: Request, slug: str) -> Response:
        """Refuse to change a setting of the category; other names are ignored, as AWX does."""
        for name in request.data or {}:
            if name in self.category.settings:
                raise PermissionDenied(SET_BY_ENVIRONMENT.format(name=name))
        return self.get(request, slug)

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer, summary="Change some settings")
    def patch(self, request: Request, slug: str) -> Response:
        return self.put(request, slug)
