"""The records that the examples of the API document are made of."""

from collections.abc import Iterable
from typing import Any

from awx_compat import paths
from awx_compat.serializers import group, user
from instances.models import InstanceGroupRole


def only(record: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The record with these fields only."""
    return {name: record[name] for name in names}


def in_list(record: dict[str, Any]) -> dict[str, Any]:
    """The record as in a list, without its named URL."""
    related = {name: path for name, path in record["related"].items() if name != "named_url"}
    return {**record, "related": related}


INSTANCE: dict[str, Any] = {
    "id": 5,
    "hostname": "exec-1.example.org",
    "type": "instance",
    "url": "/api/v2/instances/5/",
    "related": {},
    "summary_fields": {"user_capabilities": {"edit": False}},
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
    "peers_from_control_nodes": False,
    "managed": False,
}  # what the dialect has of its own is added
ADDRESS: dict[str, Any] = {
    "id": 30,
    "url": "/api/v2/receptor_addresses/30/",
    "address": "hop-1.example.org",
    "port": 27199,
    "protocol": "tcp",
    "websocket_path": "",
    "is_internal": False,
    "canonical": True,
    "instance": 11,
    "peers_from_control_nodes": True,
    "full_address": "hop-1.example.org:27199",
}
GROUP: dict[str, Any] = {
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
            kind.value: {"description": description, "name": kind.label, "id": 9 + n}
            for n, (kind, description) in enumerate(group.ROLE_DESCRIPTIONS.items())
        },
        "user_capabilities": {"edit": True, "delete": True},
    },
}
JOB = {
    "id": 102,
    "type": "job",
    "url": "/api/v2/jobs/102/",
    "related": {"inventory": "/api/v2/inventories/1/", "job_template": "/api/v2/job_templates/13/"},
    "summary_fields": {
        "inventory": {"id": 1, "name": "Demo Inventory", "description": ""},
        "job_template": {"id": 13, "name": "Demo Job Template", "description": ""},
        "user_capabilities": {"delete": True, "start": True},
    },
    "created": "2023-12-21T10:36:49.500000Z",
    "modified": "2023-12-21T11:16:49.700000Z",
    "name": "Demo Job Template",
    "description": "",
    "unified_job_template": 13,
    "launch_type": "manual",
    "status": "running",
    "execution_environment": None,
    "failed": False,
    "started": "2023-12-21T11:16:49.600000Z",
    "finished": None,
    "canceled_on": None,
    "elapsed": 1680.25,
    "job_explanation": "",
    "execution_node": "exec-1.example.org",
    "controller_node": "hybrid-1.example.org",
    "launched_by": {"id": 1, "name": "admin", "type": "user", "url": "/api/v2/users/1/"},
    "work_unit_id": "x7Gq2LpW",
    "forks": 5,
    "playbook": "hello_world.yml",
}
USER: dict[str, Any] = {
    "id": 1,
    "type": "user",
    "url": "/api/v2/users/1/",
    "related": {
        "named_url": "/api/v2/users/admin/",
        **{name: paths.record("users", 1, name) for name in user.RELATED},
    },
    "summary_fields": {"user_capabilities": {"edit": True, "delete": False}},
    "created": "2023-10-06T02:26:49.111111Z",
    "modified": None,
    "username": "admin",
    "first_name": "",
    "last_name": "",
    "email": "admin@example.org",
    "is_superuser": True,
    "is_system_auditor": False,
    "password": "$encrypted$",
    "ldap_dn": "",
    "last_login": "2023-12-21T11:40:49.000005Z",
    "external_account": None,
    "auth": [],
}
RESOURCE = {"ansible_id": "0b9f8f0c-5a5c-5d0b-8d1b-6c7a4f2f1c11", "resource_type": "shared.user"}
ASSIGNMENT = {
    "number": 8,
    "holder": 4,
    "username_of_holder": "bob",
    "first_name_of_holder": "Bob",
    "last_name_of_holder": "",
    "held": InstanceGroupRole.Role.USE,
    "group": 3,
    "name_of_group": "edge",
    "is_container": False,
}
ROLE = {
    "number": 10,
    "group": 3,
    "name_of_group": "edge",
    "held": InstanceGroupRole.Role.USE,
    "is_administered": True,
}
TOKEN: dict[str, Any] = {
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
    "version": "",  # that of the dialect
    "active_node": "control-1.example.org",
    "install_uuid": "f0f0f0f0-1111-4222-8333-abcdefabcdef",
    "instances": [
        {
            "node": INSTANCE["hostname"],
            **only(INSTANCE, ("node_type", "uuid")),
            "heartbeat": INSTANCE["last_seen"],
            **only(INSTANCE, ("capacity", "version")),
        }
    ],
    "instance_groups": [{"name": "default", "capacity": 804, "instances": [INSTANCE["hostname"]]}],
}
