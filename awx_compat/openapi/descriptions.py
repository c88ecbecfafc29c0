"""What the document says of fields that have no help text, of tags, and at its beginning; pages say the same of fields.

A field that has a help text is not here (a test sees to that): OPTIONS tells help texts as AWX does, and the document
tells the same.
"""

from typing import Any

from oauth2_provider.models import AccessToken

from awx_compat.metadata import HELP_TEXTS
from instances.models import Condition, Instance, InstanceGroup, Mirror, UnifiedJob, User

FIELDS: dict[type, dict[str, str]] = {
    Instance: {
        "hostname": "Name of the node, by which the mesh and the jobs know it; also a key in paths.",
        "node": "Hostname.",
        "uuid": "UUID that the node reported; all zeros before it did.",
        "health_check_pending": "Whether a health check was started that has not ended yet.",
        "capacity_adjustment": "Where `capacity` lies between the lower one of CPUs and memory (0) and the higher (1).",
        "version": "Version of AWX on a control or hybrid node, else of ansible-runner (`ansible-runner-2.3.4`).",
        "capacity": "Forks that it can carry at a time; 0 for hop nodes and while it is disabled or unavailable.",
        "consumed_capacity": "Forks that its running and waiting jobs use; may be more than `capacity`.",
        "percent_capacity_remaining": "Share of the capacity that is free, in percent, to two places; never negative.",
        "cpu": "CPUs that it reported.",
        "cpu_capacity": "Forks that its CPUs can carry.",
        "mem_capacity": "Forks that its memory can carry.",
        "enabled": "Whether it is given jobs.",
        "managed_by_policy": "Whether the policies of groups may make it a member.",
        "ip_address": "Address of the node; empty where it is not known.",
        "peers": "Hostnames of the nodes that it opens links to.",
    },
    InstanceGroup: {
        "capacity": "Forks that its members in service can carry together; `max_forks` of a container group.",
        "consumed_capacity": "Forks that running and waiting jobs use on these members.",
        "percent_capacity_remaining": "Share of the capacity that is free, in percent; negative where more is used.",
        "jobs_running": "Running and waiting jobs on these members.",
        "instances": "Number of members in service: ready, enabled and no hop nodes.",
        "credential": "Id of the credential that a container group starts pods with.",
        "pod_spec_override": "Kubernetes' pod, as YAML or JSON, that a container group runs instead of the usual one.",
    },
    UnifiedJob: {
        "launch_type": "What started it.",
        "status": "How far it is.",
        "failed": "Whether it ended without success.",
        "launched_by": "Who or what started it.",
        "unified_job_template": "Id of the template that it was made from.",
    },
    User: {
        "first_name": "First name.",
        "last_name": "Last name.",
        "email": "Email address.",
        "password": "Never told.",
        "ldap_dn": "Empty: there is no LDAP here.",
        "last_login": "When the user last logged in.",
        "external_account": "null: there are no other identity providers here.",
        "auth": "Empty: there are no other identity providers here.",
    },
    AccessToken: {
        "user": "Id of the user whose token it is.",
        "token": "The token, in the answer that made it; asterisks everywhere else.",
        "refresh_token": "null: personal tokens have none.",
        "application": "null: there are no applications here.",
        "expires": "When it ends to be valid.",
        "scope": "`read`, or `write`, which includes it.",
    },
    Condition: {
        "status": "Whether it holds.",
        "reason": "Why, in one word.",
        "message": "Why, in words.",
    },
    Mirror: {
        "records": "By kind, how many there are and what the last sync did to them.",
        "failures_total": "Syncs that failed since the mirror began.",
    },
}


def of_field(field: Any) -> str:
    """What is said of a serializer's field that has no help text: from ``FIELDS``, or as OPTIONS says it."""
    model: Any = getattr(getattr(field.parent, "Meta", None), "model", None)
    if model is None:
        return ""
    common = HELP_TEXTS.get(field.field_name, "").format(model._meta.verbose_name)
    return FIELDS.get(model, {}).get(field.field_name, common)


