"""OPTIONS as AWX responds to it; AWX's command line builds its arguments from this.

Everything is read off the view: its title and docstring, its serializer's fields, its filters, its search fields. A
view without a serializer may have ``declared_options()``.
"""

import functools
import inspect
from collections.abc import Iterator
from typing import Any

from django.utils.translation import get_language
from rest_framework import serializers
from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request
from rest_framework.utils.field_mapping import ClassLookupDict

from awx_compat import dialects
from awx_compat.dialects import Dialect
from awx_compat.filters import columns, is_filterable
from awx_compat.pagination import Pagination
from awx_compat.serializers.base import IdField, ObjectField, TypeField, UrlField
from instances.models import InstanceGroup, InstanceGroupRole, UnifiedJob

# What AWX says of the fields that all kinds of records share.
LARGEST_INTEGER = 2**31 - 1
NO_POST = "A POST request is answered with 501: AWX has this method, and this service does not."
HELP_TEXTS = {
    "id": "Database ID for this {}.",
    "type": "Data type for this {}.",
    "url": "URL for this {}.",
    "related": "Data structure with URLs of related resources.",
    "summary_fields": (
        "Data structure with name/description for related resources.  "
        "The output for some objects may be limited for performance reasons."
    ),
    "created": "Timestamp when this {} was created.",
    "modified": "Timestamp when this {} was last modified.",
    "name": "Name of this {}.",
    "description": "Optional description of this {}.",
}

# How AWX calls the kinds of fields.
KINDS: Any = ClassLookupDict(
    {
        **SimpleMetadata.label_lookup.mapping,
        TypeField: "choice",
        UrlField: "string",
        ObjectField: "object",
        IdField: "id",
        serializers.ListField: "json",
    }
)
Description = dict[str, Any]  # of one field
SerializerClass = Any  # a class of serializers


class Metadata(SimpleMetadata):
    """Describes a view and, for each method that the user may call, the fields of its request or response.

    Of the request only the user's rights and the language count; fields are described once for each class.
    """

    label_lookup = KINDS

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        serializer = view.get_serializer() if hasattr(view, "get_serializer") else None
        body: dict[str, Any] = {
            "name": view.get_view_name(),
            "description": description(view, serializer),
            "renders": ["application/json", "text/html"],
            "parses": [parser.media_type for parser in view.parser_classes],
        }
        if hasattr(view, "declared_options"):
            return {**body, **view.declared_options()}
        if serializer is None:
            return body
        body["actions"] = dict(actions(view, serializer))
        model = model_of(serializer)
        if model is None:
            return body
        body["types"] = types_of(serializer)
        if getattr(view, "search_fields", ()):
            body["search_fields"] = list(view.search_fields)
            body["related_search_fields"] = view.filterset_class.related_searches()
        if model is InstanceGroup:
            body["object_roles"] = InstanceGroupRole.Role.values
        if hasattr(view, "list"):
            body["max_page_size"] = Pagination.max_page_size
        return body


def docstring_of(view: Any) -> str:
    """The view's own docstring, in Markdown; those of its base classes are for readers of the code."""
    own: str = vars(type(view)).get("__doc__") or ""
    return inspect.cleandoc(own).replace("``", "`")


def description(view: Any, serializer: Any) -> str:
    """The view's title, its docstring, and the fields of its answer and of POST, in Markdown as AWX has it.

    awxkit reads the fields of POST there if ``actions`` has none, and fails where POST is allowed but not named.
    """
    parts = [f"# {view.get_view_name()}", docstring_of(view)]
    if serializer is not None:
        parts.append(listed_answer(serializer.__class__, dialects.current(), get_language()))
    if "POST" in view.allowed_methods:
        parts.append(description_of_post(view, serializer))
    return "\n\n".join(filter(None, parts))


def description_of_post(view: Any, serializer: Any) -> str:
    if view.is_not_implemented("POST"):
        return NO_POST
    if serializer is None:
        return ""
    names = names_on_post(view, serializer.__class__)
    return listed_request(serializer.__class__, names, dialects.current(), get_language())


def names_on_post(view: Any, serializer_class: SerializerClass) -> tuple[str, ...]:
    """The fields that POST may have."""
    own_id = ("id",) if view.attaches else ()
    return (*own_id, *writable(serializer_class)) if view.creates else own_id


def actions(view: Any, serializer: Any) -> Iterator[tuple[str, dict[str, Description]]]:
    """The fields of each method, in AWX's order of methods."""
    if "POST" in view.allowed_methods and view.has_permission_for("POST"):
        yield "POST", written_on_post(view, serializer)
    yield "GET", fields_of_answer(serializer.__class__, dialects.current(), get_language())
    if "PUT" in view.allowed_methods and view.has_permission_for("PUT"):
        yield "PUT", written(serializer)


def written_on_post(view: Any, serializer: Any) -> dict[str, Description]:
    if not view.attaches:
        return written(serializer)
    own_id = {"id": fields_of_request(serializer.__class__, dialects.current(), get_language())["id"]}
    return {**own_id, **written(serializer)} if view.creates else own_id


def written(serializer: Any) -> dict[str, Description]:
    """The fields that the reader may write."""
    described = fields_of_request(serializer.__class__, dialects.current(), get_language())
    withheld = getattr(serializer, "withheld", ())
    return {name: described[name] for name in writable(serializer.__class__) if name not in withheld}


