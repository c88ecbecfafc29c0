"""The database counts the jobs of nodes, of groups and of each kind by itself, whoever writes jobs and however.

Every statement that changes jobs runs a trigger once, over all rows that it changed. What these add up to is added to
the rows of a *slot*: a number that no other transaction has at that moment, by an advisory lock. So writers neither
wait for each other nor deadlock, and a node has as many rows as there ever were writers at once; its load is their sum.
Now and then a worker folds the rows of the slots that nobody has into one. Two simpler forms, one row for each node
and one writer at a time, were measured: docs/performance-counters.md. The decision: docs/adr/0001-counters.md.

A baseline, a row without a slot, is none of this: it is what a mirror of an AWX adds.

All statements can be repeated: a database that counted by earlier functions gets these, and its jobs are counted again.
"""

from django.db import migrations

LOCK = 5_733_285  # the first key of the slots' advisory locks; the second is the slot
BATCH = 1_000  # slots that one transaction folds: each takes a lock, of which a server has not many

# --- what is counted

# What each job in {rows} adds, new (sign 1) or gone (-1); "active" is its sign where it runs or waits.
CHANGES = """
    SELECT {sign} AS sign, CASE WHEN status IN ('running', 'waiting') THEN {sign} ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM {rows}
"""
# For each table what "changes" add up to, its keys, and its figures.
SUMS = {
    "nodeload": """
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
""",
    "groupload": """
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0
""",
    "jobcount": """
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0
""",
}
KEYS = {
    "nodeload": {"node": "varchar"},
    "groupload": {'"group"': "bigint"},
    "jobcount": {"node": "varchar", "status": "varchar", "launch_type": "varchar"},
}
FIGURES = {
    "nodeload": ("jobs_total", "jobs_running", "impact", "jobs_controlled"),
    "groupload": ("jobs_total", "jobs_running", "impact"),
    "jobcount": ("jobs",),
}

# --- counting all jobs, which verify_counters does

RECOUNT = """
CREATE OR REPLACE FUNCTION instances_count_{table}() RETURNS TABLE ({columns}) LANGUAGE sql STABLE AS $$
    WITH changes AS ({changes}) {sums}
$$;
"""

# --- counting what a statement changes

# The lowest slot that is free, until the transaction ends. A transaction that sees no rows younger than itself could not
# change those of whoever had the slot before: it has a slot which only its own connection uses, and waits where a
# folding has it for a moment.
SLOT = f"""
CREATE OR REPLACE FUNCTION instances_counting_slot() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    slot integer := 0;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        slot := -pg_backend_pid();
        PERFORM pg_advisory_xact_lock({LOCK}, slot);
        RETURN slot;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock({LOCK}, slot) LOOP
        slot := slot + 1;
    END LOOP;
    RETURN slot;
END $$;
"""
ADD = """
    INSERT INTO instances_{table} AS kept (slot, {names})
    SELECT mine, {names} FROM ({sums}) AS sums
    ON CONFLICT ({keys}, slot) DO UPDATE SET {added}"""
