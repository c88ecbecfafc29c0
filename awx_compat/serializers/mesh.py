from collections.abc import Iterable
from typing import Any

from awx_compat import paths
from instances.models import Instance, InstanceLink


def mesh(instances: Iterable[Instance], links: Iterable[InstanceLink]) -> dict[str, Any]:
    """The body of mesh_visualizer/; the links come with their ends."""
    return {"nodes": [_node(instance) for instance in instances], "links": [_link(link) for link in links]}


def _node(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.pk,
        "hostname": instance.hostname,
        "node_type": instance.node_type,
        "node_state": instance.node_state,
        "enabled": instance.enabled,
    }


def _link(link: InstanceLink) -> dict[str, Any]:
    return link_body(link.pk, link.source, link.target_id, link.target.hostname, link.link_state)


def link_body(pk: int, source: Instance, target_id: int, target: str, link_state: str) -> dict[str, Any]:
    """A link as AWX tells of it, on an instance and on the mesh alike."""
    return {
        "id": pk,
        "url": "",
        "related": {
            "source_instance": paths.record("instances", source.pk),
            "target_instance": paths.record("instances", target_id),
        },
        "source": source.hostname,
        "target": target,
        "link_state": link_state,
    }
