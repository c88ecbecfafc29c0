from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.permissions import IsSuperuserOrAuditor
from awx_compat.serializers.mesh import mesh
from awx_compat.views.base import ApiView
from instances.models import Instance, InstanceLink


class MeshVisualizer(ApiView):
    """All nodes and links of the mesh, for a drawing of it."""

    title = "Mesh Visualizer"
    permission_classes = [IsSuperuserOrAuditor]

    def get(self, request: Request) -> Response:
        links = InstanceLink.objects.select_related("source", "target").order_by("id")
        return Response(mesh(Instance.objects.order_by("hostname"), links))
