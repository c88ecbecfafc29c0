"""Examples of bodies below /api/fleet/v1/ for the OpenAPI document, and the security scheme of node tokens."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample
from prometheus_client.parser import text_string_to_metric_families

from awx_compat.bases import Families, without_families

CONDITIONS = {
    "count": 1,
    "results": [
        {
            "type": "Reachable",
            "status": "False",
            "reason": "CutOff",
            "message": "Cut off by hop-1.example.org.",
            "last_transition": "2023-12-21T11:44:49.250000Z",
        }
    ],
}
BUNDLES = {
    "count": 1,
    "results": [
        {
            "hostname": "exec-1.example.org",
            "made": "2023-12-21T11:44:49.250000Z",
            "certificate_expires": "2033-12-18T11:44:49Z",
            "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "status": "False",
            "reason": "BundleOutdated",
            "message": "The bundle was made 2023-12-21 11:44:49 UTC. The port was not set, and is 27199.",
            "changed": ["port"],
        }
    ],
}
REPORT = {
    "version": "2.3.4",
    "cpu": 16,
    "memory": 68719476736,
    "uuid": "00000000-0000-4000-8000-000000000005",
    "errors": [],
}
REPORTED = {
    "hostname": "exec-1.example.org",
    "node_state": "ready",
    "capacity": 655,
    "health_check_pending": False,
    "errors": "",
    "next_report_within": 60,
}
MIRROR = {
    "url": "https://awx.example.org",
    "version": "23.6.0",
    "spoken_version": "23.6.0",
    "age": 12.204,
    "oldest": 91.5,
    "stale": False,
    "began": "2023-12-21T11:44:49.250000Z",
    "finished": "2023-12-21T11:44:50.750000Z",
    "seconds": 1.5,
    "every": 30.0,
    "all_jobs": False,
    "copied_to": 0,
    "records": {"instances": {"total": 15, "new": 0, "changed": 2, "gone": 0}},
    "left_out": {"instances": 1, "links": 0},
    "left_out_names": [
        'instance 14 ("hop-3.example.org") is left out: listener_port must be between 0 and 65535, not 70000.'
    ],
    "failures": 0,
    "failures_total": 1,
    "failed": "2023-12-20T23:10:00.000000Z",
    "failure": "The AWX did not answer.",
}
INSPECTION = {
    "began": "2023-12-21T11:44:49.250000Z",
    "seconds": 0.31,
    "error": "",
    "unknown_nodes": ["stranger.example.org"],
    "overdue": False,
}
FAILED_INSPECTION = {
    **INSPECTION,
    "seconds": 0.0,
    "error": "Receptor at /run/receptor/receptor.sock fails: Connection refused",
    "unknown_nodes": [],
}
MESH_INSPECTION = {
    **INSPECTION,
    "inspectors": [
        {**FAILED_INSPECTION, "inspector": "control-1.example.org"},
        {**INSPECTION, "inspector": "control-2.example.org"},
    ],
}
LOSS = {"cuts_off": ["exec-1.example.org"], "capacity": 50, "share": 0.25, "jobs_running": 2}
RISK = {
    "nodes": [{"hostname": "hop-1.example.org", **LOSS}],
    "links": [{"source": "exec-1.example.org", "target": "hop-1.example.org", **LOSS}],
    "unreachable": ["exec-9.example.org"],
    "single_path": ["exec-1.example.org"],
    "longest_ways": [["control-1.example.org", "hop-1.example.org", "exec-1.example.org"]],
    "remedy": {"links": [{"source": "exec-1.example.org", "target": "hop-2.example.org"}], "unrepaired": []},
}
WORKLOADS = {
    "twelve runs of a playbook": {"forks": 50, "hosts": 200, "instance_groups": ["edge", "default"], "count": 12},
    "a task impact": {"impact": 51},
}
FIT = {
    "fits": False,
    "placed": 0,
    "impact": 51,
    "reason": "It does not fit now. Group edge: Disabled: 1 of 1 node.",
    "instance_group": None,
    "instance": None,
    "control_node": None,
    "placements": [],
    "groups": [
        {
            "name": "edge",
            "fits": False,
            "free": 0,
            "in_the_way": [{"code": "disabled", "message": "Disabled: 1 of 1 node."}],
            "nodes": [
                {
                    "hostname": "exec-1.example.org",
                    "capacity": 0,
                    "free": 0,
                    "fits": False,
                    "in_the_way": [{"code": "disabled", "message": "It is disabled."}],
                }
            ],
        }
    ],
}
REMOVAL = {"hostname": "exec-1.example.org", "node_state": "deprovisioning", "active_jobs": 3}
REMOVALS = {
    "once its jobs have ended": {"reason": "It is replaced by exec-9."},
    "at once": {"force": True, "reason": "Its machine burned down."},
}
DRAIN_PLANS = {
    "with a deadline": {
        "reason": "Replace the disk.",
        "then": "enable",
        "deadline": "2023-12-21T13:00:00Z",
        "force": False,
        "force_reason": "",
    },
    "no longer needed": {"reason": "The site closes.", "then": "deprovision"},
}
DRAINS_PLANS = {"two nodes": {"instances": ["exec-1.example.org", 7], "reason": "Upgrade the rack."}}
ETA = {
    "job": 42,
    "median": "2023-12-21T11:51:10Z",
    "p90": "2023-12-21T12:03:40Z",
    "basis": "median and p90 of 57 earlier runs of the same template",
}
DRAIN = {
    "id": 3,
    "instance": 5,
    "hostname": "exec-1.example.org",
    "reason": "Replace the disk.",
    "requested_by": "admin",
    "began": "2023-12-21T11:44:49.250000Z",
    "deadline": "2023-12-21T13:00:00Z",
    "overdue": False,
    "then": "enable",
    "forced": False,
    "force_reason": "",
    "drained_at": None,
    "ended_at": None,
    "ended_how": "",
    "ended_by": "",
    "pending_enabled": None,
    "awx_error": "",
    "jobs_remaining": 1,
    "jobs": [
        {"id": 42, "name": "Deploy", "status": "running", "started": "2023-12-21T11:41:10.500000Z", "eta": ETA},
    ],
    "eta": ETA,
}
UNDONE: dict[str, Any] = {
    "ended_at": "2023-12-21T11:46:02.125000Z",
    "ended_how": "undone",
    "ended_by": "admin",
    "jobs_remaining": None,
    "jobs": [],
    "eta": None,
}
DRAINS_BEGUN = {"count": 1, "results": [DRAIN]}
DRAINS = {"count": 1, "next": None, "previous": None, "results": [DRAIN]}
CHANGES = {
    "nodes that go, and one that comes": {
        "remove": ["hop-1.example.org"],
        "disable": ["exec-1.example.org"],
        "add": [{"cpu": 8, "memory": 17179869184, "groups": ["edge"]}],
        "over": "7d",
    },
    "policies": {
        "capacity_adjustment": {"exec-1.example.org": 0.5},
        "policies": {"edge": {"policy_instance_minimum": 2}},
    },
}
PAST = {"p50": 6, "p95": 40, "peak": 57, "over_capacity": 0.0}
SIDE = {
    "members": ["exec-1.example.org"],
    "capacity": 81,
    "consumed": 12,
    "displaced": 0,
    "remaining": 69,
    "load": PAST,
}
SIDE_AFTER = {
    **SIDE,
    "members": ["exec-1.example.org", "new-1"],
    "capacity": 143,
    "consumed": 0,
    "displaced": 12,
    "remaining": 131,
}
SIDES = {"before": SIDE, "after": SIDE_AFTER, "falls_short": False}
WHAT_IF = {
    "carries": False,
    "in_words": [
        "No way would lead from a control node to exec-1.example.org any more.",
        "Group edge would gain new-1.",
    ],
    "fleet": SIDES,
    "groups": [{**SIDES, "name": "edge"}],
    "added": ["new-1"],
    "cut_off": {"nodes": ["exec-1.example.org"], "links": []},
    "window": {"began": "2023-12-14T11:44:49Z", "ended": "2023-12-21T11:44:49Z", "jobs": 812},
}
ROOT = {
    "bundles": "/api/fleet/v1/bundles/",
    "drains": "/api/fleet/v1/drains/",
    "fit": "/api/fleet/v1/fit/",
    "mesh": "/api/fleet/v1/mesh/",
    "mesh_risk": "/api/fleet/v1/mesh/risk/",
    "metrics": "/api/fleet/v1/metrics/",
    "process_metrics": "/api/fleet/v1/metrics/process/",
    "mirror": "/api/fleet/v1/mirror/",
    "what_if": "/api/fleet/v1/what_if/",
    "conditions": "/api/fleet/v1/instances/{key}/conditions/",
    "deprovision": "/api/fleet/v1/instances/{key}/deprovision/",
    "drain": "/api/fleet/v1/instances/{key}/drain/",
    "ping": "/api/fleet/v1/instances/{key}/ping/",
    "report": "/api/fleet/v1/instances/{key}/report/",
}
METRICS = """\
# HELP awx_fleet_node_up Whether each node is ready and enabled.
# TYPE awx_fleet_node_up gauge
awx_fleet_node_up{hostname="exec-1.example.org"} 1.0
"""
PROCESS_METRICS = """\
# HELP awx_service_database_connections Connections to the database that are open.
# TYPE awx_service_database_connections gauge
awx_service_database_connections 9.0
"""
REPORTS = {
    "healthy node": REPORT,
    "node that cannot run jobs": {"errors": ["Podman is not installed."]},
}


def response_example(body: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample("answer", body, response_only=True)]


def metrics_examples(text: str) -> list[OpenApiExample]:
    """The metrics of ``text`` in each format."""
    body = without_families(Families(text_string_to_metric_families(text)))
    texts = {"text/plain": text, "application/openmetrics-text": f"{text}# EOF\n"}
    examples = [OpenApiExample(kind, text, response_only=True, media_type=kind) for kind, text in texts.items()]
    return [*examples, *response_example(body)]


def request_examples(named: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample(name, body, request_only=True) for name, body in named.items()]


class NodeTokenScheme(OpenApiAuthenticationExtension):
    target_class = "fleet.authentication.NodeTokenAuthentication"
    name = "nodeToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a node, from `awx-instances issue_node_token`; only for the node's reports.",
        }
