"""Room for what a mirrored AWX tells beyond the jobs that are kept here: one row more for a node or a group.

These rows, with ``baseline``, are part of the sums that are read. They follow no job, so the functions of migration
0002 neither fold them nor remove them with the jobs.
"""

from django.db import migrations, models

FUNCTIONS = """
CREATE OR REPLACE FUNCTION instances_fold_loads(nodes text[], groups bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH mine AS (SELECT id FROM instances_nodeload WHERE node = ANY (nodes) {and_counted} FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM instances_nodeload WHERE id IN (SELECT id FROM mine) RETURNING *)
    INSERT INTO instances_nodeload (node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT node, sum(jobs_total), sum(jobs_running), sum(impact), sum(jobs_controlled) FROM gone GROUP BY node
    HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0 OR sum(jobs_controlled) <> 0;

    WITH mine AS (SELECT id FROM instances_groupload WHERE "group" = ANY (groups) {and_counted} FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM instances_groupload WHERE id IN (SELECT id FROM mine) RETURNING *)
    INSERT INTO instances_groupload ("group", jobs_total, jobs_running, impact)
    SELECT "group", sum(jobs_total), sum(jobs_running), sum(impact) FROM gone GROUP BY "group"
    HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0;
$$;
CREATE OR REPLACE FUNCTION instances_jobs_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM instances_nodeload {where_counted};
    DELETE FROM instances_groupload {where_counted};
    RETURN NULL;
END $$;
"""
CREATE = FUNCTIONS.format(and_counted="AND NOT baseline", where_counted="WHERE NOT baseline")
REMOVE = (
    "DELETE FROM instances_nodeload WHERE baseline; DELETE FROM instances_groupload WHERE baseline;"
    + FUNCTIONS.format(and_counted="", where_counted="")
)


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0004_health'),
    ]

    operations = [
        migrations.AddField(
            model_name='groupload',
            name='baseline',
            field=models.BooleanField(db_default=False, default=False, help_text='What a mirrored AWX tells beyond the jobs that are kept here.'),
        ),
        migrations.AddField(
            model_name='nodeload',
            name='baseline',
            field=models.BooleanField(db_default=False, default=False, help_text='What a mirrored AWX tells beyond the jobs that are kept here.'),
        ),
        migrations.AddConstraint(
            model_name='groupload',
            constraint=models.UniqueConstraint(condition=models.Q(('baseline', True)), fields=('group',), name='one_baseline_by_group'),
        ),
        migrations.AddConstraint(
            model_name='nodeload',
            constraint=models.UniqueConstraint(condition=models.Q(('baseline', True)), fields=('node',), name='one_baseline_by_node'),
        ),
        migrations.RunSQL(CREATE, REMOVE),
    ]
