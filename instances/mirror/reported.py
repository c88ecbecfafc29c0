"""The columns that a mirrored AWX fills, and no others: declared apart from the models, which may have columns that no
AWX knows of. Source: answers recorded from AWX 23.6.0 and 24.6.1. What only one of them reports has a table for it."""

from django.db import models

from instances.models import Instance, InstanceGroup, InstanceLink, ReceptorAddress, UnifiedJob, User
from instances.snapshot.columns import column
from instances.snapshot.tables import JOB_RECORD, LISTENER, RELEASED, Table, columns, with_hostnames

OF_INSTANCES = [
    "id",
    "hostname",
    "uuid",
    "created",
    "modified",
    "last_seen",
    "health_check_started",
    "last_health_check",
    "errors",
    "capacity_adjustment",
    "version",
    "capacity",
    "cpu",
    "memory",
    "cpu_capacity",
    "mem_capacity",
    "enabled",
    "managed_by_policy",
    "node_type",
    "node_state",
    "ip_address",
]
INSTANCES = Table(Instance, with_hostnames(columns(Instance, only=[*OF_INSTANCES, "managed"])))
LISTENING_INSTANCES = Table(Instance, (*with_hostnames(columns(Instance, only=OF_INSTANCES)), *LISTENER))  # of AWX 23
ADDRESSES = Table(
    ReceptorAddress,
    columns(
        ReceptorAddress,
        only=[
            "id",
            "address",
            "port",
            "protocol",
            "websocket_path",
            "is_internal",
            "canonical",
            "peers_from_control_nodes",
            "instance",
        ],
    ),
    released=RELEASED,
)
LINKS = Table(InstanceLink, columns(InstanceLink, only=["id", "source", "target", "link_state"]))
GROUPS = Table(
    InstanceGroup,
    columns(
        InstanceGroup,
        only=[
            "id",
            "name",
            "created",
            "modified",
            "max_concurrent_jobs",
            "max_forks",
            "is_container_group",
            "credential",
            "policy_instance_percentage",
            "policy_instance_minimum",
            "policy_instance_list",
            "pod_spec_override",
        ],
    ),
)
# Directories know names and addresses that no form here would take.
TEXTS = {"username": 150, "first_name": 150, "last_name": 150, "email": 254}
ACCOUNTS = Table(
    User,
    (
        *columns(User, only=["id", "date_joined", "is_superuser", "is_system_auditor"]),
        *(
            column(models.CharField(max_length=longest, blank=name != "username"), name, name)
            for name, longest in TEXTS.items()
        ),
    ),
)
JOBS = Table(UnifiedJob, columns(UnifiedJob, only=JOB_RECORD))
