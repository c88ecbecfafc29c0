from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from awx_compat import dialects
from awx_compat.serializers.instance import links_of_all
from instances.models import Instance

# The serializers are for the OpenAPI document alone: the functions below make bodies of thousands of nodes faster.


class MeshNodeSerializer(serializers.ModelSerializer[Instance]):
    """A node in a drawing of the mesh."""

    class Meta:
        model = Instance
        fields = ("id", "hostname", "node_type", "node_state", "enabled")


class MeshDrawingSerializer(serializers.Serializer[Any]):
    """All nodes and all links."""

    nodes = MeshNodeSerializer(many=True, help_text="The nodes, by hostname.")

    def get_fields(self) -> dict[str, Any]:
        links = dialects.module("instances").LINK_SERIALIZER(many=True, help_text="The links, by id.")
        return {**super().get_fields(), "links": links}


def mesh(instances: Iterable[Instance]) -> dict[str, Any]:
    """The body of mesh_visualizer/, of instances ``with_links()``."""
    nodes = list(instances)
    return {"nodes": [_node(instance) for instance in nodes], "links": links_of_all(nodes)}


def _node(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.pk,
        "hostname": instance.hostname,
        "node_type": instance.node_type,
        "node_state": instance.node_state,
        "enabled": instance.enabled,
    }
