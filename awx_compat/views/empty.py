"""Collections of AWX that this service does not store: empty lists in AWX's format."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.serializers.common import EmptyPageSerializer, only_page
from awx_compat.views.base import ApiView, not_implemented


@extend_schema(tags=["not stored"])
@extend_schema(methods=["GET"], responses=EmptyPageSerializer)
class EmptyList(ApiView):
    title: str = "Empty List"

    def get(self, request: Request, **kwargs: Any) -> Response:
        return Response(only_page([]))


@extend_schema(methods=["POST"], summary="Create an organization")
class Organizations(EmptyList):
    title = "Organizations"
    post = not_implemented


class WorkflowApprovals(EmptyList):
    title = "Workflow Approvals"
