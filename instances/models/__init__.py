from instances.models.address import ReceptorAddress
from instances.models.drain import Drain
from instances.models.group import InstanceGroup, InstanceGroupRole
from instances.models.health import Condition, MeshInspection, NodeHealth, NodeToken
from instances.models.instance import Instance
from instances.models.issued_bundle import IssuedBundle
from instances.models.job import UnifiedJob
from instances.models.link import InstanceLink
from instances.models.load import GroupLoad, JobCount, NodeLoad
from instances.models.mirror import LeftOutJob, Mirror
from instances.models.user import LONGEST_DESCRIPTION, LoginFailures, TokenNote, User

__all__ = [
    "LONGEST_DESCRIPTION",
    "Condition",
    "Drain",
    "GroupLoad",
    "Instance",
    "InstanceGroup",
    "InstanceGroupRole",
    "InstanceLink",
    "IssuedBundle",
    "JobCount",
    "LeftOutJob",
    "LoginFailures",
    "MeshInspection",
    "Mirror",
    "NodeHealth",
    "NodeLoad",
    "NodeToken",
    "ReceptorAddress",
    "TokenNote",
    "UnifiedJob",
    "User",
]
