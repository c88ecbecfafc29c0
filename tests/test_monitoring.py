"""docs/monitoring/: the dashboard, alerts and scrape configuration fit what the service exposes."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from awx_compat import buffered
from awx_compat.process_metrics import ProcessMetrics
from instances.models import Instance, InstanceGroup, InstanceLink, Mirror, User
from tests.conftest import client_of
from tests.make import make_jobs, make_link, make_node, record_bundle
from tests.promtool import needs_prometheus, promtool
from tests.service import PROJECT

FOLDER = PROJECT / "docs" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
SCRAPES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
PROMETHEUS_LABELS = {"job", "instance"}  # that Prometheus adds


def expressions() -> list[str]:
    """All of PromQL in the dashboard and the alerts."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(rule["expr"] for rule in ALERTS.values())]


def named_metrics(text: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics of the service in an expression, each with its matchers: label, operator, value."""
    named = re.findall(r'(?<!")\b(awx_\w+)(?:\{(.*?)\})?', text)
    return [(name, re.findall(r'(\w+)(=~|!~|!=|=)"(.*?)"', matchers)) for name, matchers in named]


@pytest.fixture
def exposed(admin: User, measured: ProcessMetrics) -> dict[str, dict[str, set[str]]]:
    """The labels of each metric with their values, of a service that has all of them."""
    now = timezone.now()
    for state in Instance.NodeState.values:
        node = make_node(f"node-{state}", node_state=state, node_type="execution", last_seen=now)
        record_bundle(node)
        InstanceGroup.objects.create(name=f"group-{state}").instances.add(node)
    make_link(*Instance.objects.order_by("pk")[:2], link_state=InstanceLink.State.ESTABLISHED)
    make_jobs(1, execution_node="node-ready", status="running")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    measured.observe("GET", "api/v2/instances/<key>/", 200, 0.5)
    measured.sample(buffered.Application(lambda *request: [], threads=1).pools)
    client = client_of(admin)
    texts = [scrape(client, config) for config in SCRAPES]
    Mirror.objects.create(url="https://awx.example.org", began=now, finished=now)
    texts += [scrape(client, config) for config in SCRAPES]
    found: dict[str, dict[str, set[str]]] = {}
    for family in itertools.chain(*map(text_string_to_metric_families, texts)):
        found.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, {})
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def scrape(client: Any, config: dict[str, Any]) -> str:
    answer = client.get(config["metrics_path"])
    assert answer.status_code == 200
    return str(answer.content.decode())


# Of these labels tests and dashboards may have any value.
FREE = {"job", "instance", "hostname", "group", "route"}


@pytest.mark.django_db
def test_dashboard_and_alerts_name_metrics_labels_and_values_that_exist(
    exposed: dict[str, dict[str, set[str]]],
) -> None:
    series = [each["series"] for test in TESTS for each in test["input_series"]]
    variables = [variable.get("definition", "") for variable in DASHBOARD["templating"]["list"]]
    named = [each for text in [*expressions(), *series, *variables] for each in named_metrics(text)]
    assert {name for name, _ in named} <= set(exposed)
    matched = {(name, *matcher) for name, matchers in named for matcher in matchers if matcher[0] not in FREE}
    for name, label, operator, value in matched:
        values = value.split("|") if "~" in operator else [value]
        assert set(values) <= exposed[name][label], (name, label, value)
    assert len(matched) > 20


@pytest.mark.django_db
def test_labels_in_legends_and_summaries_exist(exposed: dict[str, dict[str, set[str]]]) -> None:
    texts = [
        (target["expr"], target["legendFormat"], r"\{\{(\w+)\}\}")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        if "legendFormat" in target
    ]
    texts += [(rule["expr"], rule["annotations"]["summary"], r"\$labels\.(\w+)") for rule in ALERTS.values()]
    for expr, text, pattern in texts:
        known = set().union(PROMETHEUS_LABELS, *(exposed.get(name, {}) for name, _ in named_metrics(expr)))
        assert set(re.findall(pattern, text)) <= known, text


def test_panels_are_whole_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    sources = {json.dumps(each["datasource"]) for panel in panels for each in [panel, *panel["targets"]]}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def test_every_alert_has_a_severity_a_summary_and_a_test() -> None:
    assert len(ALERTS) == sum(len(group["rules"]) for group in GROUPS)
    for rule in ALERTS.values():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"].endswith(".")
    tested = [each for test in TESTS for each in test["alert_rule_test"]]
    assert {each["alertname"] for each in tested if each["exp_alerts"]} == set(ALERTS)
    quiet = {each["alertname"] for each in tested if not each["exp_alerts"]}
    assert {name for name, rule in ALERTS.items() if "for" in rule} <= quiet


@needs_prometheus
def test_promtool_accepts_the_alerts_and_they_fire() -> None:
    assert "SUCCESS" in promtool("check", "rules", FOLDER / "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", FOLDER / "alerts_test.yml")


@needs_prometheus
def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    (tmp_path / "awx.token").write_text("secret")
    for path in FOLDER.glob("*.yml"):
        (tmp_path / path.name).write_text(path.read_text())
    assert "SUCCESS" in promtool("check", "config", tmp_path / "prometheus.yml")


@needs_prometheus
def test_promtool_understands_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{panel['id']}:{target['refId']}", "expr": target["expr"]}
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", tmp_path / "panels.yml")
