"""Draining nodes over the API; ``instances.drains`` has the rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import (
    ChangesNeedSuperuser,
    Conflict,
    ErrorResponse,
    ErrorSerializer,
    ListView,
    OfInstance,
    detail,
)
from fleet import openapi
from fleet.strict import StrictSerializer, TextField
from instances import drains
from instances.models import Drain, Instance, UnifiedJob
from instances.models.fields import HIGHEST_ID

MOST_AT_ONCE = 100  # nodes in one request
MOST_JOBS = 100  # of a node, that are named
FORCED_WITHOUT_REASON = "A forced drain needs a reason, and a reason to force it needs force."
REFUSED = ErrorResponse(
    "DrainRefused",
    "A node is being drained or deprovisioned already, or others need it and the drain is not forced.",
    (ErrorSerializer,),
    detail("The group edge would keep 1 of the 2 enabled nodes that it needs."),
)
NOT_DRAINING = ErrorResponse("NotDraining", drains.NOT_DRAINING, (ErrorSerializer,), detail(drains.NOT_DRAINING))


# --- requests


class DrainPlanSerializer(StrictSerializer):
    """A drain to begin."""

    reason = TextField(max_length=drains.LONGEST_REASON, help_text="Why the node is drained.")
    then = serializers.ChoiceField(
        choices=Drain.Then.choices, default=Drain.Then.STAY, help_text="The next step, once no job is left."
    )
    deadline = serializers.DateTimeField(
        allow_null=True, default=None, help_text="When its jobs should have ended; null without a deadline."
    )
    force = serializers.BooleanField(
        default=False,
        help_text="Drain it although others need it, and do the next step after the deadline though jobs remain.",
    )
    force_reason = TextField(
        max_length=drains.LONGEST_REASON,
        allow_blank=True,
        default="",
        help_text="Why it is forced; required with `force`.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if values["force"] != bool(values["force_reason"]):
            raise serializers.ValidationError({"force_reason": FORCED_WITHOUT_REASON})
        return values

    def plan(self) -> drains.DrainPlan:
        """The validated data as a plan. Call ``is_valid()`` first."""
        names = ("reason", "then", "deadline", "force_reason")
        return drains.DrainPlan(**{name: self.validated_data[name] for name in names})


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}]})
class NodeKeyField(serializers.Field[Any, Any, Any, Any]):
    """The hostname of an instance, or its id, a number."""

    default_error_messages = {"invalid": "Must be a hostname, or an id as a number."}

    def to_internal_value(self, data: Any) -> str | int:
        is_key = isinstance(data, str) or (isinstance(data, int) and not isinstance(data, bool))
        if not is_key or "\0" in str(data) or (isinstance(data, int) and not 0 < data <= HIGHEST_ID):
            self.fail("invalid")
        key: str | int = data
        return key


class DrainPlansSerializer(DrainPlanSerializer):
    """Drains of several nodes to begin, all or none."""

    instances = serializers.ListField(
        child=NodeKeyField(),
        min_length=1,
        max_length=MOST_AT_ONCE,
        help_text="The nodes: hostnames, or ids as numbers.",
    )

    def validate_instances(self, keys: list[str | int]) -> list[int]:
        """The ids of these instances."""
        ids, names = ([key for key in keys if isinstance(key, kind)] for kind in (int, str))
        found = dict(Instance.objects.filter(Q(pk__in=ids) | Q(hostname__in=names)).values_list("hostname", "pk"))
        missing = [key for key in keys if key not in found and key not in found.values()]
        if missing:
            raise serializers.ValidationError([f"There is no instance {key}." for key in missing])
        return list(found.values())


# --- answers


class EtaSerializer(serializers.Serializer[Any]):
    """When a job will probably have ended, by how long earlier runs of its template took; of several the latest."""

    job = serializers.IntegerField(
        allow_null=True, help_text="The job that it depends on; null without jobs, and for users who see no jobs."
    )
    median = serializers.DateTimeField(
        allow_null=True, help_text="By the median of earlier runs; null where it is not known."
    )
    p90 = serializers.DateTimeField(allow_null=True, help_text="By their 90th percentile; null where it is not known.")
    basis = serializers.CharField(help_text="What it follows from, or why it is not known.")


class RemainingJobSerializer(serializers.Serializer[Any]):
    """A job that a draining node still has."""

    id = serializers.IntegerField(source="job.pk", help_text="The job.")
    name = serializers.CharField(source="job.name", help_text="Its name.")
    status = serializers.ChoiceField(source="job.status", choices=UnifiedJob.Status.choices, help_text="Its status.")
    started = serializers.DateTimeField(
        source="job.started", allow_null=True, help_text="When it was started; null while it waits."
    )
    eta = EtaSerializer(help_text="When it will probably have ended.")


class DrainSerializer(serializers.ModelSerializer[Drain]):
    """A drain, and what its node still has to do; ``progress`` in the context has the latter of each open drain."""

    requested_by = serializers.CharField(
        source="requested_by_name", read_only=True, help_text="Who requested it; empty where a command did."
    )
    ended_how = serializers.CharField(
        read_only=True, help_text=f"How it ended: {', '.join(Drain.Ending.values)}; empty while it is open."
    )
    ended_by = serializers.CharField(
        source="ended_by_name", read_only=True, help_text="Who undid it; empty where nobody did, or a command."
    )
    overdue = serializers.SerializerMethodField(help_text="Whether it is open after its deadline.")
    forced = serializers.BooleanField(
        source="is_forced", read_only=True, help_text="Whether its next step follows after the deadline in any case."
    )
    awx_error = serializers.SerializerMethodField(
        help_text="Why the mirrored AWX was not given it at the last attempt; empty where that did not fail, and for "
        "users who do not see the state of the mirror."
    )
    jobs_remaining = serializers.SerializerMethodField(
        help_text="How many jobs the node still has; null once the drain has ended."
    )
    jobs = serializers.SerializerMethodField(
        help_text=f"The first {MOST_JOBS} of them. Only superusers and auditors see them."
    )
    eta = serializers.SerializerMethodField(
        help_text="When the last will probably have ended; null for an ended drain."
    )

    class Meta:
        model = Drain
        fields = (
            *("id", "instance", "hostname", "reason", "requested_by", "began", "deadline", "overdue", "then"),
            *("forced", "force_reason", "drained_at", "ended_at", "ended_how", "ended_by"),
            *("pending_enabled", "awx_error", "jobs_remaining", "jobs", "eta"),
        )
        read_only_fields = fields
        extra_kwargs = {"instance": {"help_text": "The id of the node; null once it is gone."}}

    def get_overdue(self, drain: Drain) -> bool:
        return drain.is_overdue(timezone.now())

    def get_awx_error(self, drain: Drain) -> str:
        return drain.awx_error if self.context["sees_everything"] else ""

    def get_jobs_remaining(self, drain: Drain) -> int | None:
        progress = self.context["progress"].get(drain.pk)
        return None if progress is None else len(progress.jobs)

    @extend_schema_field(RemainingJobSerializer(many=True))
    def get_jobs(self, drain: Drain) -> Any:
        progress = self.context["progress"].get(drain.pk)
        if progress is None or not self.context["sees_everything"]:
            return []
        jobs = [{"job": job, "eta": estimate} for job, estimate in progress.jobs[:MOST_JOBS]]
        return RemainingJobSerializer(jobs, many=True).data

    @extend_schema_field(EtaSerializer(allow_null=True))
    def get_eta(self, drain: Drain) -> Any:
        progress = self.context["progress"].get(drain.pk)
        if progress is None:
            return None
        eta = progress.eta if self.context["sees_everything"] else replace(progress.eta, job=None)
        return EtaSerializer(eta).data


class DrainsBegunSerializer(serializers.Serializer[Any]):
    """The drains that were begun."""

    count = serializers.IntegerField(help_text="Number of drains.")
    results = DrainSerializer(many=True, help_text="The drains.")


def rendered(found: list[Drain], reader: Any) -> list[Any]:
    """The bodies of drains that were read ``with_jobs()``."""
    context = {"progress": drains.progress_of(found), "sees_everything": reader.sees_everything}
    return list(DrainSerializer(found, many=True, context=context).data)


@contextmanager
def translate_refusals() -> Iterator[None]:
    """Context manager: raises the API's errors for those of the domain."""
    try:
        yield
    except drains.DrainRefusedError as error:
        raise Conflict(str(error)) from None
    except ValidationError as error:
        raise serializers.ValidationError(serializers.as_serializer_error(error)) from None


