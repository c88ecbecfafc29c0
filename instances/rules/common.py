"""What all versions of AWX check of an instance in the same way."""

from django.conf import settings
from django.core.exceptions import ValidationError

from instances.addresses import INSTALLABLE
from instances.models import Instance

NOT_HERE = "Can only create instances on Kubernetes or OpenShift."
ONLY_INSTALLABLE = "peers_from_control_nodes can only be enabled for execution or hop nodes."


def checked_hostname(instance: Instance | None, hostname: str) -> str:
    if instance and hostname != instance.hostname:
        raise ValidationError("Cannot change hostname.")
    return hostname


def checked_node_type(instance: Instance | None, node_type: str) -> str:
    if instance is None and node_type not in INSTALLABLE:
        raise ValidationError("Can only create execution or hop nodes.")
    if instance and node_type != instance.node_type:
        raise ValidationError("Cannot change node type.")
    return node_type


def check_node_state(instance: Instance | None, node_state: str) -> bool:
    """Whether the instance is to be deprovisioned; raises ValidationError for all other changes of its state."""
    states = Instance.NodeState
    if instance is None:
        if node_state != states.INSTALLED:
            raise ValidationError("Can only create instances in the 'installed' state.")
        return False
    if node_state == instance.node_state:
        return False
    if not settings.IS_K8S:
        raise ValidationError("Can only change the state on Kubernetes or OpenShift.")
    if node_state != states.DEPROVISIONING:
        raise ValidationError("Can only change instances to the 'deprovisioning' state.")
    return True


def check_changed_port(instance: Instance | None, port: int | None) -> None:
    """Raise ValidationError for another port than that of the instance. 0 counts as none."""
    own = instance.listener_port if instance else None
    if port and own and port != own:
        raise ValidationError("Cannot change listener port.")
