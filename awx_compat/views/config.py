"""The configuration of the service, in the format that AWX's clients expect."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.common import only_page
from awx_compat.serializers.service import (
    CATEGORIES,
    ConfigSerializer,
    SettingCategoryPageSerializer,
    SystemSettingsSerializer,
    category,
)
from awx_compat.views.base import ApiView, not_implemented


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


@extend_schema(methods=["PUT"], summary="Change settings")
@extend_schema(methods=["PATCH"], summary="Change some settings")
@extend_schema(methods=["DELETE"], summary="Reset settings")
class SettingCategory(ApiView):
    """The settings of a category. They come from the environment and cannot be changed over the API."""

    title = "Setting Detail"
    permission_classes = [IsSuperuserOrAuditor]
    put = patch = delete = not_implemented

    def get_serializer(self) -> SystemSettingsSerializer:
        if self.kwargs["slug"] not in CATEGORIES:
            raise NotFound
        return SystemSettingsSerializer(settings)

    @extend_schema(responses=SystemSettingsSerializer, summary="The settings of a category")
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.get_serializer().data)
