from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.instance import link_bodies
from awx_compat.views.base import ApiView
from instances import versions
from instances.models import Instance


class MeshVisualizer(ApiView):
    """All nodes and links of the mesh, for a drawing of it."""

    title = "Mesh Visualizer"
    depends_on = versions.INSTANCES
    permission_classes = [IsSuperuserOrAuditor]

    def get(self, request: Request) -> Response:
        return Response(mesh(Instance.objects.with_links().order_by("hostname")))  # one query: of one moment


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
