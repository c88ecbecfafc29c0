"""Examples of bodies below /api/fleet/v1/ for the OpenAPI document."""

from typing import Any

from awx_compat.fleet import serializers

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
MESH_INSPECTION = {
    "began": "2023-12-21T11:44:49.250000Z",
    "seconds": 0.31,
    "error": "",
    "unknown_nodes": ["stranger.example.org"],
    "overdue": False,
}
ROOT = {
    "mesh": "/api/fleet/v1/mesh/",
    "mirror": "/api/fleet/v1/mirror/",
    "conditions": "/api/fleet/v1/instances/{key}/conditions/",
    "report": "/api/fleet/v1/instances/{key}/report/",
}
SHAPES: dict[Any, Any] = {
    serializers.FleetRootSerializer: ROOT,
    serializers.ConditionsSerializer: CONDITIONS,
    serializers.ReportedSerializer: REPORTED,
    serializers.MeshSerializer: MESH_INSPECTION,
    serializers.MirrorSerializer: MIRROR,
    serializers.MirrorPingSerializer: {name: MIRROR[name] for name in serializers.MirrorPingSerializer.Meta.fields},
}
BODIES = {
    "fleet_instances_report_create": {
        "healthy node": REPORT,
        "node that cannot run jobs": {"errors": ["Podman is not installed."]},
    },
}
