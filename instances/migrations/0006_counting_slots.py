"""Writers keep the figures of nodes and groups by adding to rows of their own, and the numbers of jobs as well.

A statement that changes jobs adds what it changed to the rows of its transaction's slot, a place that no other
transaction has at that moment (an advisory lock, which is tried and never waited for). So writers neither wait for each
other nor deadlock, and a node has as many rows as there ever were writers at once. The rows are updated in place:
nothing but the next update has to clean up after them. Before, every statement inserted rows, which others removed
again. See docs/adr/0001-counters.md.
"""

from importlib import import_module

from django.db import migrations, models

import instances.models.fields

counters = import_module("instances.migrations.0002_job_counters")
baseline = import_module("instances.migrations.0005_load_baseline")

LOCK = 5_733_285  # the first key of the advisory locks; the second is the slot

# What each job, new (sign 1) or gone (-1), adds; "active" is its sign where it runs or waits.
CHANGES = """
    SELECT {sign} AS sign, CASE WHEN status IN ('running', 'waiting') THEN {sign} ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM {rows}
"""
# What "changes" add up to.
OF_NODES = """
    SELECT node, sum(total) AS jobs_total, sum(running) AS jobs_running, sum(impact)::bigint AS impact,
           sum(controlled) AS jobs_controlled
    FROM (
        SELECT execution_node AS node, sign AS total, active AS running, active * task_impact::bigint AS impact,
               0 AS controlled
        FROM changes WHERE execution_node <> ''
        UNION ALL
        SELECT controller_node, 0, 0, 0, active FROM changes WHERE controller_node <> '' AND active <> 0
    ) AS parts
    GROUP BY node
    HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0
"""
OF_GROUPS = """
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0
"""
OF_KINDS = """
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0
"""
# For each table: its keys and figures with their types, and what they are.
TABLES = {
    "nodeload": (
        {"node": "varchar"},
        {"jobs_total": "bigint", "jobs_running": "bigint", "impact": "bigint", "jobs_controlled": "bigint"},
        OF_NODES,
    ),
    "groupload": (
        {'"group"': "bigint"},
        {"jobs_total": "bigint", "jobs_running": "bigint", "impact": "bigint"},
        OF_GROUPS,
    ),
    "jobcount": ({"node": "varchar", "status": "varchar", "launch_type": "varchar"}, {"jobs": "bigint"}, OF_KINDS),
}

# The lowest slot that is free, until the transaction ends. Where a transaction sees no rows younger than itself, it
# could not change those of whoever had the slot before: it has a slot which only its own connection uses.
SLOT = f"""
CREATE FUNCTION instances_counting_slot() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    slot integer := 0;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        slot := -pg_backend_pid();
        PERFORM pg_try_advisory_xact_lock({LOCK}, slot);
        RETURN slot;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock({LOCK}, slot) LOOP
        slot := slot + 1;
    END LOOP;
    RETURN slot;
END $$;
"""

