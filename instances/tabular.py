"""Lists for other programs, as CSV or as JSON: their columns, and their text line by line.

A column whose values have a unit names it: forks of capacity, seconds, times in UTC. Other names are those of AWX.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.overview import state_in_words
from instances.text import escaped

Columns = Mapping[str, Callable[[Any], Any]]

# With these a spreadsheet takes a text for a formula, which could read other cells and files. The last are their wide
# forms.
FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


INSTANCES: dict[str, Callable[[Instance], Any]] = {
    "id": lambda node: node.pk,
    "hostname": lambda node: node.hostname,
    "node_type": lambda node: node.node_type,
    "node_state": lambda node: node.node_state,
    "state": state_in_words,
    "enabled": lambda node: node.enabled,
    "consumed_capacity_forks": lambda node: node.consumed_capacity,
    "percent_used": lambda node: node.percent_used,
    "capacity_forks": lambda node: node.capacity,
    "jobs_running": lambda node: node.load.jobs_running,
    "last_seen_utc": lambda node: utc(node.last_seen),
}
"""Of instances that were read ``with_load()``."""

GROUPS: dict[str, Callable[[InstanceGroup], Any]] = {
    "id": lambda group: group.pk,
    "name": lambda group: group.name,
    "is_container_group": lambda group: group.is_container_group,
    "instances": lambda group: group.members,
    "consumed_capacity_forks": lambda group: group.consumed_capacity,
    "percent_capacity_remaining": lambda group: group.percent_capacity_remaining,
    "capacity_forks": lambda group: group.capacity,
    "jobs_running": lambda group: group.jobs_running,
    "jobs_total": lambda group: group.jobs_total,
    "policy_instance_percentage": lambda group: group.policy_instance_percentage,
    "policy_instance_minimum": lambda group: group.policy_instance_minimum,
}
"""Of groups that were read ``with_load()``. ``instances``: how many are in service."""

JOBS: dict[str, Callable[[UnifiedJob], Any]] = {
    "id": lambda job: job.pk,
    "type": lambda job: job.type,
    "name": lambda job: job.name,
    "status": lambda job: job.status,
    "execution_node": lambda job: job.execution_node,
    "controller_node": lambda job: job.controller_node,
    "instance_group": lambda job: job.instance_group_id,
    "task_impact_forks": lambda job: job.task_impact,
    "created_utc": lambda job: utc(job.created),
    "started_utc": lambda job: utc(job.started),
    "finished_utc": lambda job: utc(job.finished),
    "elapsed_seconds": lambda job: round(job.seconds_running, 3),
}


def csv_lines(columns: Columns, rows: Iterable[Any]) -> Iterator[str]:
    """A line with the names, and one for each row. Control characters are codes, as on a terminal."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value(row)) for value in columns.values()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def cell(value: Any) -> Any:
    """A value of CSV: true and false as in JSON, and an apostrophe before a text that would be a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    return escaped(f"'{value}" if value.startswith(FORMULA) else value)


def json_lines(columns: Columns, rows: Iterable[Any]) -> Iterator[str]:
    """A list with an object for each row, on a line of its own."""
    before = "["
    for row in rows:
        yield f"{before}\n{orjson.dumps({name: value(row) for name, value in columns.items()}).decode()}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


FORMATS: dict[str, Callable[[Columns, Iterable[Any]], Iterator[str]]] = {"csv": csv_lines, "json": json_lines}
