"""The bodies below /api/fleet/v1/. Unlike AWX's, numbers and texts are what JSON calls so, and nothing is converted."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instances.capacity import CONTROLLING
from instances.health.conditions import REASONS
from instances.health.report import (
    LONGEST_ERRORS,
    LONGEST_UUID,
    LONGEST_VERSION,
    MOST_CPU,
    MOST_MEMORY,
    RUNNER,
    Check,
    NodeReport,
    is_number,
    runner_version,
)
from instances.mirror.left_out import MOST_NAMED
from instances.models import Condition, Instance, MeshInspection, Mirror


class TextField(serializers.CharField):
    """A text; a number is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "number", "exclusiveMinimum": True, "minimum": 0, "maximum": float(MOST_CPU)})
class CoresField(serializers.Field[Any, Any, Any, Any]):
    default_error_messages = {"invalid": f"Must be a number above 0 and at most {MOST_CPU}."}

    def to_internal_value(self, data: Any) -> Decimal:
        if not is_number(data, float(MOST_CPU)):
            self.fail("invalid")
        return Decimal(str(data))


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST_MEMORY})
class BytesField(serializers.Field[Any, Any, Any, Any]):
    default_error_messages = {"invalid": f"Must be an integer above 0 and at most {MOST_MEMORY}."}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or not is_number(data, MOST_MEMORY):
            self.fail("invalid")
        return data


@extend_schema_field(
    {"oneOf": [{"type": "string", "maxLength": LONGEST_ERRORS}, {"type": "array", "items": {"type": "string"}}]}
)
class ErrorsField(TextField):
    """A text, or a list of texts, which become lines of one."""

    default_error_messages = {"invalid": "Must be a string or a list of strings."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, list):
            if not all(isinstance(line, str) for line in data):
                self.fail("invalid")
            data = "\n".join(data)
        return super().run_validation(data)


class ReportSerializer(serializers.Serializer[Any]):
    """What a node tells of itself. Only what is told changes; a node without ``errors`` tells its figures."""

    version = TextField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_VERSION - len(RUNNER),
        help_text="The version of the node's ansible-runner, or of AWX on a control or hybrid node.",
    )
    cpu = CoresField(required=False, help_text="CPUs.")
    memory = BytesField(required=False, help_text="Memory in bytes.")
    uuid = TextField(required=False, allow_blank=True, max_length=LONGEST_UUID, help_text="UUID of the node.")
    errors = ErrorsField(  # type: ignore[assignment] # DRF takes the fields out of the class
        required=False, allow_blank=True, max_length=LONGEST_ERRORS, help_text="Why the node cannot run jobs."
    )

    def validate(self, told: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in ("cpu", "memory") if not told.get(name)]
        if missing and not told.get("errors"):
            raise serializers.ValidationError({name: self.fields[name].error_messages["required"] for name in missing})
        return told

    def report(self, instance: Instance) -> NodeReport:
        """What was told, as a report of ``instance``. Only once it is valid."""
        told = self.validated_data
        version = told.get("version", "")
        return NodeReport(
            version=version if instance.node_type in CONTROLLING else runner_version(version),
            cpu=told.get("cpu", Decimal(0)),
            memory=told.get("memory", 0),
            uuid=told.get("uuid", ""),
            errors=told.get("errors", ""),
            outcome=Check.NODE_ERRORS if told.get("errors") else Check.PASSED,
        )


class ReportedSerializer(serializers.ModelSerializer[Instance]):
    """What became of the instance by its report."""

    health_check_pending = serializers.BooleanField(read_only=True)
    next_report_within = serializers.SerializerMethodField(
        help_text="Seconds until the service expects the next report."
    )

    class Meta:
        model = Instance
        fields = ("hostname", "node_state", "capacity", "health_check_pending", "errors", "next_report_within")
        read_only_fields = fields

    def get_next_report_within(self, instance: Instance) -> int:
        seconds: int = settings.CLUSTER_NODE_HEARTBEAT_PERIOD
        return seconds