RECORDS: dict[type, str] = {
    Instance: "A node of the automation mesh.",
    InstanceGroup: "Instances that jobs are sent to together, or, a container group, a place for pods that run jobs.",
    UnifiedJob: "A job of any kind. Beside these fields it has those of its kind, as AWX told them.",
    User: "Somebody who asks the API.",
    AccessToken: "An OAuth2 personal token.",
}
# Fields that some kinds of these records have not.
NOT_OF_ALL = {
    UnifiedJob: {
        "controller_node",
        "description",
        "execution_environment",
        "execution_node",
        "launched_by",
        "unified_job_template",
    }
}
# Fields that are given when a record is made and that no PATCH changes.
ONLY_ON_CREATION: dict[type, tuple[str, ...]] = {Instance: ("hostname", "node_type")}

PATHS = {
    "instances": "Id or hostname of the instance.",
    "instance_groups": "Id or name of the group. A name with a slash is found by its id alone.",
    "users": "Id or username of the user.",
    "tokens": "Id of the token.",
    "settings": "Slug of the category.",
}

TAGS = {
    "instances": "The nodes of the mesh: capacity, load, health, peers.",
    "instance_groups": "Groups of nodes, their members, and who may use them.",
    "unified_jobs": "The jobs that the nodes run.",
    "mesh": "All nodes and links, for a drawing.",
    "metrics": "Figures for Prometheus.",
    "service": "What the service is, and how it is set up.",
    "users": "Who may ask. They cannot be changed over the API yet.",
    "tokens": "OAuth2 personal tokens.",
    "fleet": "What AWX has not: nodes that report themselves, typed conditions, the mirror.",
    "not kept": "What AWX keeps and this service does not: always empty.",
}

ABOUT = """\
The instance API of AWX 23.6.0: the nodes of an automation mesh, their capacity, load, health, peers and groups.
Clients written for AWX work with it unchanged.

# Ask

- Bodies are JSON objects, in UTF-8. Times are UTC. Decimal numbers are strings: `"1.00"`.
- Every path ends with a slash; one without is redirected there (301).
- `OPTIONS` describes each path, with the fields that the user who asks may write. `HEAD` is answered as `GET` is,
  without the body. A method that a path has not is refused with 405, the header `Allow` and a body as that of other
  refusals: `{"detail": "Method \\"PATCH\\" not allowed."}`.
- Answers are `application/json`, but for `metrics/` and `install_bundle/`. Browsers, and all who prefer `text/html`,
  get the same answer as a page, with forms for what they may change. Where `Accept` leaves it open, the parameter
  `format` chooses: `format=json`, or `format=api` for the page. Another `Accept` is refused with 406, another `format`
  with 404.
- Who [logs in](/api/login/?next=/api/docs/) can try out everything in `/api/docs/`; so can who enters a token there.

# Pages

Lists come in pages of 25 records, or of `page_size` up to 200. `next` and `previous` are paths on the same host, or
null.

# Filters

Lists are narrowed by parameters named `<field>` or `<field>__<lookup>`:

| lookup | holds where the field |
|---|---|
| `exact` (or none) | is the value |
| `iexact` | is the value, in upper or lower case |
| `contains`, `startswith`, `endswith` | contains it, begins or ends with it; with `i` before it in either case |
| `regex`, `iregex` | matches the regular expression |
| `gt`, `gte`, `lt`, `lte` | is greater or less than it, or equal |
| `in` | is one of the values, separated by commas |
| `isnull` | is null (`true`) or not (`false`) |

`not__` before the name negates a condition. All conditions must hold, but of those with `or__` one suffices. Fields
of related records are reached with two underscores, over two relations at most:
`/api/v2/instances/?rampart_groups__name=default`. There `chain__` begins a condition on another related record than
the conditions before it look at. `<relation>__search` looks for a text in related records, `search` in the records
themselves. A parameter that is repeated is a further condition. An unknown name is refused with 400.

A query has at most 100 conditions, 10 of them on related records, and orders by at most 10 fields.

# Changes

A single record is answered with an `ETag`. With `If-None-Match` it is not sent again while it is the same (304).
With `If-Match` a change is refused (412) where somebody else changed the record meanwhile; load and heartbeats do
not count as changes.
"""
