"""The database keeps the load of nodes and groups by itself, whoever writes jobs and however.

Triggers run once a statement, over all rows that it changed: bulk SQL and COPY cost little more than without.
They only insert rows, the differences, so that two writers never wait for each other and never deadlock. One
statement in about FOLD_EVERY also replaces the rows of the nodes that it touched by their sum, and passes over rows
that another transaction has locked. See docs/adr/0001-counters.md.
"""

from django.db import migrations

FOLD_EVERY = 16

# What a row of jobs adds to its node, its controller and its group; ``sign`` is -1 for a row that went away.
CHANGES = "SELECT {sign} AS sign, execution_node, controller_node, instance_group_id, task_impact, (status IN ('running', 'waiting'))::int AS active FROM {rows}"
INSERTED = CHANGES.format(sign=1, rows="new_rows")
DELETED = CHANGES.format(sign=-1, rows="old_rows")

COUNT = """
CREATE FUNCTION instances_jobs_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched_nodes text[];
    touched_groups bigint[];
BEGIN
    WITH changes AS ({changes}),
    added AS (
        INSERT INTO instances_nodeload (node, jobs_total, jobs_running, impact, jobs_controlled)
        SELECT node, sum(total), sum(running), sum(impact), sum(controlled)
        FROM (
            SELECT execution_node AS node, sign AS total, sign * active AS running,
                   sign * active * task_impact::bigint AS impact, 0 AS controlled
            FROM changes WHERE execution_node <> ''
            UNION ALL
            SELECT controller_node, 0, 0, 0, sign * active FROM changes WHERE controller_node <> '' AND active = 1
        ) parts
        GROUP BY node
        HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0
        RETURNING node
    ),
    added_groups AS (
        INSERT INTO instances_groupload ("group", jobs_total, jobs_running, impact)
        SELECT instance_group_id, sum(sign), sum(sign * active), sum(sign * active * task_impact::bigint)
        FROM changes WHERE instance_group_id IS NOT NULL
        GROUP BY instance_group_id
        HAVING sum(sign) <> 0 OR sum(sign * active) <> 0 OR sum(sign * active * task_impact::bigint) <> 0
        RETURNING "group"
    )
    SELECT (SELECT array_agg(node) FROM added), (SELECT array_agg("group") FROM added_groups)
    INTO touched_nodes, touched_groups;
    IF random() * {fold_every} < 1 THEN
        PERFORM instances_fold_loads(touched_nodes, touched_groups);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER instances_jobs_{event} AFTER {event} ON instances_unifiedjob
REFERENCING {transition} FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_{event}();
"""

FOLD = """
CREATE FUNCTION instances_fold_loads(nodes text[], groups bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH mine AS (SELECT id FROM instances_nodeload WHERE node = ANY (nodes) FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM instances_nodeload WHERE id IN (SELECT id FROM mine) RETURNING *)
    INSERT INTO instances_nodeload (node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT node, sum(jobs_total), sum(jobs_running), sum(impact), sum(jobs_controlled) FROM gone GROUP BY node
    HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0 OR sum(jobs_controlled) <> 0;

    WITH mine AS (SELECT id FROM instances_groupload WHERE "group" = ANY (groups) FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM instances_groupload WHERE id IN (SELECT id FROM mine) RETURNING *)
    INSERT INTO instances_groupload ("group", jobs_total, jobs_running, impact)
    SELECT "group", sum(jobs_total), sum(jobs_running), sum(impact) FROM gone GROUP BY "group"
    HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0;
$$;
"""

TRUNCATE = """
CREATE FUNCTION instances_jobs_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM instances_nodeload;
    DELETE FROM instances_groupload;
    RETURN NULL;
END $$;
CREATE TRIGGER instances_jobs_truncate AFTER TRUNCATE ON instances_unifiedjob
FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_truncate();
"""

EVENTS = {
    "insert": (INSERTED, "NEW TABLE AS new_rows"),
    "delete": (DELETED, "OLD TABLE AS old_rows"),
    "update": (f"{INSERTED} UNION ALL {DELETED}", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
}


def create() -> str:
    counts = (
        COUNT.format(event=event, changes=changes, transition=transition, fold_every=FOLD_EVERY)
        for event, (changes, transition) in EVENTS.items()
    )
    return FOLD + "".join(counts) + TRUNCATE


def drop() -> str:
    events = [*EVENTS, "truncate"]
    return (
        "".join(f"DROP TRIGGER instances_jobs_{event} ON instances_unifiedjob;" for event in events)
        + "".join(f"DROP FUNCTION instances_jobs_{event}();" for event in events)
        + "DROP FUNCTION instances_fold_loads(text[], bigint[]);"
    )


class Migration(migrations.Migration):
    dependencies = [("instances", "0001_initial")]
    operations = [migrations.RunSQL(create(), drop())]