# --- views


class InstanceDrain(OfInstance):
    """The latest drain of an instance. POST begins one; DELETE undoes it while it is open."""

    title = "Instance Drain"
    permission_classes = [ChangesNeedSuperuser]

    @extend_schema(
        responses={200: DrainSerializer, 404: NOT_DRAINING},
        summary="The latest drain of an instance",
        examples=openapi.response_example(openapi.DRAIN),
    )
    def get(self, request: Request, key: str) -> Response:
        drain = Drain.objects.with_jobs().of_present_nodes().filter(instance=self.instance).order_by("-pk").first()
        if drain is None:
            raise NotFound(drains.NOT_DRAINING)
        return self.answer(drain)

    @extend_schema(
        request=DrainPlanSerializer,
        responses={201: DrainSerializer, 409: REFUSED},
        summary="Take a node out of service",
        examples=[*openapi.request_examples(openapi.DRAIN_PLANS), *openapi.response_example(openapi.DRAIN)],
    )
    def post(self, request: Request, key: str) -> Response:
        plan = DrainPlanSerializer(data=request.data)
        plan.is_valid(raise_exception=True)
        user: Any = request.user
        with translate_refusals():
            (drain,) = drains.begin([self.instance.pk], plan.plan(), user)
        return self.answer(drain, status=201, headers={"Location": request.path})

    @extend_schema(
        responses={200: DrainSerializer, 404: NOT_DRAINING},
        summary="Undo the drain of a node",
        examples=openapi.response_example({**openapi.DRAIN, **openapi.UNDONE}),
    )
    def delete(self, request: Request, key: str) -> Response:
        user: Any = request.user
        try:
            return self.answer(drains.undo(self.instance.pk, user))
        except Drain.DoesNotExist:
            raise NotFound(drains.NOT_DRAINING) from None

    def answer(self, drain: Drain, **kwargs: Any) -> Response:
        return Response(*rendered([drain], self.reader), **kwargs)


