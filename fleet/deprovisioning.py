"""Removing a node, at once where need be, and undoing that, over the API; ``instances.removals`` has the rules."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import ChangesNeedSuperuser, Conflict, ErrorResponse, ErrorSerializer, OfInstance, detail
from fleet import openapi
from fleet.strict import StrictSerializer, TextField
from instances import removals

LONGEST_REASON = 500  # characters, as in /admin/
NOT_UNDOABLE = ErrorResponse(
    "NotUndoable",
    "The instance is not being deprovisioned, its removal has begun, or a concurrent change conflicts with this one.",
    (ErrorSerializer,),
    detail(removals.HAS_BEGUN),
)


class RemovalRequestSerializer(StrictSerializer):
    """How a node is to be removed."""

    force = serializers.BooleanField(
        default=False, help_text="Whether it is removed at once, though jobs run; they stay known by its hostname."
    )
    reason = TextField(
        default="",
        allow_blank=True,
        max_length=LONGEST_REASON,
        help_text="Why, for the audit log. Required with `force`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["force"] and not attrs["reason"]:
            raise serializers.ValidationError({"reason": ["A forced removal needs a reason."]})
        return attrs


class RemovalSerializer(serializers.Serializer[Any]):
    """A node that is being removed, or no longer."""

    hostname = serializers.CharField(help_text="The node.")
    node_state = serializers.CharField(
        allow_null=True, help_text="Its state: `deprovisioning`, the one it had before, or null once it is removed."
    )
    active_jobs = serializers.IntegerField(help_text="The number of active jobs that run on it.")


class Deprovisioning(OfInstance):
    """POST removes an execution or hop node once it has no jobs, or at once; DELETE undoes what did not begin."""

    title = "Instance Deprovisioning"
    permission_classes = [ChangesNeedSuperuser]

    @extend_schema(
        request=RemovalRequestSerializer,
        responses={200: RemovalSerializer},
        summary="Remove an execution or hop node, at once or once it has no active jobs",
        examples=[*openapi.request_examples(openapi.REMOVALS), *openapi.response_example(openapi.REMOVAL)],
    )
    def post(self, request: Request, key: str) -> Response:
        body = RemovalRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        act = removals.force if body.validated_data["force"] else removals.request
        try:
            node = act(self.instance.pk, body.validated_data["reason"])
        except ValidationError as error:
            raise serializers.ValidationError({"node_state": error.messages}) from None
        return described(node, None if body.validated_data["force"] else node.node_state)

    @extend_schema(
        request=None,
        responses={200: RemovalSerializer, 409: NOT_UNDOABLE},
        summary="Undo the removal of a node that has not begun",
        examples=openapi.response_example({**openapi.REMOVAL, "node_state": "ready"}),
    )
    def delete(self, request: Request, key: str) -> Response:
        try:
            node = removals.undo(self.instance.pk)
        except removals.RemovalConflictError as error:
            raise Conflict(error.messages[0]) from None
        return described(node, node.node_state)


def described(node: Any, node_state: str | None) -> Response:
    values = {"hostname": node.hostname, "node_state": node_state, "active_jobs": removals.active_jobs(node)}
    return Response(RemovalSerializer(values).data)
