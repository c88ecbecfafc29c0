"""Records that AWX keeps and this service does not: there are none, and lists say so in AWX's shape."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.views.base import ApiView, not_writable


class EmptyList(ApiView):
    title: str = "Empty List"

    def get(self, request: Request, **kwargs: Any) -> Response:
        return Response({"count": 0, "next": None, "previous": None, "results": []})


class Organizations(EmptyList):
    title = "Organizations"
    post = not_writable


class WorkflowApprovals(EmptyList):
    title = "Workflow Approvals"
