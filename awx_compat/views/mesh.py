from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import dialects
from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.mesh import MeshDrawingSerializer, mesh
from awx_compat.views.base import ApiView
from instances import versions
from instances.models import Instance


class MeshVisualizer(ApiView):
    """All nodes and links of the mesh, for a drawing."""

    title = "Mesh Visualizer"
    depends_on = versions.INSTANCES
    permission_classes = [IsSuperuserOrAuditor]
    with_links = dialects.Chosen("instances", "SERIALIZERS.linked.with_links")

    @extend_schema(responses=MeshDrawingSerializer, summary="All nodes and links")
    def get(self, request: Request) -> Response:
        return Response(
            mesh(self.with_links(Instance.objects.order_by("hostname")))
        )  # one query, for one snapshot of nodes and links
