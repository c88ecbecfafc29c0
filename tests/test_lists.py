"""Lists as CSV and JSON, by command: what is filtered, with columns that say their unit, safe in a spreadsheet."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.tabular import FORMATS, FORMULA
from instances.text import CONTROL, TURNING, escaped
from tests.make import make_jobs, make_node

Record = dict[str, Any]

SEEN = datetime(2023, 12, 21, 11, 44, 49, 123456, tzinfo=UTC)


def run(command: str, *arguments: str) -> str:
    printed = io.StringIO()
    call_command(command, *arguments, stdout=printed)
    return printed.getvalue()


def listed(command: str, *arguments: str) -> list[Record]:
    """The list as JSON, which has the same rows as in CSV."""
    rows: list[Record] = json.loads(run(command, *arguments, "--format", "json"))
    texts = list(csv.DictReader(io.StringIO(run(command, *arguments, "--format", "csv"))))
    assert texts == [{name: as_text(value) for name, value in row.items()} for row in rows]
    return rows


def as_text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@pytest.fixture
def mesh(db: None) -> InstanceGroup:
    """Two groups, an execution node with a job in one of them, a hop node, and a node that was lost."""
    node = make_node("exec-2", node_type="execution", capacity=40, last_seen=SEEN)
    make_node("hop-1", node_type="hop", capacity=0)
    make_node("exec-10", node_type="execution", node_state="unavailable", capacity=0, enabled=False)
    edge: InstanceGroup = InstanceGroup.objects.create(name="edge", policy_instance_percentage=10)
    edge.instances.add(node)
    InstanceGroup.objects.create(name="pods", is_container_group=True, max_forks=7)
    make_jobs(1, first=5, status="running", execution_node="exec-2", instance_group=edge, task_impact=3, started=SEEN)
    make_jobs(1, first=6, status="failed", execution_node="exec-10", started=SEEN, finished=SEEN, elapsed="1.500")
    return edge


# --- instances


def test_the_columns_of_an_instance(mesh: InstanceGroup) -> None:
    assert listed("list_instances", "--search", "EXEC-2") == [
        {
            "id": Instance.objects.get(hostname="exec-2").pk,
            "hostname": "exec-2",
            "node_type": "execution",
            "node_state": "ready",
            "state": "Ready",
            "enabled": True,
            "consumed_capacity_forks": 3,
            "percent_used": 7.5,
            "capacity_forks": 40,
            "jobs_running": 1,
            "last_seen_utc": "2023-12-21T11:44:49Z",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ["exec-2", "exec-10", "hop-1"]),
        ("--sort -node", ["hop-1", "exec-10", "exec-2"]),
        ("--sort=-capacity", ["exec-2", "exec-10", "hop-1"]),
        ("--sort state", ["exec-10", "exec-2", "hop-1"]),
        ("--type hop", ["hop-1"]),
        ("--state fault", ["exec-10"]),
        ("--state state-ready", ["exec-2", "hop-1"]),
        ("--group edge", ["exec-2"]),
        ("--group pods", []),
        ("--search exec --type execution --state ready --group edge", ["exec-2"]),
    ],
)
def test_the_filters_and_orders_of_instances(arguments: str, expected: list[str], mesh: InstanceGroup) -> None:
    arguments = arguments.replace("--sort -", "--sort=-")
    assert [row["hostname"] for row in listed("list_instances", *arguments.split())] == expected


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("--type hop", ["[ungrouped]", "hop-1"]),
        ("--group edge", ["[edge", "exec-2"]),
        ("--search exec", ["[edge", "exec-2", "[ungrouped]", "[DISABLED]"]),
        ("--group pods --type hop", []),
    ],
)
def test_the_table_by_group_has_what_is_filtered(arguments: str, names: list[str], mesh: InstanceGroup) -> None:
    printed = run("list_instances", *arguments.split())
    assert [line.split()[0] for line in printed.splitlines() if line] == names


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("list_instances", ["--group", "nobody"], "No group is named nobody."),
        ("list_jobs", ["--group", "nobody"], "No group is named nobody."),
        ("list_instances", ["--sort", "node"], "--sort is for the formats csv and json."),
        ("list_instances", ["--state", "odd"], "Error: argument --state: invalid choice: 'odd'"),
        ("list_groups", ["--format", "xml"], "Error: argument --format: invalid choice: 'xml'"),
    ],
)
def test_what_cannot_be_listed_is_an_error(
    command: str, arguments: list[str], message: str, mesh: InstanceGroup
) -> None:
    with pytest.raises(CommandError) as error:
        run(command, *arguments)
    assert str(error.value).startswith(message)


# --- groups and jobs


def test_the_columns_of_a_group(mesh: InstanceGroup) -> None:
    edge, pods = listed("list_groups")
    assert edge == {
        "id": mesh.pk,
        "name": "edge",
        "is_container_group": False,
        "instances": 1,
        "consumed_capacity_forks": 3,
        "percent_capacity_remaining": 92.5,
        "capacity_forks": 40,
        "jobs_running": 1,
        "jobs_total": 1,
        "policy_instance_percentage": 10,
        "policy_instance_minimum": 0,
    }
    assert (pods["name"], pods["capacity_forks"]) == ("pods", 7)
    assert listed("list_groups", "--search", "DG") == [edge]


def test_the_columns_of_a_job(mesh: InstanceGroup) -> None:
    UnifiedJob.objects.update(created=SEEN)
    (failed,) = listed("list_jobs", "--status", "failed", "successful")
    assert failed == {
        "id": 6,
        "type": "job",
        "name": "",
        "status": "failed",
        "execution_node": "exec-10",
        "controller_node": "",
        "instance_group": None,
        "task_impact_forks": 1,
        "created_utc": "2023-12-21T11:44:49Z",
        "started_utc": "2023-12-21T11:44:49Z",
        "finished_utc": "2023-12-21T11:44:49Z",
        "elapsed_seconds": 1.5,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [5, 6]),
        (["--node", "exec-2"], [5]),
        (["--group", "edge"], [5]),
        (["--status", "running", "--node", "exec-10"], []),
    ],
)
def test_the_filters_of_jobs(arguments: list[str], expected: list[int], mesh: InstanceGroup) -> None:
    UnifiedJob.objects.update(started=None)  # so that no time passes between two lists
    assert [row["id"] for row in listed("list_jobs", *arguments)] == expected


@pytest.mark.parametrize("number", [1, 20])
@pytest.mark.parametrize(("command", "queries"), [("list_instances", 1), ("list_groups", 1), ("list_jobs", 1)])
def test_a_list_costs_one_query(
    command: str, queries: int, number: int, mesh: InstanceGroup, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for each in range(number):
        InstanceGroup.objects.create(name=f"group-{each}").instances.add(make_node(f"node-{each}"))
    make_jobs(number, execution_node="exec-2", instance_group=mesh)
    with django_assert_num_queries(queries):
        run(command, "--format", "csv")


# --- the text

COLUMNS = {"value": lambda value: value, "again": lambda value: value}


def csv_rows(values: list[Any]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(FORMATS["csv"](COLUMNS, values)), newline="")))


@pytest.mark.parametrize("beginning", FORMULA)
def test_no_text_is_a_formula(beginning: str) -> None:
    text = f'{beginning}HYPERLINK("https://example.org", A1)'
    assert csv_rows([text])[1] == [f"'{text}"] * 2
    assert json.loads("".join(FORMATS["json"](COLUMNS, [text])))[0]["value"] == text


def test_numbers_are_numbers() -> None:
    assert csv_rows([-5, -0.25, True, None, "-5"]) == [
        ["value", "again"],
        ["-5", "-5"],
        ["-0.25", "-0.25"],
        ["true", "true"],
        ["", ""],
        ["'-5", "'-5"],
    ]


def test_an_empty_list_has_its_columns() -> None:
    assert "".join(FORMATS["csv"](COLUMNS, [])) == "value,again\n"
    assert "".join(FORMATS["json"](COLUMNS, [])) == "[]\n"


texts = st.text(st.characters(codec="utf-8")) | st.sampled_from(['"', ",", "a\nb", "\u202ea", "\x1b[31m", "é😀"])


@given(st.lists(texts))
def test_any_text_is_read_again(values: list[str]) -> None:
    """As JSON has it, and in CSV with the codes of what could deceive."""
    assert [row["again"] for row in json.loads("".join(FORMATS["json"](COLUMNS, values)))] == values
    assert [row[1].removeprefix("'") for row in csv_rows(values)[1:]] == [
        escaped(value).removeprefix("'") for value in values
    ]
    written = "".join(FORMATS["csv"](COLUMNS, values))
    assert not CONTROL.search(written)
    assert not TURNING.search(written)
    assert not any(cell.startswith(FORMULA) for row in csv_rows(values) for cell in row)