@functools.cache
def writable(serializer_class: SerializerClass) -> list[str]:
    return [name for name, field in serializer_class().fields.items() if not field.read_only]


@functools.cache
def fields_of_answer(
    serializer_class: SerializerClass, dialect: Dialect, language: str | None
) -> dict[str, Description]:
    """Each field of a response, with its texts in this language, which is the active one."""
    serializer = serializer_class()
    return {name: described_field(serializer, name, dialect) for name in serializer.fields}


@functools.cache
def fields_of_request(
    serializer_class: SerializerClass, dialect: Dialect, language: str | None
) -> dict[str, Description]:
    """Each field of a request, read-only ones included, likewise."""
    serializer = serializer_class()
    return {name: written_field(serializer, name, dialect) for name in serializer.fields}


@functools.cache
def listed_answer(serializer_class: SerializerClass, dialect: Dialect, language: str | None) -> str:
    """The fields of an answer, a line each, as AWX's documentation lists them; likewise."""
    lines = ["A GET request is answered with these fields:", ""]
    for name, info in fields_of_answer(serializer_class, dialect, language).items():
        lines.append(f"* `{name}`: {info.get('help_text', '')} ({info['type']})")
        if name != "type":
            lines += [f"    - `{value}`: {label}" for value, label in info.get("choices", ())]
    return "\n".join(lines)


@functools.cache
def listed_request(
    serializer_class: SerializerClass, names: tuple[str, ...], dialect: Dialect, language: str | None
) -> str:
    """Those fields of a request, likewise; a right may be needed to send them."""
    fields = fields_of_request(serializer_class, dialect, language)
    lines = ["A POST request has these fields:", ""]
    for name in names:
        info = fields[name]
        need = "required" if info["required"] else f"default=`{info.get('default')}`"
        lines.append(f"* `{name}`: {info.get('help_text', '')} ({info['type']}, {need})")
    return "\n".join(lines)


def described_field(serializer: Any, name: str, dialect: Dialect) -> Description:
    """A field of an answer."""
    field = serializer.fields[name]
    info = {"type": KINDS[field], **dialect.options_of_fields, "label": field.label, **help_of(serializer, name)}
    info.update(limits(field, "min_value", "max_value"))
    info.update(filterable(serializer, name))
    info.update(choices(serializer, field))
    if isinstance(field, serializers.ListField):
        info["child"] = {"type": KINDS[field.child], **dialect.options_of_fields}
    return info


def written_field(serializer: Any, name: str, dialect: Dialect) -> Description:
    """A field of a request."""
    field = serializer.fields[name]
    common = dialect.options_of_fields
    info = {"type": KINDS[field], "required": field.required, **common, "label": field.label}
    info.update({**limits(field, "max_length"), **help_of(serializer, name)})
    info.update(limits(field, "min_value", "max_value"))
    info.update({**filterable(serializer, name), **default(serializer, name), **choices(serializer, field)})
    if isinstance(field, serializers.ListField):
        info["child"] = {"type": KINDS[field.child], "required": True, **common, "read_only": False}
    return info


def help_of(serializer: Any, name: str) -> dict[str, str]:
    field = serializer.fields[name]
    if field.help_text:
        return {"help_text": str(field.help_text)}
    if name in HELP_TEXTS:
        return {"help_text": HELP_TEXTS[name].format(model_of(serializer)._meta.verbose_name)}
    return {}


def limits(field: serializers.Field[Any, Any, Any, Any], *names: str) -> dict[str, Any]:
    """Bounds that mean something; the largest number that a column can hold does not."""
    values = {name: getattr(field, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None and value != LARGEST_INTEGER}


def model_of(serializer: Any) -> Any:
    """The model of the rendered records; None where the response has no records."""
    return getattr(getattr(serializer, "Meta", None), "model", None)


def filterable(serializer: Any, name: str) -> dict[str, bool]:
    model = model_of(serializer)
    if model is None:
        return {}
    if name == "type" and name not in columns(model):
        return {}
    return {"filterable": is_filterable(model, name)}


def choices(serializer: Any, field: Any) -> dict[str, Any]:
    if isinstance(field, TypeField):
        model = serializer.Meta.model
        return {"choices": [[serializer.record_type, model._meta.verbose_name.title()]]}
    if isinstance(field, serializers.ChoiceField):
        return {"choices": [[value, str(label)] for value, label in field.choices.items()]}
    return {}


def default(serializer: Any, name: str) -> dict[str, Any]:
    """The value of a field that a request leaves out: the serializer's default, else the model's."""
    field = serializer.fields[name]
    if name in getattr(serializer, "displayed_defaults", {}):
        return {"default": serializer.displayed_defaults[name]}
    if field.default is not serializers.empty:
        is_decimal = isinstance(field, serializers.DecimalField)
        return {"default": float(field.default) if is_decimal else field.default}
    is_column = name not in serializer._declared_fields and field.source != "*"
    return {"default": None} if is_column and field.allow_null else {}


def types_of(serializer: Any) -> list[str]:
    if serializer.Meta.model is UnifiedJob:
        return UnifiedJob.Type.values
    return [getattr(serializer, "record_type", "instance")]
