"""Whether the lists that were read fit together, and the links and listeners that follow from them."""

from typing import Any

from awx_compat.awx_client.errors import ChangingError
from instances.mirror.records import Record
from instances.snapshot.problems import shown

NODE = {"id": int, "hostname": str, "node_type": str, "node_state": str, "enabled": bool}  # in both lists of nodes


def check_nodes(mesh: Record, instances: list[Record]) -> None:
    """Raise ChangingError unless the nodes of the mesh, read last, are the instances, read first."""
    if {compared(node) for node in mesh["nodes"]} != {compared(instance) for instance in instances}:
        raise ChangingError("The mesh keeps changing while it is read: its nodes are not those of the list.")


def check_members(groups: list[Record], instances: list[Record]) -> None:
    """Raise ChangingError unless all members, read after the instances, are among them."""
    unknown = {pk for group in groups for pk in group["instances"]} - {instance["id"] for instance in instances}
    if unknown:
        raise ChangingError(
            f"The mesh keeps changing while it is read: a group has the member {min(unknown)}, which is no node."
        )


def compared(node: Record) -> tuple[Any, ...]:
    """The values of a node that both lists must agree on."""
    return tuple(node.get(name) for name in NODE)


def listening(instance: Record, addresses: list[Record]) -> Record:
    """The listener settings of a node, which AWX 23 has in the instance and later versions in its canonical address."""
    canonical = (address for address in addresses if address["instance"] == instance["id"] and address["canonical"])
    return next(
        (
            {"listener_port": address["port"], "peers_from_control_nodes": address["peers_from_control_nodes"]}
            for address in canonical
        ),
        {"listener_port": None, "peers_from_control_nodes": False},
    )


def links(mesh: Record, instances: list[Record], addresses: list[Record]) -> list[Record]:
    """The links by the ids of their ends, which AWX gives by hostname or by address. Raises ChangingError."""
    ids = {address["address"]: address["instance"] for address in addresses}
    ids |= {instance.get("hostname"): instance["id"] for instance in instances}

    def end(name: str | None) -> int | None:
        if name is None:
            return None
        pk: int | None = ids.get(name)
        if pk is None:
            raise ChangingError(
                f"The mesh keeps changing while it is read: a link leads to {shown(name)}, which is no node."
            )
        return pk

    return [
        {
            "id": link.get("id"),
            "source": end(link.get("source")),
            "target": end(link.get("target")),
            "link_state": link.get("link_state"),
        }
        for link in mesh["links"]
    ]
