"""Examples of bodies. Tests validate each example against the schema of its body."""

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from awx_compat import dialects
from awx_compat.awx_settings import CATEGORIES
from awx_compat.openapi.example_records import (
    ADDRESS,
    ASSIGNMENT,
    GROUP,
    INSTANCE,
    JOB,
    METRICS,
    METRICS_TEXT,
    PING,
    RESOURCE,
    ROLE,
    TOKEN,
    USER,
    in_list,
    only,
)
from awx_compat.serializers import (
    address,
    common,
    group,
    instance,
    job,
    mesh,
    ping,
    role,
    role_assignment,
    service,
    token,
    user,
)
from instances.models import InstanceGroup, InstanceGroupRole
from instances.querysets import INCLUDED_ROLES

TOKEN_LISTS = ("tokens", "users_tokens", "users_personal_tokens", "users_authorized_tokens")
KEYS = {
    "instances": "exec-1.example.org",
    "instance_groups": "default",
    "receptor_addresses": "30",
    "credentials": "3",
    "users": "admin",
    "tokens": "1",
    "settings": "system",
    **{collection: str(102 + number) for number, collection in enumerate(job.COLLECTIONS_OF_JOBS)},
    "role_definitions": "25",
    "role_user_assignments": "8",
    "roles": "10",
}


def fixed_answer(view: Any) -> Any:
    """The answer of a view that does not depend on the database."""
    return view.get(Request(HttpRequest())).data


def instance_alone(view: Any = None) -> dict[str, Any]:
    """The instance on its own path."""
    own, links = dialects.module("instances"), {"links": [link(view)]}
    path = INSTANCE["url"]
    related = {"named_url": "/api/v2/instances/exec-1.example.org/"}
    related |= {name: f"{path}{name}/" for name in own.SERIALIZERS.listed.related_names}
    known = {**INSTANCE, **own.EXAMPLE, "related": related}
    known["summary_fields"] = {**INSTANCE["summary_fields"], **links}
    return only(known, own.SERIALIZERS.listed.Meta.fields)


def linked_instance(view: Any) -> dict[str, Any]:
    return in_list(instance_alone())


def listed_instance(view: Any) -> dict[str, Any]:
    return {**linked_instance(view), "summary_fields": INSTANCE["summary_fields"]}


def link(view: Any) -> dict[str, Any]:
    example: dict[str, Any] = dialects.module("instances").EXAMPLE_OF_LINK
    return example


def user_with(**summaries: Any) -> dict[str, Any]:
    """The user with these summaries, and those that the dialect adds."""
    resource = {"resource": RESOURCE} if dialects.current().identifies_users else {}
    return {**USER, "summary_fields": {**resource, **summaries}}


def user_with_access(view: Any) -> dict[str, Any]:
    administrator = role.system_role(1, "System Administrator", "Can manage all aspects of the system")
    access = {"role": administrator, "descendant_roles": list(INCLUDED_ROLES["admin_role"])}
    return only(in_list(user_with(direct_access=[], indirect_access=[access])), role.AccessSerializer.Meta.fields)


MESH_NODE = only(INSTANCE, mesh.MeshNodeSerializer.Meta.fields)
HOP_NODE = {**MESH_NODE, "id": 11, "hostname": "hop-1.example.org", "node_type": "hop"}

# The example of each kind of body, or a function that makes the example from the view.
SHAPES: dict[Any, Any] = {
    instance.InstanceSerializer: listed_instance,
    instance.WithLinks: linked_instance,
    instance.NamedInstance: instance_alone,
    address.ReceptorAddressSerializer: ADDRESS,
    instance.HealthCheckSerializer: only(INSTANCE, instance.HealthCheckSerializer.Meta.fields),
    group.InstanceGroupSerializer: in_list(GROUP),
    group.InstanceGroupDetailSerializer: GROUP,
    group.CredentialSerializer: group.credential_body(
        InstanceGroup(
            credential=3,
            credential_summary={
                "id": 3,
                "name": "cluster",
                "description": "",
                "kind": "kubernetes_bearer_token",
                "cloud": False,
                "kubernetes": True,
                "credential_type_id": 16,
            },
        )
    ),
    job.UnifiedJobSerializer: JOB,
    user.UserSerializer: lambda view: in_list(user_with(**USER["summary_fields"])),
    user.UserDetailSerializer: lambda view: user_with(**USER["summary_fields"]),
    role.AccessSerializer: user_with_access,
    role_assignment.UserAssignmentSerializer: role_assignment.UserAssignmentSerializer().to_representation(ASSIGNMENT),
    role_assignment.RoleDefinitionSerializer: role_assignment.DEFINITIONS["use_role"].body,
    role_assignment.RoleDefinitionPageSerializer: fixed_answer,
    token.TokenSerializer: {**TOKEN, "token": token.HIDDEN},
    common.MessageSerializer: {"msg": "Health check is running for exec-1.example.org."},
    common.EmptyPageSerializer: common.only_page([]),
    role.GroupRolePageSerializer: common.only_page(
        [role.role_body(InstanceGroup(pk=3, name="edge"), kind) for kind in InstanceGroupRole.Role]
    ),
    role.RoleOfUserSerializer: role.RoleOfUserSerializer().to_representation(ROLE),
    role.GroupRoleSerializer: role.GroupRoleSerializer().to_representation(ROLE),
    service.SettingCategoryPageSerializer: common.only_page([service.category(slug) for slug in CATEGORIES]),
    service.SettingsSerializer: {
        "IS_K8S": True,
        "INSTALL_UUID": PING["install_uuid"],
        "AWX_CONTROL_NODE_TASK_IMPACT": 1,
    },
    service.ServiceIndexSerializer: fixed_answer,
    service.ServiceMetadataSerializer: {"service_id": PING["install_uuid"], "service_type": "awx"},
    service.ApiRootSerializer: fixed_answer,
    service.OAuthRootSerializer: fixed_answer,
    service.ConfigSerializer: lambda view: {**fixed_answer(view), "version": dialects.current().version},
    service.DashboardSerializer: service.dashboard(users=4),
    service.JobGraphSerializer: {"jobs": {"successful": [[1703030400.0, 21]], "failed": [[1703030400.0, 2]]}},
    mesh.MeshDrawingSerializer: lambda view: {"nodes": [MESH_NODE, HOP_NODE], "links": [link(view)]},
    ping.PingSerializer: lambda view: {**PING, "version": dialects.current().version},
}
# Examples of single operations, in place of those in SHAPES.
ANSWERS: dict[str, Any] = {
    "instances_create": lambda view: {**instance_alone(), "summary_fields": INSTANCE["summary_fields"]},
    "instances_partial_update": lambda view: {**instance_alone(), "capacity": 359, "capacity_adjustment": "0.50"},
    "collections_retrieve": fixed_answer,
    "auth_retrieve": {},
    **{f"{lists}_create": TOKEN for lists in TOKEN_LISTS},
}
REPLACED = ("hostname", "capacity_adjustment", "enabled", "managed_by_policy", "node_state", "listener_port", "peers")


