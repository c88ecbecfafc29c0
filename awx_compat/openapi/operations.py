"""What the methods of views answer where no serializer of theirs says it, and what else is special about them.

Not here are the HTML forms at /api/login/ and below /api/o/ (django-oauth-toolkit's): they are pages for browsers,
their answers are redirects and HTML, and a client gets its token from /api/v2/tokens/.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from drf_spectacular.types import OpenApiTypes

from awx_compat.fleet import serializers as fleet
from awx_compat.fleet import views as fleet_views
from awx_compat.openapi import bodies, errors
from awx_compat.openapi.parameters import Parameter, query
from awx_compat.serializers.group import InstanceGroupDetailSerializer, InstanceGroupSerializer
from awx_compat.serializers.instance import InstanceDetailSerializer, InstanceSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.views import (
    config,
    dashboard,
    empty,
    groups,
    instances,
    mesh,
    metrics,
    root,
    tokens,
    users,
)
from instances import messages

OK, CREATED, NO_CONTENT = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
BAD_REQUEST, UNAVAILABLE = HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE
UNSAID: Any = object()
Refusals = dict[int, errors.Refusal]


@dataclass(frozen=True)
class Operation:
    """What is special about a method of a view."""

    told: Any = UNSAID  # a serializer or a type, or these by status and media type, as drf-spectacular takes them
    asked: Any = UNSAID  # the serializer of the body; None where there is none
    refusals: Refusals = field(default_factory=dict)  # beside the usual ones, or instead of them
    parameters: tuple[Parameter, ...] = ()
    summary: str = ""
    id: str = ""  # the operationId, where the path's own would not be a good name
    is_refused: bool = False  # a method of AWX's that this service has not yet


def refused(summary: str) -> Operation:
    return Operation(told={}, asked=None, is_refused=True, summary=summary)


MEMBERSHIP = Operation(
    told={NO_CONTENT: None},
    asked=bodies.Membership,
    refusals={BAD_REQUEST: errors.BAD_MEMBERSHIP},
    summary="Put a record into the list, or take it out",
)
ANY_OBJECT = {"type": "object", "additionalProperties": {}}
PATHS = {"type": "object", "additionalProperties": bodies.URL}
PERIOD = query("period", {"type": "string", "enum": list(dashboard.PERIODS), "default": "month"}, "How far back.")
ROLE_FIELD = query("role_field", {"type": "string", "enum": bodies.ROLE_NAMES}, "Only this role.")
NOT_A_BUNDLE = errors.Refusal(
    "NotInstallable",
    "Only execution and hop nodes are installed so.",
    (bodies.Message,),
    {"msg": "Install bundle can only be generated for execution or hop nodes."},
)
UNKNOWN_PERIOD = errors.Refusal(
    "UnknownPeriod", "There is no such period.", (bodies.ErrorOfQuery,), {"error": 'Unknown period "year"'}
)
GROUP_IN_USE = errors.Refusal(
    "GroupInUse",
    "Jobs of the group have not ended, or another change was made at the same moment.",
    (bodies.Error, bodies.InUse),
    {"error": messages.GROUP_IN_USE, "active_jobs": [{"id": 102, "type": "job"}]},
)
MIRROR_STALE = errors.Refusal(
    "MirrorStale",
    "The mirror is older than it should be, or the database is too busy.",
    (fleet.MirrorPingSerializer, bodies.Error),
    {"age": 341.208, "oldest": 91.5, "stale": True},
)
NO_MIRROR = errors.Refusal("NoMirror", "This service is no mirror.", (bodies.Error,), errors.detail(messages.NO_MIRROR))

OPERATIONS: dict[tuple[type, str], Operation] = {
    (root.ApiRoot, "GET"): Operation(bodies.ApiRoot, id="versions_retrieve", summary="The versions of the API"),
    (root.OAuthRoot, "GET"): Operation(bodies.OAuthRoot, id="oauth_retrieve", summary="Where OAuth2 clients go"),
    (root.VersionRoot, "GET"): Operation(
        {OK: PATHS}, id="collections_retrieve", summary="The collections of version 2"
    ),
    (root.Ping, "GET"): Operation(bodies.Ping, summary="Whether the service is up, and what it serves"),
    (root.AuthProviders, "GET"): Operation({OK: ANY_OBJECT}, summary="The identity providers of the login page"),
    (config.Config, "GET"): Operation(bodies.Config, summary="The version and the licence"),
    (config.Config, "POST"): refused("Set the licence"),
    (config.Config, "DELETE"): refused("Remove the licence"),
    (config.SettingCategories, "GET"): Operation(
        bodies.SettingCategoryPage, id="settings_list", summary="The categories of settings"
    ),
    (config.SettingCategory, "GET"): Operation(config.SystemSettings, summary="The settings of a category"),
    (config.SettingCategory, "PUT"): refused("Change settings"),
    (config.SettingCategory, "PATCH"): refused("Change some settings"),
    (config.SettingCategory, "DELETE"): refused("Reset settings"),
    (dashboard.Dashboard, "GET"): Operation(bodies.Dashboard, summary="Counts for the first page of a web interface"),
    (dashboard.JobGraph, "GET"): Operation(
        bodies.JobGraph,
        parameters=(PERIOD,),
        refusals={BAD_REQUEST: UNKNOWN_PERIOD},
        summary="How many jobs ended well or not, by day",
    ),
    (empty.EmptyList, "GET"): Operation(bodies.EmptyPage, summary="Always empty"),
    (empty.Organizations, "POST"): refused("Make an organization"),
    (mesh.MeshVisualizer, "GET"): Operation(bodies.MeshDrawing, summary="All nodes and links"),
    (metrics.Metrics, "GET"): Operation(
        {
            (OK, "text/plain"): OpenApiTypes.STR,
            (OK, "application/json"): bodies.Metrics,
        },
        summary="Figures for Prometheus, as text or with `format=json`",
    ),
    (groups.InstanceGroupList, "GET"): Operation(summary="List the groups"),
    (groups.InstanceGroupList, "POST"): Operation({CREATED: InstanceGroupDetailSerializer}, summary="Make a group"),
    (groups.InstanceGroupDetail, "GET"): Operation(summary="One group"),
    (groups.InstanceGroupDetail, "PUT"): Operation(
        asked=InstanceGroupSerializer,
        summary="Change a group; what is left out becomes its default, or stays as it is where it has none",
    ),
    (groups.InstanceGroupDetail, "PATCH"): Operation(
        asked=InstanceGroupSerializer, summary="Change some fields of a group"
    ),
    (groups.InstanceGroupDetail, "DELETE"): Operation(
        {NO_CONTENT: None}, refusals={HTTPStatus.CONFLICT: GROUP_IN_USE}, summary="Delete a group without active jobs"
    ),
    (groups.InstancesOfGroup, "GET"): Operation(summary="The members of a group"),
    (groups.InstancesOfGroup, "POST"): MEMBERSHIP,
    (groups.JobsOfGroup, "GET"): Operation(summary="The jobs sent to a group"),
    (groups.RolesOfGroup, "GET"): Operation(
        bodies.GroupRolePage,
        parameters=(ROLE_FIELD,),
        id="instance_groups_object_roles_list",
        summary="The roles that a user can hold on a group",
    ),
    (groups.UsersOfGroup, "GET"): Operation(summary="The users who may see a group, and why"),
    (instances.InstanceList, "GET"): Operation(summary="List the instances"),
    (instances.InstanceList, "POST"): Operation(
        {CREATED: InstanceSerializer}, summary="Make an execution or hop node, where IS_K8S is set"
    ),
    (instances.InstanceDetail, "GET"): Operation(summary="One instance"),
    (instances.InstanceDetail, "PUT"): Operation(
        asked=InstanceSerializer,
        summary="Change an instance; what is left out becomes its default, or stays as it is where it has none",
    ),
    (instances.InstanceDetail, "PATCH"): Operation(
        InstanceDetailSerializer, asked=InstanceSerializer, summary="Change some fields of an instance"
    ),
    (instances.InstancePeers, "GET"): Operation(summary="The nodes that an instance opens links to"),
    (instances.InstanceGroupsOfInstance, "GET"): Operation(summary="The groups of an instance"),
    (instances.InstanceGroupsOfInstance, "POST"): MEMBERSHIP,
    (instances.InstanceJobs, "GET"): Operation(summary="The jobs that ran on an instance"),
    (instances.InstanceHealthCheck, "GET"): Operation(summary="What the last health check of an execution node found"),
    (instances.InstanceHealthCheck, "POST"): Operation(
        {OK: bodies.Message}, asked=None, summary="Start a health check of an execution node"
    ),
    (instances.InstallBundle, "GET"): Operation(
        {(OK, "application/gzip"): OpenApiTypes.BINARY},
        refusals={BAD_REQUEST: NOT_A_BUNDLE},
        summary="What to install on an execution or hop node",
    ),
    (tokens.TokenList, "GET"): Operation(summary="List the tokens that the user may see"),
    (tokens.TokenList, "POST"): Operation({CREATED: TokenSerializer}, summary="Make a token of one's own"),
    (tokens.TokenDetail, "GET"): Operation(summary="One token"),
    (tokens.TokenDetail, "PUT"): Operation(summary="Change the description and the scope of a token"),
    (tokens.TokenDetail, "PATCH"): Operation(summary="Change the description or the scope of a token"),
    (tokens.TokenDetail, "DELETE"): Operation({NO_CONTENT: None}, summary="Revoke a token"),
    (users.UserList, "GET"): Operation(summary="List the users"),
    (users.UserList, "POST"): refused("Make a user"),
    (users.Me, "GET"): Operation(summary="The user who asks, as a list of one"),
    (users.UserDetail, "GET"): Operation(summary="One user"),
    (users.UserDetail, "PUT"): refused("Change a user"),
    (users.UserDetail, "PATCH"): refused("Change some fields of a user"),
    (users.UserDetail, "DELETE"): refused("Delete a user"),
    (fleet_views.FleetRoot, "GET"): Operation(
        fleet.FleetRootSerializer, id="fleet_retrieve", summary="What there is beside AWX's own API"
    ),
    (fleet_views.Report, "POST"): Operation(
        {OK: fleet.ReportedSerializer}, asked=fleet.ReportSerializer, summary="Take what a node tells of itself"
    ),
    (fleet_views.Conditions, "GET"): Operation(fleet.ConditionsSerializer, summary="The conditions of an instance"),
    (fleet_views.Mesh, "GET"): Operation(fleet.MeshSerializer, summary="The last look at the mesh"),
    (fleet_views.MirrorState, "GET"): Operation(
        fleet.MirrorSerializer, refusals={404: NO_MIRROR}, summary="The mirror and its last syncs"
    ),
    (fleet_views.MirrorPing, "GET"): Operation(
        fleet.MirrorPingSerializer,
        refusals={404: NO_MIRROR, UNAVAILABLE: MIRROR_STALE},
        summary="Whether the mirror is fresh, for monitoring",
    ),
}


def of(view: Any, method: str) -> Operation:
    """What is special about the method, from the view's class or the nearest one that it is made from."""
    found = ((cls, method) for cls in type(view).__mro__)
    return next((OPERATIONS[key] for key in found if key in OPERATIONS), Operation())
