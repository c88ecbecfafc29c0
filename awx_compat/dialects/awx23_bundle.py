"""What an install bundle of AWX 23.6.0 says of a node's connections: all are of protocol tcp."""

from typing import Any

from instances.models import Instance, ReceptorAddress


def listener(instance: Instance) -> dict[str, Any]:
    """The variables of the port at which the node listens."""
    port = instance.listener_port
    listens = {"receptor_protocol": "tcp", "receptor_listener": port is not None}
    return listens if port is None else {**listens, "receptor_port": port}


def peer(address: ReceptorAddress) -> dict[str, Any]:
    """The host and port of a peer, which the collection's template joins by a colon to a YAML value, without quotes.

    Receptor takes an IPv6 address in brackets only, and YAML would read these as a list. So the value is quoted here.
    """
    if ":" not in address.address:
        return {"host": address.address, "port": address.port, "protocol": "tcp"}
    return {"host": f'"[{address.address}]', "port": f'{address.port}"', "protocol": "tcp"}
