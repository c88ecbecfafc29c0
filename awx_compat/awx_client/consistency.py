"""Whether the lists that were read fit together, and the links that follow from them."""

from typing import Any

from awx_compat.awx_client.errors import ChangingError
from instances.mirror.jobs import Record
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


def links(mesh: Record, instances: list[Record], addresses: list[Record] | None) -> list[Record]:
    """The links by the ids of their ends, the second of which is an address; where AWX has none, an instance.

    AWX gives instances by hostname and addresses by path. Raises ChangingError.
    """
    nodes = {instance.get("hostname"): instance["id"] for instance in instances}
    targets = nodes if addresses is None else {each["url"]: each["id"] for each in addresses}
    return [
        {
            "id": link.get("id"),
            "source": end(nodes, link.get("source")),
            "target": end(targets, link.get("target") if addresses is None else target_of(link)),
            "link_state": link.get("link_state"),
        }
        for link in mesh["links"]
    ]


def end(ids: dict[Any, int], name: Any) -> int | None:
    if name is None:
        return None
    if name not in ids:
        raise ChangingError(
            f"The mesh keeps changing while it is read: a link leads to {shown(name)}, which was not listed."
        )
    return ids[name]


def target_of(link: Record) -> Any:
    """The path of the address to which the link leads."""
    related = link.get("related")
    return related.get("target_address") if isinstance(related, dict) else None
