"""The jobs of a snapshot: millions of them, so they stream into the database as they are read.

They are staged in a temporary table, checked there, and then written by one statement: the triggers that count
jobs run once a statement, and readers of the jobs wait for nothing.
"""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from instances.snapshot.checks import missing_reference, unknown_ids
from instances.snapshot.columns import Column, clean
from instances.snapshot.content import Content
from instances.snapshot.problems import AT_MOST, Problems, shown
from instances.snapshot.tables import GROUPS, JOB_REPRESENTATION, JOBS

COLUMNS = [column.attname for column in (*JOBS.columns, *JOB_REPRESENTATION)]
NAMES = ", ".join(COLUMNS)
UPDATES = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS if name != "id")

# With the defaults of columns that the next version may have added already, and which are not given here.
STAGE = "CREATE TEMPORARY TABLE staged_job (index bigint, LIKE instances_unifiedjob INCLUDING DEFAULTS)"
COPY = f"COPY staged_job (index, {NAMES}) FROM STDIN"
TWICE = f"SELECT min(index), max(index) FROM staged_job GROUP BY id HAVING count(*) > 1 ORDER BY 1 LIMIT {AT_MOST}"  # noqa: S608
GROUPS_OF_JOBS = "SELECT instance_group_id, min(index) FROM staged_job WHERE instance_group_id IS NOT NULL GROUP BY 1"
WRITE = (
    f"INSERT INTO instances_unifiedjob ({NAMES}) SELECT {NAMES} FROM staged_job "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {UPDATES}"
)


class Jobs:
    """The list ``unified_jobs``, in a table of the current transaction's."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.count = 0
        execute(STAGE)

    def read(self, records: Iterable[Any]) -> None:
        """Stage the records, and add the problems of each of them."""
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for index, record in enumerate(records):
                row = self._row(record, f"unified_jobs[{index}]")
                if len(row) == len(COLUMNS):
                    copy.write_row((index, *row))
                    self.count += 1

    def check(self, content: Content, *, replace: bool) -> None:
        """Add a problem for each id that occurs twice, and for each group that will not exist."""
        for first, last in execute(TWICE):
            self._problems.add(f"unified_jobs[{last}].id", f"is given twice (also unified_jobs[{first}])")
        first_of = dict(execute(GROUPS_OF_JOBS))
        unknown = unknown_ids(set(first_of), content, GROUPS, replace=replace)
        for index, group in sorted((first_of[group], group) for group in unknown):
            self._problems.add(f"unified_jobs[{index}].instance_group", missing_reference(GROUPS.model, group))

    def write(self) -> None:
        """Write the staged jobs, over those with the same ids."""
        execute(WRITE)
        execute("DROP TABLE staged_job")

    def _row(self, record: Any, place: str) -> list[Any]:
        """The job's values in the order of COLUMNS; fewer, if some are invalid."""
        if not isinstance(record, dict):
            self._problems.add(place, f"must be an object, not {shown(record)}")
            return []
        values = job_values(record, JOBS.columns, place, self._problems)
        return [*values.values()]


def job_values(record: dict[str, Any], columns: Iterable[Column], place: str, problems: Problems) -> dict[str, Any]:
    """The values of a job by attname: of ``columns`` from the record itself, the others from its representation."""
    values = clean(record, columns, place, problems)
    representation = record.get("representation")
    if isinstance(representation, dict):
        values |= clean(representation, JOB_REPRESENTATION, f"{place}.representation", problems)
        if values.get("finished") is None and "elapsed" in values:
            values["elapsed"] = 0  # as AWX's column; until the job ends its API shows the time so far
    return values


def execute(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
