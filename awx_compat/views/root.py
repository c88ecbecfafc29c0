"""The entry points: the API's versions and collections, the state of the service, OAuth2 and identity providers."""

from django.conf import settings
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import dialects, paths
from awx_compat.serializers.common import PATH
from awx_compat.serializers.ping import PingSerializer, ping
from awx_compat.serializers.service import (
    ApiRootSerializer,
    OAuthRootSerializer,
    ServiceIndexSerializer,
    ServiceMetadataSerializer,
)
from awx_compat.views.base import ApiView
from instances import versions
from instances.database import fetch_in_one_statement
from instances.models import Instance, InstanceGroup


@method_decorator(ensure_csrf_cookie, name="dispatch")
class ApiRoot(ApiView):
    """The versions of the API. The answer sets the CSRF cookie that /api/login/ requires."""

    title = "REST API"
    permission_classes = [AllowAny]

    @extend_schema(operation_id="versions_retrieve", responses=ApiRootSerializer, summary="The versions of the API")
    def get(self, request: Request) -> Response:
        body = {
            "description": "AWX REST API",
            "current_version": paths.root(),
            "available_versions": {"v2": paths.root()},
            "oauth2": f"{paths.api()}o/",
            "custom_logo": "",
            "custom_login_info": "",
            "login_redirect_override": "",
        }
        return Response(ApiRootSerializer(body).data)


class VersionRoot(ApiView):
    """The collections of version 2. Command-line clients make a subcommand of each collection."""

    title = "Version 2"
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="collections_retrieve",
        responses={200: {"type": "object", "additionalProperties": PATH}},
        summary="The collections of version 2",
    )
    def get(self, request: Request) -> Response:
        return Response({name: paths.collection(path) for name, path in dialects.current().collections.items()})


class ServiceIndex(ApiView):
    """What the service shares with others of the same installation. AWX has lists of resources here, too."""

    title = "Service Index Root"

    @extend_schema(responses=ServiceIndexSerializer, summary="The service index")
    def get(self, request: Request) -> Response:
        return Response({"metadata": paths.record("service-index", "metadata")})


class ServiceMetadata(ApiView):
    """The id of this service."""

    title = "Service Metadata"

    @extend_schema(responses=ServiceMetadataSerializer, summary="The id of this service")
    def get(self, request: Request) -> Response:
        return Response({"service_id": settings.INSTALL_UUID, "service_type": "awx"})


class Ping(ApiView):
    """The state of the service, its nodes and groups. No credentials are needed or read."""

    title = "Ping"
    depends_on = versions.HEALTH
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(responses=PingSerializer, summary="The state of the service, its nodes and groups")
    def get(self, request: Request) -> Response:
        instances = Instance.objects.exclude(node_type=Instance.NodeType.HOP).order_by("hostname")
        groups = InstanceGroup.objects.with_members().order_by("name")
        columns = ("hostname", "node_type", "uuid", "last_seen", "capacity", "version")
        group_columns = ("name", "is_container_group", "max_forks", "members_capacity", "member_hostnames")
        return Response(ping(*fetch_in_one_statement(instances.values(*columns), groups.values(*group_columns))))


class OAuthRoot(ApiView):
    """The OAuth2 endpoints below /api/o/."""

    title = "API OAuth 2 Authorization Root"
    permission_classes = [AllowAny]

    @extend_schema(operation_id="oauth_retrieve", responses=OAuthRootSerializer, summary="The OAuth2 endpoints")
    def get(self, request: Request) -> Response:
        root = f"{paths.api()}o/"
        return Response(OAuthRootSerializer({name: f"{root}{name}/" for name in OAuthRootSerializer().fields}).data)


class AuthProviders(ApiView):
    """The identity providers that the login page offers: none."""

    title = "Auth"
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        responses={200: {"type": "object", "additionalProperties": {}}},
        summary="The identity providers of the login page",
    )
    def get(self, request: Request) -> Response:
        request.session.accessed = True  # AWX's answer has Vary: Cookie
        return Response({})
