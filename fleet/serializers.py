"""The bodies below /api/fleet/v1/. Unlike in AWX's API, values must have the right JSON type and are not converted."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instances.capacity import CONTROLLING
from instances.health.conditions import up_to_date
from instances.health.reasons import REASONS
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
from instances.health.watch import Inspections
from instances.install_bundles import Comparison, fingerprint
from instances.mirror.left_out import MOST_NAMED
from instances.models import Condition, Instance, Mirror

NEVER_INSPECTED: dict[str, Any] = {"began": None, "seconds": 0.0, "error": "", "overdue": False}


class TextField(serializers.CharField):
    """A text. Numbers are not converted to texts."""

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
    """A text, or a list of texts, which are joined as lines."""

    default_error_messages = {"invalid": "Must be a string or a list of strings."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, list):
            if not all(isinstance(line, str) for line in data):
                self.fail("invalid")
            data = "\n".join(data)
        return super().run_validation(data)


class ReportSerializer(serializers.Serializer[Any]):
    """A node's report. Omitted fields stay unchanged; ``cpu`` and ``memory`` are required without ``errors``."""

    version = TextField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_VERSION - len(RUNNER),
        help_text="The version of the node's ansible-runner, or of AWX on a control or hybrid node.",
    )
    cpu = CoresField(required=False, help_text="Number of CPUs.")
    memory = BytesField(required=False, help_text="Memory in bytes.")
    uuid = TextField(required=False, allow_blank=True, max_length=LONGEST_UUID, help_text="UUID of the node.")
    errors = ErrorsField(  # type: ignore[assignment] # DRF takes the fields out of the class
        required=False,
        allow_blank=True,
        max_length=LONGEST_ERRORS,
        help_text="The errors because of which the node cannot run jobs.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in ("cpu", "memory") if not values.get(name)]
        if missing and not values.get("errors"):
            raise serializers.ValidationError({name: self.fields[name].error_messages["required"] for name in missing})
        return values

    def report(self, instance: Instance) -> NodeReport:
        """The validated data as a report of ``instance``. Call ``is_valid()`` first."""
        values = self.validated_data
        version = values.get("version", "")
        return NodeReport(
            version=version if instance.node_type in CONTROLLING else runner_version(version),
            cpu=values.get("cpu", Decimal(0)),
            memory=values.get("memory", 0),
            uuid=values.get("uuid", ""),
            errors=values.get("errors", ""),
            outcome=Check.NODE_ERRORS if values.get("errors") else Check.PASSED,
        )


class ReportedSerializer(serializers.ModelSerializer[Instance]):
    """The state of the instance after its report."""

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

    reason = serializers.ChoiceField(
        choices=REASONS, read_only=True, help_text="The reason for the status, as one word."
    )

    class Meta:
        model = Condition
        fields = ("type", "status", "reason", "message", "last_transition")
        read_only_fields = fields
        extra_kwargs = {
            "status": {"help_text": "Whether the condition is met."},
            "message": {"help_text": "The reason for the status, in words."},
        }


class ConditionsSerializer(serializers.Serializer[Any]):
    """All conditions of an instance, in the order of ``Condition.Type``."""

    count = serializers.IntegerField(read_only=True, help_text="Number of conditions.")
    results = ConditionSerializer(many=True, read_only=True, help_text="The conditions.")


class BundleSerializer(serializers.Serializer[Any]):
    """The last install bundle of a node; status, reason and message are those of the condition BundleCurrent."""

    hostname = serializers.CharField(read_only=True, help_text="The node.")
    made = serializers.DateTimeField(read_only=True, help_text="Time of the download.")
    certificate_expires = serializers.DateTimeField(
        read_only=True, help_text="Time at which the bundle's certificate expires."
    )
    fingerprint = serializers.CharField(
        read_only=True, help_text="SHA-256 of what it was made of; the last line of its group_vars/all.yml has it."
    )
    status = serializers.ChoiceField(
        choices=Condition.Status.choices, read_only=True, help_text="Whether the bundle is up to date."
    )
    reason = serializers.ChoiceField(
        choices=REASONS, read_only=True, help_text="The reason for the status, as one word."
    )
    message = serializers.CharField(read_only=True, help_text="The reason for the status, in words.")
    changed = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="The parts in which a new bundle would differ; `certificate` where it has expired.",
    )


class BundlesSerializer(serializers.Serializer[Any]):
    """The last install bundles of all nodes, by hostname. Control and hybrid nodes have none."""

    count = serializers.IntegerField(read_only=True, help_text="Number of bundles.")
    results = BundleSerializer(many=True, read_only=True, help_text="The bundles.")


def bundle_of(comparison: Comparison) -> dict[str, Any]:
    """What BundleSerializer renders."""
    bundle, found = comparison.bundle, up_to_date(comparison)
    return {
        "hostname": bundle.instance.hostname,
        "made": bundle.made,
        "certificate_expires": bundle.certificate_expires,
        "fingerprint": fingerprint(bundle.parts),
        "status": found.status,
        "reason": found.reason,
        "message": found.message,
        "changed": list(comparison.changed),
    }


