from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from awx_compat import paths
from instances.models import Instance


def mesh(instances: Iterable[Instance]) -> dict[str, Any]:
    """The body of mesh_visualizer/, of instances ``with_links()``."""
    nodes = list(instances)
    links = [link for instance in nodes for link in link_bodies(instance)]
    return {"nodes": [_node(instance) for instance in nodes], "links": sorted(links, key=itemgetter("id"))}


def _node(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.pk,
        "hostname": instance.hostname,
        "node_type": instance.node_type,
        "node_state": instance.node_state,
        "enabled": instance.enabled,
    }


def link_bodies(instance: Instance) -> list[dict[str, Any]]:
    """The links that start at an instance ``with_links()``."""
    return [
        link_body(link["id"], instance, link["target_id"], link["target"], link["link_state"])
        for link in instance.outgoing_links
    ]


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
