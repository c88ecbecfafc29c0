"""Records that AWX keeps and this service does not: there are none, and lists say so in AWX's shape."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exceptions import NotWritable
from awx_compat.views.base import ApiView


class EmptyList(ApiView):
    title: str = "Empty List"

    def get(self, request: Request, **kwargs: Any) -> Response:
        return Response({"count": 0, "next": None, "previous": None, "results": []})


class Organizations(EmptyList):
    title = "Organizations"

    def post(self, request: Request) -> Response:
        raise NotWritable


class WorkflowApprovals(EmptyList):
    title = "Workflow Approvals"
