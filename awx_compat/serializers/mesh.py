from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.common import PathField
from instances.models import Instance, InstanceLink

# For the document alone: the functions below make the bodies, of thousands of nodes in a few milliseconds.


class EndsOfLinkSerializer(serializers.Serializer[Any]):
    """The nodes that a link connects."""

    source_instance = PathField(help_text="Path of the node that opens the link.")
    target_instance = PathField(help_text="Path of the node that listens.")


class LinkSerializer(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to the node that listens."""

    url = serializers.CharField(allow_blank=True, help_text="Always empty.")
    related = EndsOfLinkSerializer(help_text="Paths of both nodes.")
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that listens.")

    class Meta:
        model = InstanceLink
        fields = ("id", "url", "related", "source", "target", "link_state")


class MeshNodeSerializer(serializers.ModelSerializer[Instance]):
    """A node as a drawing of the mesh shows it."""

    class Meta:
        model = Instance
        fields = ("id", "hostname", "node_type", "node_state", "enabled")


class MeshDrawingSerializer(serializers.Serializer[Any]):
    """All nodes and all links."""

    nodes = MeshNodeSerializer(many=True, help_text="The nodes, by hostname.")
    links = LinkSerializer(many=True, help_text="The links, by id.")


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
