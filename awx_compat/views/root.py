"""The entry points of the API: its versions, its collections, ping, OAuth2."""

from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import paths
from awx_compat.serializers.common import PATH
from awx_compat.serializers.ping import PingSerializer, ping
from awx_compat.serializers.service import ApiRootSerializer, OAuthRootSerializer
from awx_compat.views.base import ApiView
from instances import versions
from instances.database import fetch_in_one_statement
from instances.models import Instance, InstanceGroup

COLLECTIONS = (
    "ping",
    "instances",
    "instance_groups",
    "config",
    "settings",
    "me",
    "dashboard",
    "organizations",
    "users",
    "tokens",
    "metrics",
    "unified_jobs",
    "workflow_approvals",
    "mesh_visualizer",
)


@method_decorator(ensure_csrf_cookie, name="dispatch")
class ApiRoot(ApiView):
    """The versions of the API. Sets the CSRF cookie that /api/login/ needs."""

    title = "REST API"
    permission_classes = [AllowAny]

    @extend_schema(operation_id="versions_retrieve", responses=ApiRootSerializer, summary="The versions of the API")
    def get(self, request: Request) -> Response:
        body = {
            "description": "AWX REST API",
            "current_version": paths.ROOT,
            "available_versions": {"v2": paths.ROOT},
            "oauth2": "/api/o/",
            "custom_logo": "",
            "custom_login_info": "",
            "login_redirect_override": "",
        }
        return Response(ApiRootSerializer(body).data)


class VersionRoot(ApiView):
    """The collections of version 2. Command-line clients make a subcommand of each."""

    title = "Version 2"
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="collections_retrieve",
        responses={200: {"type": "object", "additionalProperties": PATH}},
        summary="The collections of version 2",
    )
    def get(self, request: Request) -> Response:
        return Response({name: paths.collection(name) for name in COLLECTIONS})


class Ping(ApiView):
    """Whether the service is up, and what it serves; without authentication."""

    title = "Ping"
    depends_on = versions.HEALTH
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(responses=PingSerializer, summary="Whether the service is up, and what it serves")
    def get(self, request: Request) -> Response:
        instances = Instance.objects.exclude(node_type=Instance.NodeType.HOP).order_by("hostname")
        groups = InstanceGroup.objects.with_members().order_by("name")
        told = ("hostname", "node_type", "uuid", "last_seen", "capacity", "version")
        told_of_groups = ("name", "is_container_group", "max_forks", "members_capacity", "member_hostnames")
        return Response(ping(*fetch_in_one_statement(instances.values(*told), groups.values(*told_of_groups))))


class OAuthRoot(ApiView):
    """Where OAuth2 clients go, below /api/o/."""

    title = "API OAuth 2 Authorization Root"
    permission_classes = [AllowAny]

    @extend_schema(operation_id="oauth_retrieve", responses=OAuthRootSerializer, summary="Where OAuth2 clients go")
    def get(self, request: Request) -> Response:
        return Response(OAuthRootSerializer({name: f"/api/o/{name}/" for name in OAuthRootSerializer().fields}).data)


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
        request.session.accessed = True  # AWX's answer depends on the session, and says so in Vary
        return Response({})
