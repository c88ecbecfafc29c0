"""Descriptions in the OpenAPI document: of fields without a help text, of paths and tags, and the introduction.

Descriptions of fields are in ``Meta.descriptions`` of the records' serializers, only for fields without a help text (a
test asserts that): OPTIONS answers AWX's help texts, and the document has the same. The browsable pages show both.
"""

from typing import Any

from awx_compat.metadata import HELP_TEXTS, model_of
from awx_compat.serializers.address import ReceptorAddressSerializer
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.instance import InstanceSerializer
from awx_compat.serializers.job import COLLECTIONS_OF_JOBS, UnifiedJobSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.serializers.user import UserSerializer

RECORDS: tuple[Any, ...] = (
    InstanceSerializer,
    ReceptorAddressSerializer,
    InstanceGroupSerializer,
    UnifiedJobSerializer,
    UserSerializer,
    TokenSerializer,
)
FIELDS: dict[Any, dict[str, str]] = {record.Meta.model: record.Meta.descriptions for record in RECORDS}


def of_field(field: Any) -> str:
    """The description of a serializer's field without a help text; the same for all serializers of a model."""
    model = model_of(field.parent)
    if model is None:
        return ""
    common = HELP_TEXTS.get(field.field_name, "").format(model._meta.verbose_name)
    own: dict[str, str] = getattr(field.parent.Meta, "descriptions", FIELDS.get(model, {}))
    return own.get(field.field_name, common)


PATHS = {
    "instances": "Id or hostname of the instance.",
    "instance_groups": "Id or name of the group. A group with a slash in its name is found only by its id.",
    "receptor_addresses": "Id of the address.",
    "credentials": "Id of the credential.",
    "users": "Id or username of the user.",
    "tokens": "Id of the token.",
    "roles": "Id of the role.",
    "settings": "Slug of the category.",
    **dict.fromkeys(COLLECTIONS_OF_JOBS, "Id of the job."),
    "role_definitions": "Id of the role definition.",
    "role_user_assignments": "Id of the assignment.",
}

TAGS = {
    "instances": "The nodes of the mesh: capacity, load, health, peers.",
    "instance_groups": "Groups of nodes, their members, and the users with roles on them.",
    "unified_jobs": "The jobs that the nodes run.",
    "mesh": "All nodes and links, for a drawing.",
    "metrics": "Figures for Prometheus.",
    "service": "The version, configuration and state of the service.",
    "users": "The users: superusers change them, and everybody the own password and names.",
    "tokens": "OAuth2 personal tokens.",
    "fleet": "Extensions that AWX does not have: nodes that report themselves, typed conditions, the mirror.",
    "not stored": "Collections of AWX that this service does not store: always empty.",
}

ABOUT = """\
The instance API of AWX {version}: the nodes of an automation mesh, their capacity, load, health, peers and groups.
Clients written for AWX work with it unchanged.

# Requests

- Bodies are JSON objects, in UTF-8. Times are UTC. Decimal numbers are strings: `"1.00"`.
- Every path ends with a slash; a path without the slash is redirected (301).
- `OPTIONS` describes each path, with the fields that the user may write. `HEAD` is answered like `GET`, without the
  body. A method that a path does not have gets 405, with the header `Allow` and a body like that of other errors:
  `{"detail": "Method \\"PATCH\\" not allowed."}`.
- Answers are `application/json`, except for `metrics/` and `install_bundle/`. Browsers, and other clients that prefer
  `text/html`, get the same answer as a page, with forms for the changes that the user may make. If `Accept` allows
  both, the parameter `format` decides: `format=json`, or `format=api` for the page. An unsupported `Accept` gets 406,
  an unknown `format` 404.
- To try out requests in `/api/docs/`, [log in](../login/?next=../docs/) or enter a token there.

# Pages

Lists have pages of 25 records, or of `page_size` up to 200. `next` and `previous` are paths on the same host, or
null.

# Filters

Lists are filtered by parameters named `<field>` or `<field>__<lookup>`:

| lookup | matches if the field |
|---|---|
| `exact` (or none) | equals the value |
| `iexact` | equals the value, ignoring case |
| `contains`, `startswith`, `endswith` | contains, starts or ends with the value; with the prefix `i`, ignoring case |
| `regex`, `iregex` | matches the regular expression |
| `gt`, `gte`, `lt`, `lte` | is greater or less than the value; with `e`, or equal |
| `in` | is one of the values, separated by commas |
| `isnull` | is null (`true`) or not null (`false`) |

`not__` before the name negates a condition. All conditions must match; of the conditions with `or__`, one suffices.
Fields of related records are reached with two underscores, over two relations at most:
`/api/v2/instances/?rampart_groups__name=default`. There, `chain__` lets a condition match another related record than
the conditions before it. `<relation>__search` searches a text in related records, `search` in the records themselves.
A repeated parameter is a further condition. An unknown name gets 400.

A query has at most 100 conditions, 10 of them on related records, and orders by at most 10 fields. The same parameter
repeated, as `not__hostname=a&not__hostname=b` or `or__node_type=hop&or__node_type=execution`, is one condition.

# Changes

The answer with a single record has an `ETag`. With `If-None-Match`, an unchanged record is not sent again (304).
With `If-Match`, a change is refused (412) if another client changed the record in the meantime; load and heartbeats
do not count as changes.
"""
