"""What the document says of fields that have no help text, of paths and tags, and at its beginning.

The texts of fields are at the serializers of the records, as ``Meta.descriptions``: there is none for a field that has
a help text (a test sees to that), as OPTIONS tells help texts as AWX does, and the document tells the same. The pages
of the API show them too.
"""

from typing import Any

from awx_compat.metadata import HELP_TEXTS, model_of
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.instance import InstanceSerializer
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.serializers.user import UserSerializer

RECORDS: tuple[Any, ...] = (
    InstanceSerializer,
    InstanceGroupSerializer,
    UnifiedJobSerializer,
    UserSerializer,
    TokenSerializer,
)
FIELDS: dict[Any, dict[str, str]] = {record.Meta.model: record.Meta.descriptions for record in RECORDS}


def of_field(field: Any) -> str:
    """What is said of a serializer's field that has no help text; the same for all serializers of a model."""
    model = model_of(field.parent)
    if model is None:
        return ""
    common = HELP_TEXTS.get(field.field_name, "").format(model._meta.verbose_name)
    return FIELDS.get(model, {}).get(field.field_name, common)


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
