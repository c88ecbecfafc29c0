"""Isolated transactions (REPEATABLE READ, SERIALIZABLE) beside a folding, after a TRUNCATE, and in great number.

- A writer waits for its connection's slot, which a folding may hold for a moment; it has no other slot by then that
  somebody could wait for. Before, it went on without, and could meet the folding in the rows.
- A folding empties the slots of isolated connections wholly, at most BATCH of them at a time: each takes a lock, of
  which a server has not many (``max_locks_per_transaction``). It returns whether it found as many, so that there may
  be more.
- TRUNCATE removes jobs that an isolated transaction does not see, but not their figures: there it is an error.
"""

from importlib import import_module

from django.db import migrations

slots = import_module("instances.migrations.0006_counting_slots")

BATCH = 1_000

SLOT = slots.SLOT.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(
    "PERFORM pg_try_advisory_xact_lock", "PERFORM pg_advisory_xact_lock"
)

FOLD = f"""
DROP FUNCTION instances_fold_loads();
CREATE FUNCTION instances_fold_loads() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    mine integer;
    free integer[];
BEGIN
    LOCK TABLE instances_unifiedjob IN ROW EXCLUSIVE MODE;  -- as in 0006
    mine := instances_counting_slot();
    WITH slots AS MATERIALIZED ({{slots}})
    SELECT array_agg(slot) INTO free
    FROM (SELECT slot FROM slots WHERE pg_try_advisory_xact_lock({slots.LOCK}, slot) LIMIT {BATCH}) AS batch;
    {{folds}}
    RETURN coalesce(cardinality(free), 0) = {BATCH};
END $$;
"""

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
"""


def create() -> str:
    ordered = f"{slots.SLOTS} ORDER BY slot DESC"  # those of others than isolated writers first: they are few
    folds = "".join(slots.fold(table, "OR min(slot) < 0 ") for table in slots.TABLES)
    return SLOT + FOLD.format(slots=ordered, folds=folds) + TRUNCATE


def drop() -> str:
    return (
        "DROP FUNCTION instances_fold_loads(); DROP FUNCTION instances_counting_slot();"
        "DROP TRIGGER instances_jobs_truncate ON instances_unifiedjob; DROP FUNCTION instances_jobs_truncate();"
        + slots.SLOT
        + slots.folding()
        + slots.TRUNCATE
    )


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0007_mirror'),
    ]

    operations = [migrations.RunSQL(create(), drop())]