def replaced_instance() -> dict[str, Any]:
    return only(instance_alone(), REPLACED)


def new_instance() -> dict[str, Any]:
    return {"hostname": "exec-9.example.org", **only(instance_alone(), ["peers"])}


NEW_USER = {"username": "carol", "first_name": "Carol"}
NEW_TOKEN = {"description": "dashboards", "scope": "read"}
BODIES: dict[str, dict[str, Any]] = {
    "instances_create": {
        "a hop node": {
            "hostname": "hop-4.example.org",
            "node_type": "hop",
            "listener_port": 27199,
            "peers_from_control_nodes": True,
        },
        "an execution node": new_instance,
    },
    "instances_update": {"all fields of a node": replaced_instance},
    "instances_partial_update": {
        "disable the node": {"enabled": False},
        "halfway between CPUs and memory": {"capacity_adjustment": "0.50"},
        "remove the node": {"node_state": "deprovisioning"},
    },
    "instance_groups_create": {"a group": {"name": "edge", "policy_instance_percentage": 25}},
    "instance_groups_update": {
        "other policies": {"name": "edge", "policy_instance_percentage": 50, "policy_instance_minimum": 2}
    },
    "instance_groups_partial_update": {"other limits": {"max_forks": 50, "max_concurrent_jobs": 10}},
    "instance_groups_instances_create": {"associate": {"id": 5}, "disassociate": {"id": 5, "disassociate": True}},
    "instances_instance_groups_create": {"associate": {"id": 3}, "disassociate": {"id": 3, "disassociate": True}},
    "users_roles_create": {"grant": {"id": 10}, "revoke": {"id": 10, "disassociate": True}},
    "roles_users_create": {"grant": {"id": 4}, "revoke": {"id": 4, "disassociate": True}},
    "users_create": {"a system auditor": {**NEW_USER, "password": "rotate-Me-29", "is_system_auditor": True}},
    "users_update": {"all fields of a user": {**NEW_USER, "last_name": "Doe", "email": "carol@example.org"}},
    "users_partial_update": {"another password": {"password": "rotate-Me-30"}, "a superuser": {"is_superuser": True}},
    **{f"{lists}_create": {"read-only token": NEW_TOKEN} for lists in TOKEN_LISTS},
    **{
        f"settings_{change}": {"shorter sessions": {"SESSION_COOKIE_AGE": 600}}
        for change in ("update", "partial_update")
    },
    "tokens_update": {"read and write token": {"description": "dashboards", "scope": "write"}},
    "tokens_partial_update": {"another description": {"description": "reports"}},
}


def of(operation: str, shape: Any, view: Any) -> list[OpenApiExample]:
    """The examples of an operation, by its id; ``shape`` is the serializer of its answer, if it has one."""
    examples = [
        OpenApiExample(name, body() if callable(body) else body, request_only=True)
        for name, body in BODIES.get(operation, {}).items()
    ]
    own = next((SHAPES[kind] for kind in getattr(shape, "__mro__", ()) if kind in SHAPES), None)
    answer = ANSWERS.get(operation, own)
    if answer is not None:
        shown = answer(view) if callable(answer) else answer
        examples.append(OpenApiExample("answer", shown, response_only=True))
    if operation == "metrics_retrieve":
        examples.append(OpenApiExample("text", METRICS_TEXT, response_only=True, media_type="text/plain"))
        examples.append(OpenApiExample("JSON", METRICS, response_only=True))
    return examples
