from typing import Any

from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.base import IdField, RecordSerializer
from instances.models import UnifiedJob

# By their path, the kinds of jobs, as a job's own ``url`` has it.
COLLECTIONS_OF_JOBS = {f"{kind}s": kind for kind in UnifiedJob.Type}
NODES = ("execution_node", "controller_node")  # may have been renamed since AWX sent the job


class UnifiedJobSerializer(RecordSerializer):
    """A job of any kind: AWX's record, with ``user_capabilities`` of the reader and the current ``elapsed``.

    The fields declared here are common to all kinds, for OPTIONS; a job also has the fields of its kind.
    """

    collection = "unified_jobs"

    unified_job_template = IdField(read_only=True, label="unified job template")
    execution_environment = IdField(
        read_only=True, help_text=UnifiedJob._meta.get_field("execution_environment").help_text
    )
    launched_by = serializers.ReadOnlyField()
    type = serializers.ChoiceField(choices=UnifiedJob.Type.choices, read_only=True)  # type: ignore[assignment]

    class Meta:
        model = UnifiedJob
        fields = read_only_fields = (
            "id",
            "type",
            "url",
            "related",
            "summary_fields",
            "created",
            "modified",
            "name",
            "description",
            "unified_job_template",
            "launch_type",
            "status",
            "execution_environment",
            "failed",
            "started",
            "finished",
            "canceled_on",
            "elapsed",
            "job_explanation",
            "execution_node",
            "controller_node",
            "launched_by",
            "work_unit_id",
        )
        description = "A job of any kind. A job also has the fields of its kind, as AWX answered them."
        descriptions = {
            "launch_type": "How the job was started.",
            "status": "The status of the job.",
            "failed": "Whether the job failed.",
            "launched_by": "The user, schedule or job that started the job.",
            "unified_job_template": "Id of the job's template.",
        }
        types = {"elapsed": {"type": "number"}, "launched_by": {"type": "object", "additionalProperties": {}}}
        optional = (  # some kinds of jobs have none
            "controller_node",
            "description",
            "execution_environment",
            "execution_node",
            "launched_by",
            "unified_job_template",
        )

    def get_related(self, job: UnifiedJob) -> Any:
        return job.representation.get("related", {})

    def get_summary_fields(self, job: UnifiedJob) -> Any:
        summary = job.representation.get("summary_fields", {})
        if self.reader.is_superuser or "user_capabilities" not in summary:
            return summary
        return {**summary, "user_capabilities": dict.fromkeys(summary["user_capabilities"], False)}

    def to_representation(self, job: UnifiedJob) -> dict[str, Any]:
        data = dict(job.representation)
        if "summary_fields" in data:
            data["summary_fields"] = self.get_summary_fields(job)
        if job.started is not None and job.finished is None:
            data["elapsed"] = job.seconds_running
        for name in NODES:
            if data.get(name):
                data[name] = getattr(job, name)
        return data if paths.root() == paths.ROOT else paths.changed(data, paths.requested)
