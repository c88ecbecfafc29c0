"""What an install bundle of AWX 24.6.1 says of a node's connections: protocols, and addresses as they are dialled."""

import json
import re
from typing import Any

from instances.install_bundles import dialled_at, receptors_protocol
from instances.models import Instance, ReceptorAddress

PLAIN = re.compile(r"[A-Za-z0-9._~:/-]+")  # what YAML reads as a text, as it has no quotes


def listener(instance: Instance) -> dict[str, Any]:
    """The variables of the canonical address; a node without one, or with port 0 there, does not listen."""
    if not instance.listener_port:
        return {"receptor_listener": False}
    return {
        "receptor_protocol": receptors_protocol(instance.protocol),
        "receptor_listener": True,
        "receptor_port": instance.listener_port,
    }


def peer(address: ReceptorAddress) -> dict[str, Any]:
    """The address as Receptor dials it, and the protocol.

    The collection's template makes a YAML value of it, without quotes. So it is quoted here where YAML needs that.
    """
    dialled = dialled_at(address)
    quoted = dialled if PLAIN.fullmatch(dialled) else json.dumps(dialled)
    return {"address": quoted, "protocol": receptors_protocol(address.protocol)}
