"""Whether a job would run now, where, and why not; ``instances.planning`` has the answer."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import ApiView, ErrorResponse, ErrorSerializer, detail, id_in
from fleet import openapi
from fleet.strict import NumberField, StrictSerializer, TextField
from instances.capacity import IMPACT_BY_HOSTS, MOST_FORKS, task_impact
from instances.models import UnifiedJob
from instances.planning.fit import MOST_COPIES
from instances.planning.fit_on_mesh import fit_of_job, fit_of_workload
from instances.planning.obstacles import Obstacle
from instances.planning.placement import Workload

MOST_GROUPS = 100  # that a request may name
LONGEST_NAME = 250
NO_JOB = "No job has this id."
JOB_IS_MISSING = "Name a job by ?job= and its id, or POST what it would take."
JOB_ALONE = "With ?job= the body must be empty: the job is as AWX has it."


class WorkloadSerializer(StrictSerializer):
    """A job that might be launched: its ``impact``, or the ``forks`` and ``hosts`` from which AWX computes that."""

    impact = NumberField(
        required=False, min_value=1, max_value=MOST_FORKS, help_text="The task impact of a copy, in forks of capacity."
    )
    forks = NumberField(
        required=False, min_value=0, max_value=MOST_FORKS, help_text="Forks of its template; 0 is AWX's default, 5."
    )
    hosts = NumberField(required=False, min_value=0, max_value=MOST_FORKS, help_text="Hosts of its inventory.")
    instance_groups = serializers.ListField(
        child=TextField(max_length=LONGEST_NAME),
        required=False,
        max_length=MOST_GROUPS,
        help_text="Names of the groups, in the order in which they are tried; `default` if there are none.",
    )
    kind = serializers.ChoiceField(
        choices=UnifiedJob.Type.choices, default=UnifiedJob.Type.JOB, help_text="The type of the job."
    )
    count = NumberField(default=1, min_value=1, max_value=MOST_COPIES, help_text="Copies that are to run at once.")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        by_hosts = values.keys() & {"forks", "hosts"}
        if "impact" in values and by_hosts:
            raise serializers.ValidationError({"impact": "Give either this, or forks and hosts."})
        if "impact" not in values and not by_hosts and values["kind"] in IMPACT_BY_HOSTS:
            raise serializers.ValidationError({"impact": "Give this, or forks and hosts."})
        return values

    def workload(self) -> Workload:
        """The validated data as a workload. Call ``is_valid()`` first."""
        values = self.validated_data
        impact = values.get("impact")
        if impact is None:
            impact = task_impact(values["kind"], values.get("forks", 0), values.get("hosts"))
        return Workload(values["kind"], impact)


class ObstacleSerializer(serializers.Serializer[Any]):
    """What is in the way."""

    code = serializers.ChoiceField(choices=Obstacle.Code.choices, help_text="The obstacle, as one word.")
    message = serializers.CharField(help_text="The obstacle in words, with the numbers.")


class NodeFitSerializer(serializers.Serializer[Any]):
    """A node of the group, and whether it could take a copy."""

    hostname = serializers.CharField(help_text="The node.")
    capacity = serializers.IntegerField(help_text="Its capacity in forks.")
    free = serializers.IntegerField(help_text="What of it is free.")
    fits = serializers.BooleanField(help_text="Whether it could take a copy.")
    in_the_way = ObstacleSerializer(many=True, help_text="Why it could not.")


class GroupFitSerializer(serializers.Serializer[Any]):
    """A group, and whether it would take a copy."""

    name = serializers.CharField(help_text="The group.")
    fits = serializers.BooleanField(help_text="Whether it would take a copy.")
    free = serializers.IntegerField(
        allow_null=True, help_text="Forks that it could still take; null for a container group without limit."
    )
    in_the_way = ObstacleSerializer(many=True, help_text="Why it would not.")
    nodes = NodeFitSerializer(many=True, help_text="Its nodes, by hostname.")


class PlaceSerializer(serializers.Serializer[Any]):
    """Copies that go to the same place."""

    instance_group = serializers.CharField(
        allow_null=True, help_text="The group; null for one that the user does not see."
    )
    instance = serializers.CharField(
        allow_null=True, help_text="The node; null in a container group, and for one that the user does not see."
    )
    count = serializers.IntegerField(help_text="Number of copies.")


class FitSerializer(serializers.Serializer[Any]):
    """Whether all copies would run at once, where, and why not. Names that the user does not see are null.

    ``groups`` is as the first copy that does not fit finds it, or as the first of all does if all fit.
    """

    fits = serializers.BooleanField(
        allow_null=True, help_text="Whether all copies would run at once; null for a job that has ended."
    )
    placed = serializers.IntegerField(help_text="Copies that would run.")
    impact = serializers.IntegerField(help_text="The task impact of a copy, in forks of capacity.")
    reason = serializers.CharField(help_text="The answer in words.")
    instance_group = serializers.CharField(allow_null=True, help_text="The group of the first copy.")
    instance = serializers.CharField(
        allow_null=True, help_text="The node that executes the first copy; null in a container group."
    )
    control_node = serializers.CharField(allow_null=True, help_text="The node that controls the first copy.")
    placements = PlaceSerializer(many=True, help_text="Where the copies go.")
    groups = GroupFitSerializer(many=True, help_text="The groups, in the order in which they are tried.")


JOB_MISSING = ErrorResponse("JobMissing", JOB_IS_MISSING, (ErrorSerializer,), detail(JOB_IS_MISSING))
JOB: dict[str, Any] = {"name": "job", "type": OpenApiTypes.INT64, "description": "Id of a job that is stored."}


class FitView(ApiView):
    """Whether a job would run now, where AWX would put it, and what is in the way; changes nothing.

    So a token that may only read may POST, too.
    """

    title = "Fit"
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="fit_retrieve",
        parameters=[OpenApiParameter(**JOB, required=True)],
        responses={200: FitSerializer, 400: JOB_MISSING},
        summary="Why a job waits",
        examples=openapi.response_example(openapi.FIT),
    )
    def get(self, request: Request) -> Response:
        return self.answer_for_job()

    @extend_schema(
        operation_id="fit_create",
        parameters=[OpenApiParameter(**JOB)],
        request=WorkloadSerializer,
        responses={200: FitSerializer},
        summary="Whether a job would run, and why not",
        examples=[*openapi.request_examples(openapi.WORKLOADS), *openapi.response_example(openapi.FIT)],
    )
    def post(self, request: Request) -> Response:
        if "job" in request.query_params:
            if request.data:
                raise ParseError(JOB_ALONE)
            return self.answer_for_job()
        wanted = WorkloadSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        values = wanted.validated_data
        try:
            fit = fit_of_workload(self.reader, wanted.workload(), values["count"], values.get("instance_groups", ()))
        except DomainError as error:
            raise serializers.ValidationError({"instance_groups": error.messages}) from None
        return Response(FitSerializer(fit).data)

    def answer_for_job(self) -> Response:
        job = self.request.query_params.get("job")
        if job is None:
            raise ParseError(JOB_IS_MISSING)
        try:
            fit = fit_of_job(self.reader, id_in(job))
        except UnifiedJob.DoesNotExist:
            raise NotFound(NO_JOB) from None
        return Response(FitSerializer(fit).data)