class ConditionSerializer(serializers.ModelSerializer[Condition]):
    """One aspect of an instance's health."""

    reason = serializers.ChoiceField(choices=REASONS, read_only=True, help_text="Why, in one word.")

    class Meta:
        model = Condition
        fields = ("type", "status", "reason", "message", "last_transition")
        read_only_fields = fields
        extra_kwargs = {
            "status": {"help_text": "Whether it holds."},
            "message": {"help_text": "Why, in words."},
        }


class ConditionsSerializer(serializers.Serializer[Any]):
    """All of them, in the order of ``Condition.Type``."""

    count = serializers.IntegerField(read_only=True, help_text="How many there are.")
    results = ConditionSerializer(many=True, read_only=True, help_text="The conditions.")


class MeshSerializer(serializers.Serializer[MeshInspection]):
    """The last look at the mesh; ``began`` is null where there was none yet."""

    began = serializers.DateTimeField(read_only=True, allow_null=True, help_text="When it began.")
    seconds = serializers.FloatField(read_only=True, help_text="How long it took.")
    error = serializers.CharField(read_only=True, help_text="Why it failed; empty where it did not.")
    unknown_nodes = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Hostnames on the mesh that no instance has."
    )
    overdue = serializers.BooleanField(read_only=True, help_text="Whether there should have been another since.")


class FleetRootSerializer(serializers.Serializer[Any]):
    """Paths; ``{key}`` stands for an instance's id or hostname."""

    mesh = serializers.CharField(read_only=True, help_text="The last look at the mesh.")
    mirror = serializers.CharField(read_only=True, help_text="The mirror and its last syncs.")
    conditions = serializers.CharField(read_only=True, help_text="The conditions of an instance.")
    report = serializers.CharField(read_only=True, help_text="Where a node reports itself.")


class MirrorPingSerializer(serializers.ModelSerializer[Mirror]):
    """How old the mirror is, and whether that is too old."""

    age = serializers.SerializerMethodField(help_text="Seconds since the moment at which AWX told what is here.")
    oldest = serializers.FloatField(
        read_only=True, allow_null=True, help_text="The age from which on it is stale; null where nothing says so."
    )
    stale = serializers.BooleanField(source="is_stale", read_only=True, help_text="Whether it is too old.")

    class Meta:
        model = Mirror
        fields: tuple[str, ...] = ("age", "oldest", "stale")

    def get_age(self, mirror: Mirror) -> float:
        return round(mirror.age(), 3)


class RecordsOfKindSerializer(serializers.Serializer[Any]):
    """The records of one kind, and what the last sync did to them."""

    total = serializers.IntegerField(help_text="How many there are.")
    new = serializers.IntegerField(help_text="How many it made.")
    changed = serializers.IntegerField(help_text="How many it changed.")
    gone = serializers.IntegerField(help_text="How many it deleted.")


class MirrorSerializer(MirrorPingSerializer):
    """The mirror and its last syncs."""

    seconds = serializers.FloatField(read_only=True, help_text="How long the last sync took.")
    records = serializers.DictField(
        child=RecordsOfKindSerializer(),
        read_only=True,
        help_text="By kind, how many there are and what the last sync did to them.",
    )
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="By kind, how many records AWX has that cannot be held here.",
    )
    left_out_names = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text=f"Which they are, and why: the first {MOST_NAMED} of the last sync, and of the jobs that have ended.",
    )

    class Meta(MirrorPingSerializer.Meta):
        fields = (
            "url",
            "version",
            *MirrorPingSerializer.Meta.fields,
            "began",
            "finished",
            "seconds",
            "every",
            "all_jobs",
            "copied_to",
            "records",
            "left_out",
            "left_out_names",
            "failures",
            "failures_total",
            "failed",
            "failure",
        )
        extra_kwargs = {"failures_total": {"help_text": "Syncs that failed since the mirror began."}}
