"""What is shown beside bodies. Tests hold every example against the schema of its body."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

KEYS = {
    "instances": "exec-1.example.org",
    "instance_groups": "default",
    "users": "admin",
    "tokens": "1",
    "settings": "system",
}

LINK = {
    "id": 17,
    "url": "",
    "related": {"source_instance": "/api/v2/instances/5/", "target_instance": "/api/v2/instances/11/"},
    "source": "exec-1.example.org",
    "target": "hop-1.example.org",
    "link_state": "established",
}
INSTANCE = {
    "id": 5,
    "hostname": "exec-1.example.org",
    "type": "instance",
    "url": "/api/v2/instances/5/",
    "related": {
        "named_url": "/api/v2/instances/exec-1.example.org/",
        "jobs": "/api/v2/instances/5/jobs/",
        "instance_groups": "/api/v2/instances/5/instance_groups/",
        "install_bundle": "/api/v2/instances/5/install_bundle/",
        "peers": "/api/v2/instances/5/peers/",
        "health_check": "/api/v2/instances/5/health_check/",
    },
    "summary_fields": {"user_capabilities": {"edit": False}, "links": [LINK]},
    "uuid": "00000000-0000-4000-8000-000000000005",
    "created": "2023-10-15T01:27:49.100005Z",
    "modified": "2023-12-21T03:25:49.200055Z",
    "last_seen": "2023-12-21T11:44:49.250000Z",
    "health_check_started": "2023-12-21T11:40:49.000005Z",
    "health_check_pending": False,
    "last_health_check": "2023-12-21T11:44:49.249999Z",
    "errors": "",
    "capacity_adjustment": "1.00",
    "version": "ansible-runner-2.3.4",
    "capacity": 655,
    "consumed_capacity": 31,
    "percent_capacity_remaining": 95.27,
    "jobs_running": 4,
    "jobs_total": 23,
    "cpu": "16.0",
    "memory": 68719476736,
    "cpu_capacity": 64,
    "mem_capacity": 655,
    "enabled": True,
    "managed_by_policy": True,
    "node_type": "execution",
    "node_state": "ready",
    "ip_address": "10.10.0.5",
    "listener_port": None,
    "peers": ["hop-1.example.org"],
    "peers_from_control_nodes": False,
}
IN_LIST = {
    **INSTANCE,
    "related": {name: path for name, path in INSTANCE["related"].items() if name != "named_url"},  # type: ignore[attr-defined]
    "summary_fields": {"user_capabilities": {"edit": False}},
}
GROUP = {
    "id": 3,
    "type": "instance_group",
    "url": "/api/v2/instance_groups/3/",
    "related": {
        "named_url": "/api/v2/instance_groups/edge/",
        "jobs": "/api/v2/instance_groups/3/jobs/",
        "instances": "/api/v2/instance_groups/3/instances/",
        "access_list": "/api/v2/instance_groups/3/access_list/",
        "object_roles": "/api/v2/instance_groups/3/object_roles/",
    },
    "name": "edge",
    "created": "2023-10-19T23:49:49.300003Z",
    "modified": "2023-12-20T22:29:49.400003Z",
    "capacity": 130,
    "consumed_capacity": 91,
    "percent_capacity_remaining": 30.0,
    "jobs_running": 2,
    "max_concurrent_jobs": 10,
    "max_forks": 50,
    "jobs_total": 12,
    "instances": 1,
    "is_container_group": False,
    "credential": None,
    "policy_instance_percentage": 25,
    "policy_instance_minimum": 2,
    "policy_instance_list": ["exec-2.example.org"],
    "pod_spec_override": "",
    "summary_fields": {
        "object_roles": {
            "admin_role": {"description": "Can manage all aspects of the instance group", "name": "Admin", "id": 9},
            "use_role": {"description": "Can use the instance group in a job template", "name": "Use", "id": 10},
            "read_role": {"description": "May view settings for the instance group", "name": "Read", "id": 11},
        },
        "user_capabilities": {"edit": True, "delete": True},
    },
}
GROUP_IN_LIST = {
    **GROUP,
    "related": {name: path for name, path in GROUP["related"].items() if name != "named_url"},  # type: ignore[attr-defined]
}
TOKEN = {
    "id": 7,
    "type": "o_auth2_access_token",
    "url": "/api/v2/tokens/7/",
    "related": {"user": "/api/v2/users/1/", "activity_stream": "/api/v2/tokens/7/activity_stream/"},
    "summary_fields": {"user": {"id": 1, "username": "admin", "first_name": "", "last_name": ""}},
    "created": "2023-12-21T11:40:49.000005Z",
    "modified": "2023-12-21T11:40:49.000005Z",
    "description": "dashboards",
    "user": 1,
    "token": "Qv0yhM4Nw2cPz8m1tZkB5xLr7aJd3e",
    "refresh_token": None,
    "application": None,
    "expires": "2099-01-01T00:00:00Z",
    "scope": "read",
}
METRICS_TEXT = """\
# HELP awx_instance_capacity Capacity of each node in the system
# TYPE awx_instance_capacity gauge
awx_instance_capacity{hostname="exec-1.example.org",instance_uuid="00000000-0000-4000-8000-000000000005",\
node_type="execution"} 655.0
"""
METRICS = {
    "awx_running_jobs_total": {
        "help_text": "Number of running jobs on the system",
        "type": "gauge",
        "samples": [{"labels": {}, "value": 24.0}],
    }
}
PING = {
    "ha": True,
    "version": "23.6.0",
    "active_node": "control-1.example.org",
    "install_uuid": "f0f0f0f0-1111-4222-8333-abcdefabcdef",
    "instances": [
        {
            "node": "exec-1.example.org",
            "node_type": "execution",
            "uuid": "00000000-0000-4000-8000-000000000005",
            "heartbeat": "2023-12-21T11:44:49.250000Z",
            "capacity": 655,
            "version": "ansible-runner-2.3.4",
        }
    ],
    "instance_groups": [{"name": "default", "capacity": 804, "instances": ["exec-1.example.org"]}],
}
MESH = {
    "nodes": [
        {
            "id": 5,
            "hostname": "exec-1.example.org",
            "node_type": "execution",
            "node_state": "ready",
            "enabled": True,
        },
        {"id": 11, "hostname": "hop-1.example.org", "node_type": "hop", "node_state": "ready", "enabled": True},
    ],
    "links": [LINK],
}
CONDITIONS = {
    "count": 1,
    "results": [
        {
            "type": "Reachable",
            "status": "False",
            "reason": "CutOff",
            "message": "Cut off by hop-1.example.org.",
            "last_transition": "2023-12-21T11:44:49.250000Z",
        }
    ],
}
REPORT = {
    "version": "2.3.4",
    "cpu": 16,
    "memory": 68719476736,
    "uuid": "00000000-0000-4000-8000-000000000005",
    "errors": [],
}
REPORTED = {
    "hostname": "exec-1.example.org",
    "node_state": "ready",
    "capacity": 655,
    "health_check_pending": False,
    "errors": "",
    "next_report_within": 60,
}
MIRROR = {
    "url": "https://awx.example.org",
    "version": "23.6.0",
    "age": 12.204,
    "oldest": 91.5,
    "stale": False,
    "began": "2023-12-21T11:44:49.250000Z",
    "finished": "2023-12-21T11:44:50.750000Z",
    "seconds": 1.5,
    "every": 30.0,
    "all_jobs": False,
    "copied_to": 0,
    "records": {"instances": {"total": 15, "new": 0, "changed": 2, "gone": 0}},
    "failures": 0,
    "failures_total": 1,
    "failed": "2023-12-20T23:10:00.000000Z",
    "failure": "The AWX did not answer.",
}
MESH_LOOK = {
    "began": "2023-12-21T11:44:49.250000Z",
    "seconds": 0.31,
    "error": "",
    "unknown_nodes": ["stranger.example.org"],
    "overdue": False,
}

ANSWERS: dict[str, Any] = {
    "instances_list": IN_LIST,
    "instances_create": {**INSTANCE, "summary_fields": {"user_capabilities": {"edit": False}}},
    "instances_retrieve": INSTANCE,
    "instances_update": INSTANCE,
    "instances_partial_update": {**INSTANCE, "capacity": 359, "capacity_adjustment": "0.50"},
    "instances_peers_list": {**IN_LIST, "summary_fields": INSTANCE["summary_fields"]},
    "instances_health_check_create": {"msg": "Health check is running for exec-1.example.org."},
    "instance_groups_list": GROUP_IN_LIST,
    "instance_groups_create": GROUP,
    "instance_groups_retrieve": GROUP,
    "instance_groups_update": GROUP,
    "instance_groups_partial_update": GROUP,
    "instance_groups_instances_list": {**IN_LIST, "summary_fields": INSTANCE["summary_fields"]},
    "instances_instance_groups_list": GROUP_IN_LIST,
    "tokens_create": TOKEN,
    "tokens_retrieve": {**TOKEN, "token": "************"},
    "mesh_visualizer_retrieve": MESH,
    "ping_retrieve": PING,
    "fleet_instances_conditions_retrieve": CONDITIONS,
    "fleet_instances_report_create": REPORTED,
    "fleet_mesh_retrieve": MESH_LOOK,
    "fleet_mirror_retrieve": MIRROR,
    "fleet_mirror_ping_retrieve": {name: MIRROR[name] for name in ("age", "oldest", "stale")},
}
BODIES: dict[str, dict[str, Any]] = {
    "instances_create": {
        "a hop node": {
            "hostname": "hop-4.example.org",
            "node_type": "hop",
            "listener_port": 27199,
            "peers_from_control_nodes": True,
        },
        "an execution node": {"hostname": "exec-9.example.org", "peers": ["hop-4.example.org"]},
    },
    "instances_partial_update": {
        "take it out of service": {"enabled": False},
        "halfway between CPUs and memory": {"capacity_adjustment": "0.50"},
        "remove the node": {"node_state": "deprovisioning"},
    },
    "instance_groups_create": {"a group": {"name": "edge", "policy_instance_percentage": 25}},
    "instance_groups_partial_update": {"other limits": {"max_forks": 50, "max_concurrent_jobs": 10}},
    "instance_groups_instances_create": {"put in": {"id": 5}, "take out": {"id": 5, "disassociate": True}},
    "instances_instance_groups_create": {"put in": {"id": 3}, "take out": {"id": 3, "disassociate": True}},
    "tokens_create": {"for reading": {"description": "dashboards", "scope": "read"}},
    "fleet_instances_report_create": {
        "all is well": REPORT,
        "it cannot run jobs": {"errors": ["Podman is not installed."]},
    },
}


def of(operation: str) -> list[OpenApiExample]:
    """The examples of an operation, by its id."""
    found = [OpenApiExample(name, body, request_only=True) for name, body in BODIES.get(operation, {}).items()]
    if operation in ANSWERS:
        found.append(OpenApiExample("answer", ANSWERS[operation], response_only=True))
    if operation == "metrics_retrieve":
        found.append(OpenApiExample("text", METRICS_TEXT, response_only=True, media_type="text/plain"))
        found.append(OpenApiExample("JSON", METRICS, response_only=True))
    return found
