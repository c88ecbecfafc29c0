from instances.models.group import InstanceGroup, InstanceGroupRole
from instances.models.instance import Instance
from instances.models.job import UnifiedJob
from instances.models.link import InstanceLink
from instances.models.load import GroupLoad, NodeLoad
from instances.models.token import TokenNote
from instances.models.user import User

__all__ = [
    "GroupLoad",
    "Instance",
    "InstanceGroup",
    "InstanceGroupRole",
    "InstanceLink",
    "NodeLoad",
    "TokenNote",
    "UnifiedJob",
    "User",
]
