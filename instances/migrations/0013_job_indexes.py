from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes of the largest table, made while jobs are written."""

    atomic = False
    dependencies = [("instances", "0012_mirrored_drains")]
    operations = [
        AddIndexConcurrently(
            model_name="unifiedjob",
            index=models.Index(
                fields=["execution_node"],
                condition=models.Q(status__in=["running", "waiting"]),
                name="active_job_by_execution_node",
            ),
        ),
        AddIndexConcurrently(
            model_name="unifiedjob",
            index=models.Index(
                fields=["unified_job_template", "-finished"],
                condition=models.Q(status="successful", finished__isnull=False),
                name="last_runs_of_template",
            ),
        ),
        AddIndexConcurrently(model_name="unifiedjob", index=models.Index(fields=["finished"], name="job_by_end")),
    ]