def is_true(value: str) -> bool:
    """What a parameter says. Raises ParseError."""
    if value.lower() not in ("true", "false"):
        raise ParseError(f"open must be true or false, not {value}.")
    return value.lower() == "true"


OPEN = OpenApiParameter("open", bool, description="Only drains that have not ended, or only those that have.")
HOSTNAME = {"type": "string", "pattern": r"^[^\x00]*$"}
OF_NODE = OpenApiParameter("hostname", HOSTNAME, description="Only drains of the node with this hostname.")


class Drains(ListView):
    """The drains of all instances, the latest first. POST drains several nodes, all or none."""

    title = "Drains"
    permission_classes = [ChangesNeedSuperuser]
    serializer_class = DrainSerializer
    filter_backends = ()

    def get_queryset(self) -> Any:
        found = Drain.objects.with_jobs().visible_to(self.reader).order_by("-pk")
        query = self.request.query_params
        if "open" in query:
            found = found.open() if is_true(query["open"]) else found.exclude(ended_at=None)
        if "\0" in query.get("hostname", ""):
            raise ParseError("A hostname has no NUL.")
        return found.filter(hostname=query["hostname"]) if "hostname" in query else found

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        listing: Any = self.get_listing()
        page: Any = self.paginate_queryset(listing)
        return self.get_paginated_response(rendered(page, self.reader))

    @extend_schema(parameters=[OPEN, OF_NODE], summary="The drains", examples=openapi.response_example(openapi.DRAIN))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=DrainPlansSerializer,
        responses={201: DrainsBegunSerializer, 409: REFUSED},
        summary="Take several nodes out of service, all or none",
        examples=[*openapi.request_examples(openapi.DRAINS_PLANS), *openapi.response_example(openapi.DRAINS_BEGUN)],
    )
    def post(self, request: Request) -> Response:
        plan = DrainPlansSerializer(data=request.data)
        plan.is_valid(raise_exception=True)
        user: Any = request.user
        with translate_refusals():
            begun = drains.begin(plan.validated_data["instances"], plan.plan(), user)
        body = {"count": len(begun), "results": rendered(begun, self.reader)}
        return Response(body, status=201, headers={"Location": request.path})