TRIGGER = """
CREATE FUNCTION instances_jobs_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine integer := instances_counting_slot();
BEGIN
    WITH changes AS MATERIALIZED ({changes}),
    of_nodes AS ({of_nodes}),
    of_groups AS ({of_groups})
    {of_kinds};
    RETURN NULL;
END $$;
CREATE TRIGGER instances_jobs_{event} AFTER {event} ON instances_unifiedjob
REFERENCING {transition} FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_{event}();
"""
EVENTS = {
    "insert": ({"new_rows": 1}, "NEW TABLE AS new_rows"),
    "delete": ({"old_rows": -1}, "OLD TABLE AS old_rows"),
    "update": ({"new_rows": 1, "old_rows": -1}, "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
}

# Brings the rows of all slots that are free into one. It locks the jobs as a writer does, so that either it or a TRUNCATE has to wait before it has touched any row.
FOLD = f"""
CREATE FUNCTION instances_fold_loads() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mine integer;
    free integer[];
BEGIN
    LOCK TABLE instances_unifiedjob IN ROW EXCLUSIVE MODE;
    mine := instances_counting_slot();
    WITH slots AS MATERIALIZED ({{slots}})
    SELECT array_agg(slot) INTO free FROM slots WHERE pg_try_advisory_xact_lock({LOCK}, slot);
    {{folds}}
END $$;
"""

TRUNCATE = """
CREATE FUNCTION instances_jobs_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM instances_nodeload WHERE NOT baseline;
    DELETE FROM instances_groupload WHERE NOT baseline;
    DELETE FROM instances_jobcount;
    RETURN NULL;
END $$;
CREATE TRIGGER instances_jobs_truncate AFTER TRUNCATE ON instances_unifiedjob
FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_truncate();
"""

# Rows are updated in place while their page has room.
ROOM = "".join(f"ALTER TABLE instances_{table} SET (fillfactor = 50);" for table in TABLES)
FILL = "DELETE FROM instances_nodeload WHERE NOT baseline; DELETE FROM instances_groupload WHERE NOT baseline;" + "".join(
    f"INSERT INTO instances_{table} (slot, {names}) SELECT 0, {names} FROM instances_count_{table}();"
    for table, (keys, figures, _) in TABLES.items()
    for names in [", ".join([*keys, *figures])]
)


def recount(table: str) -> str:
    """The function that counts all jobs."""
    keys, figures, sums = TABLES[table]
    columns = ", ".join(f"{name} {kind}" for name, kind in (keys | figures).items())
    changes = CHANGES.format(sign=1, rows="instances_unifiedjob")
    return f"""
CREATE FUNCTION instances_count_{table}() RETURNS TABLE ({columns}) LANGUAGE sql STABLE AS $$
    WITH changes AS ({changes}) {sums}
$$;
"""


def addition(table: str) -> str:
    """What adds the changes of a statement to the rows of the slot "mine"."""
    keys, figures, sums = TABLES[table]
    names = ", ".join([*keys, *figures])
    added = ", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in figures)
    return f"""
    INSERT INTO instances_{table} AS kept (slot, {names})
    SELECT mine, {names} FROM ({sums}) AS sums
    ON CONFLICT ({", ".join(keys)}, slot) DO UPDATE SET {added}"""


def trigger(event: str) -> str:
    signs, transition = EVENTS[event]
    changes = "UNION ALL".join(CHANGES.format(sign=sign, rows=rows) for rows, sign in signs.items())
    return TRIGGER.format(
        event=event,
        transition=transition,
        changes=changes,
        of_nodes=addition("nodeload"),
        of_groups=addition("groupload"),
        of_kinds=addition("jobcount"),
    )


def fold(table: str, others: str = "") -> str:
    """What replaces several rows, and ``others``, by their sum; and leaves alone the only ones of their keys."""
    keys, figures, _ = TABLES[table]
    key, names = ", ".join(keys), ", ".join([*keys, *figures])
    sums = ", ".join(f"sum({name})" for name in figures)
    something = " OR ".join(f"sum({name}) <> 0" for name in figures)
    return f"""
    WITH several AS (
        SELECT {key} FROM instances_{table} WHERE slot = ANY (free)
        GROUP BY {key} HAVING count(*) > 1 {others}OR NOT ({something})
    ),
    gone AS (DELETE FROM instances_{table} WHERE slot = ANY (free) AND ({key}) IN (SELECT * FROM several) RETURNING *)
    INSERT INTO instances_{table} (slot, {names})
    SELECT mine, {key}, {sums} FROM gone GROUP BY {key} HAVING {something};"""


SLOTS = " UNION ".join(f"SELECT slot FROM instances_{table} WHERE slot IS NOT NULL" for table in TABLES)


def folding() -> str:
    return FOLD.format(slots=SLOTS, folds="".join(fold(table) for table in TABLES))


def create() -> str:
    return (
        ROOM
        + "".join(recount(table) for table in TABLES)
        + FILL
        + SLOT
        + "".join(trigger(event) for event in EVENTS)
        + folding()
        + TRUNCATE
    )


def drop() -> str:
    events = [*EVENTS, "truncate"]
    return (
        "".join(f"DROP TRIGGER instances_jobs_{event} ON instances_unifiedjob;" for event in events)
        + "".join(f"DROP FUNCTION instances_jobs_{event}();" for event in events)
        + "".join(f"DROP FUNCTION instances_count_{table}();" for table in TABLES)
        + "DROP FUNCTION instances_fold_loads(); DROP FUNCTION instances_counting_slot();"
        + "ALTER TABLE instances_nodeload RESET (fillfactor); ALTER TABLE instances_groupload RESET (fillfactor);"
    )


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0005_load_baseline'),
    ]

    operations = [
        migrations.RunSQL(counters.drop(), counters.create() + baseline.CREATE),
        migrations.CreateModel(
            name='JobCount',
            fields=[
                ('pk', models.CompositePrimaryKey('node', 'status', 'launch_type', 'slot', blank=True, editable=False, primary_key=True, serialize=False)),
                ('node', instances.models.fields.NameField(blank=True, db_collation='mesh_text', default='', max_length=250)),
                ('status', models.CharField(max_length=20)),
                ('launch_type', models.CharField(max_length=20)),
                ('slot', models.IntegerField(help_text='The place of one of the writers that are at work at the same time.')),
                ('jobs', models.BigIntegerField()),
            ],
        ),
        migrations.RemoveIndex(
            model_name='groupload',
            name='load_by_group',
        ),
        migrations.RemoveIndex(
            model_name='nodeload',
            name='load_by_node',
        ),
        migrations.AddField(
            model_name='groupload',
            name='slot',
            field=models.IntegerField(help_text='The place of one of the writers that are at work at the same time. A baseline has none.', null=True),
        ),
        migrations.AddField(
            model_name='nodeload',
            name='slot',
            field=models.IntegerField(help_text='The place of one of the writers that are at work at the same time. A baseline has none.', null=True),
        ),
        migrations.AddConstraint(
            model_name='groupload',
            constraint=models.UniqueConstraint(fields=('group', 'slot'), name='load_by_group'),
        ),
        migrations.AddConstraint(
            model_name='nodeload',
            constraint=models.UniqueConstraint(fields=('node', 'slot'), name='load_by_node'),
        ),
        migrations.RunSQL(create(), drop()),
    ]