TRIGGER = """
CREATE OR REPLACE FUNCTION instances_jobs_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine integer := instances_counting_slot();
BEGIN
    WITH changes AS MATERIALIZED ({changes}),
    of_nodes AS ({nodeload}),
    of_groups AS ({groupload})
    {jobcount};
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER instances_jobs_{event} AFTER {event} ON instances_unifiedjob
REFERENCING {transition} FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_{event}();
"""
# For each event the signs of the rows that it makes and removes, and how PostgreSQL hands them to the trigger.
EVENTS = {
    "insert": ({"new_rows": 1}, "NEW TABLE AS new_rows"),
    "delete": ({"old_rows": -1}, "OLD TABLE AS old_rows"),
    "update": ({"new_rows": 1, "old_rows": -1}, "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
}
# A TRUNCATE removes jobs that an isolated transaction does not see, but not their figures: there it is an error.
TRUNCATE = """
CREATE OR REPLACE FUNCTION instances_jobs_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = 'jobs can be truncated by a READ COMMITTED transaction only',
            HINT = 'DELETE removes them in any transaction.';
    END IF;
    DELETE FROM instances_nodeload WHERE NOT baseline;
    DELETE FROM instances_groupload WHERE NOT baseline;
    DELETE FROM instances_jobcount;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER instances_jobs_truncate AFTER TRUNCATE ON instances_unifiedjob
FOR EACH STATEMENT EXECUTE FUNCTION instances_jobs_truncate();
"""

# --- folding

# Brings the rows of slots that nobody has into one, those of isolated connections (negative) wholly; returns whether
# there may be more of them. It locks the jobs as a writer does, so that either it or a TRUNCATE has to wait before it
# has touched any row. The slots of usual writers come first: they are few.
FOLD = f"""
CREATE OR REPLACE FUNCTION instances_fold_loads() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    mine integer;
    free integer[];
BEGIN
    LOCK TABLE instances_unifiedjob IN ROW EXCLUSIVE MODE;
    mine := instances_counting_slot();
    WITH slots AS MATERIALIZED (
        SELECT slot FROM instances_nodeload WHERE slot IS NOT NULL
        UNION SELECT slot FROM instances_groupload WHERE slot IS NOT NULL
        UNION SELECT slot FROM instances_jobcount
        ORDER BY slot DESC
    )
    SELECT array_agg(slot) INTO free
    FROM (SELECT slot FROM slots WHERE pg_try_advisory_xact_lock({LOCK}, slot) LIMIT {BATCH}) AS batch;
    {{folds}}
    RETURN coalesce(cardinality(free), 0) = {BATCH};
END $$;
"""
# A key with one row keeps it, unless that is an isolated connection's or counts nothing.
FOLD_TABLE = """
    WITH several AS (
        SELECT {keys} FROM instances_{table} WHERE slot = ANY (free)
        GROUP BY {keys} HAVING count(*) > 1 OR min(slot) < 0 OR NOT ({any})
    ),
    gone AS (DELETE FROM instances_{table} WHERE slot = ANY (free) AND ({keys}) IN (SELECT * FROM several) RETURNING *)
    INSERT INTO instances_{table} (slot, {names})
    SELECT mine, {keys}, {totals} FROM gone GROUP BY {keys} HAVING {any};"""

# --- all of it

# Rows are updated in place while their page has room.
ROOM = "".join(f"ALTER TABLE instances_{table} SET (fillfactor = 50);" for table in SUMS)
# Once the triggers are there, no change passes unseen: making them waits for all writers of jobs, and lets none begin.
FILL = """
DELETE FROM instances_{table} WHERE slot IS NOT NULL;
INSERT INTO instances_{table} (slot, {names}) SELECT 0, {names} FROM instances_count_{table}();
"""


def parts(table: str) -> dict[str, str]:
    """What the texts above say of a table."""
    figures = FIGURES[table]
    return {
        "table": table,
        "sums": SUMS[table],
        "keys": ", ".join(KEYS[table]),
        "names": ", ".join([*KEYS[table], *figures]),
        "columns": ", ".join(f"{name} {kind}" for name, kind in [*KEYS[table].items(), *((f, "bigint") for f in figures)]),
        "added": ", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in figures),
        "totals": ", ".join(f"sum({name})" for name in figures),
        "any": " OR ".join(f"sum({name}) <> 0" for name in figures),
        "changes": CHANGES.format(sign=1, rows="instances_unifiedjob"),
    }


def trigger(event: str) -> str:
    signs, transition = EVENTS[event]
    changes = "UNION ALL".join(CHANGES.format(sign=sign, rows=rows) for rows, sign in signs.items())
    additions = {table: ADD.format(**parts(table)) for table in SUMS}
    return TRIGGER.format(event=event, transition=transition, changes=changes, **additions)


CREATE = "".join(
    [
        ROOM,
        *(RECOUNT.format(**parts(table)) for table in SUMS),
        SLOT,
        *map(trigger, EVENTS),
        TRUNCATE,
        FOLD.format(folds="".join(FOLD_TABLE.format(**parts(table)) for table in SUMS)),
        *(FILL.format(**parts(table)) for table in SUMS),
    ]
)
DROP = "".join(
    [
        *(f"DROP TRIGGER instances_jobs_{event} ON instances_unifiedjob;" for event in (*EVENTS, "truncate")),
        *(f"DROP FUNCTION instances_jobs_{event}();" for event in (*EVENTS, "truncate")),
        *(f"DROP FUNCTION instances_count_{table}();" for table in SUMS),
        "DROP FUNCTION instances_fold_loads(); DROP FUNCTION instances_counting_slot();",
        *(f"ALTER TABLE instances_{table} RESET (fillfactor);" for table in SUMS),
    ]
)


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0003_token_notes'),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