class InspectionSerializer(serializers.Serializer[Any]):
    """An inspection of the mesh; ``began`` is null before the first one."""

    began = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Time at which the inspection began.")
    seconds = serializers.FloatField(read_only=True, help_text="Duration of the inspection in seconds.")
    error = serializers.CharField(read_only=True, help_text="The error if the inspection failed; otherwise empty.")
    unknown_nodes = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Hostnames on the mesh that are not registered as instances.",
    )
    overdue = serializers.BooleanField(read_only=True, help_text="Whether the next inspection is overdue.")


class InspectorSerializer(InspectionSerializer):
    """The last inspection by the worker of one control node."""

    inspector = serializers.CharField(read_only=True, help_text="Hostname of the control node.")


class MeshSerializer(InspectionSerializer):
    """The last inspection of the mesh, and that of each control node.

    The former is that of the first control node, by name, whose inspections work; only if those of none do, it has an
    error. Its ``unknown_nodes`` are those of all whose inspections work.
    """

    inspectors = InspectorSerializer(
        many=True, read_only=True, help_text="The last inspection of each control node, by hostname."
    )


def mesh_of(found: Inspections) -> dict[str, Any]:
    """What MeshSerializer renders."""
    first = found.first
    figures = {name: getattr(first, name) for name in NEVER_INSPECTED} if first else NEVER_INSPECTED
    return {**figures, "unknown_nodes": found.unknown_nodes, "inspectors": found.each}


class FleetRootSerializer(serializers.Serializer[Any]):
    """Paths; ``{key}`` stands for an instance's id or hostname."""

    bundles = serializers.CharField(read_only=True, help_text="The last install bundles of all nodes.")
    drains = serializers.CharField(read_only=True, help_text="The drains of all instances.")
    fit = serializers.CharField(read_only=True, help_text="Whether a job would run, and why not.")
    mesh = serializers.CharField(read_only=True, help_text="The last inspection of the mesh.")
    mesh_risk = serializers.CharField(read_only=True, help_text="Where the mesh would break.")
    metrics = serializers.CharField(read_only=True, help_text="Figures of the fleet for Prometheus.")
    process_metrics = serializers.CharField(
        read_only=True, help_text="Figures of the server's processes for Prometheus."
    )
    mirror = serializers.CharField(read_only=True, help_text="The mirror and its last syncs.")
    what_if = serializers.CharField(read_only=True, help_text="What a change of the mesh would do.")
    conditions = serializers.CharField(read_only=True, help_text="The conditions of an instance.")
    deprovision = serializers.CharField(
        read_only=True, help_text="Path by which an instance is removed, and its removal undone."
    )
    drain = serializers.CharField(read_only=True, help_text="The latest drain of an instance.")
    ping = serializers.CharField(read_only=True, help_text="Whether an instance is up, for load balancers.")
    report = serializers.CharField(read_only=True, help_text="Path to which a node sends its own report.")


class InstancePingSerializer(serializers.Serializer[Any]):
    """Whether an instance is up."""

    up = serializers.BooleanField(read_only=True, help_text="Whether the instance exists, is ready and is enabled.")


class MirrorPingSerializer(serializers.ModelSerializer[Mirror]):
    """The age of the mirror, and whether it is stale."""

    age = serializers.SerializerMethodField(help_text="Age of the mirrored data in seconds.")
    oldest = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="The age in seconds from which on the mirror is stale; null without such a limit.",
    )
    stale = serializers.BooleanField(
        source="is_stale", read_only=True, help_text="Whether the mirrored data are too old."
    )

    class Meta:
        model = Mirror
        fields: tuple[str, ...] = ("age", "oldest", "stale")

    def get_age(self, mirror: Mirror) -> float:
        return round(mirror.age(), 3)


class RecordsOfKindSerializer(serializers.Serializer[Any]):
    """Numbers of records of one kind in the last sync."""

    total = serializers.IntegerField(help_text="Records after the sync.")
    new = serializers.IntegerField(help_text="Records that the sync created.")
    changed = serializers.IntegerField(help_text="Records that the sync changed.")
    gone = serializers.IntegerField(help_text="Records that the sync deleted.")


class MirrorSerializer(MirrorPingSerializer):
    """The mirror and its last syncs."""

    spoken_version = serializers.SerializerMethodField(help_text="The version of AWX that this service speaks as.")
    seconds = serializers.FloatField(read_only=True, help_text="Duration of the last sync in seconds.")
    records = serializers.DictField(
        child=RecordsOfKindSerializer(),
        read_only=True,
        help_text="Numbers of records in the last sync, by kind.",
    )
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="Numbers of the AWX's records that are left out here, by kind.",
    )
    left_out_names = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text=f"The records left out, with reasons: the first {MOST_NAMED} of the last sync, and of ended jobs.",
    )

    class Meta(MirrorPingSerializer.Meta):
        fields = (
            "url",
            "version",
            "spoken_version",
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

    def get_spoken_version(self, mirror: Mirror) -> str:
        return str(settings.AWX_VERSION)
