"""Snapshots for tests: small, valid, and easily made wrong."""

from typing import Any

TIME = "2023-12-21T11:46:49.123456Z"

Record = dict[str, Any]


def snapshot(**changes: Any) -> Record:
    """A snapshot of two users, three instances, two links, two groups and three jobs.

    ``changes`` replaces or adds members of the object: ``snapshot(unified_jobs=[], users=[user(7)])``.
    """
    return {
        "install_uuid": "f0f0f0f0-1111-4222-8333-abcdefabcdef",
        "cluster_host_id": "control-1",
        "users": [
            user(1, username="admin", is_superuser=True, token="token-of-admin", token_id=1),
            user(2, username="bob", instance_group_roles=[{"instance_group": 1, "role": "use_role"}]),
        ],
        "instances": [
            instance(1, hostname="control-1", node_type="control"),
            instance(2, hostname="exec-1", ip_address="10.0.0.2", listener_port=27199),
            instance(3, hostname="hop-1", node_type="hop", capacity=0),
        ],
        "instance_links": [link(1, 1, 3), link(2, 3, 2)],
        "instance_groups": [group(1, name="edge", instances=[2]), group(2, name="empty")],
        "unified_jobs": [
            job(11, status="running", execution_node="exec-1", controller_node="control-1", instance_group=1),
            job(12, status="successful", execution_node="exec-1", finished=TIME, elapsed=2.5),
            job(13, type="project_update", status="pending"),
        ],
        **changes,
    }


def user(pk: int, **changes: Any) -> Record:
    """A user who has a password, ``secret``, and no token."""
    return {
        "id": pk,
        "username": f"user-{pk}",
        "password": "secret",
        "email": f"user-{pk}@example.org",
        "first_name": "",
        "last_name": "",
        "is_superuser": False,
        "is_system_auditor": False,
        "date_joined": TIME,
        "instance_group_roles": [],
        **changes,
    }


def instance(pk: int, **changes: Any) -> Record:
    """An execution node that is ready."""
    return {
        "id": pk,
        "uuid": f"00000000-0000-4000-8000-{pk:012}",
        "hostname": f"node-{pk}",
        "ip_address": "",
        "created": TIME,
        "modified": TIME,
        "version": "23.6.0",
        "cpu": "4.0",
        "memory": 8589934592,
        "errors": "",
        "last_seen": TIME,
        "health_check_started": None,
        "last_health_check": TIME,
        "capacity": 61,
        "capacity_adjustment": "1.00",
        "enabled": True,
        "managed_by_policy": True,
        "cpu_capacity": 16,
        "mem_capacity": 61,
        "node_type": "execution",
        "node_state": "ready",
        "listener_port": None,
        "peers_from_control_nodes": False,
        **changes,
    }


def link(pk: int, source: int, target: int, **changes: Any) -> Record:
    return {"id": pk, "source": source, "target": target, "link_state": "established", **changes}


def group(pk: int, **changes: Any) -> Record:
    """A group without members."""
    return {
        "id": pk,
        "name": f"group-{pk}",
        "instances": [],
        "created": TIME,
        "modified": TIME,
        "is_container_group": False,
        "credential": None,
        "pod_spec_override": "",
        "max_concurrent_jobs": 0,
        "max_forks": 0,
        "policy_instance_percentage": 0,
        "policy_instance_minimum": 0,
        "policy_instance_list": [],
        "summary_fields": {},
        **changes,
    }


def job(
    pk: int,
    *,
    task_impact: int = 1,
    instance_group: int | None = None,
    execution_node: str = "",
    controller_node: str = "",
    **representation: Any,
) -> Record:
    """A playbook run that is successful; other fields than those of the record belong to its representation."""
    return {
        "id": pk,
        "task_impact": task_impact,
        "instance_group": instance_group,
        "execution_node": execution_node,
        "controller_node": controller_node,
        "representation": {
            "id": pk,
            "type": "job",
            "url": f"/api/v2/jobs/{pk}/",
            "related": {},
            "summary_fields": {"user_capabilities": {"delete": True, "start": True}},
            "created": TIME,
            "modified": TIME,
            "name": f"job {pk}",
            "description": "",
            "unified_job_template": None,
            "launch_type": "manual",
            "status": "successful",
            "execution_environment": None,
            "failed": False,
            "started": TIME,
            "finished": None,
            "canceled_on": None,
            "elapsed": 0.0,
            "job_explanation": "",
            "execution_node": execution_node,
            "controller_node": controller_node,
            "launched_by": {},
            "work_unit_id": None,
            **representation,
        },
    }
