"""The parameters of lists: pages, order, search, and AWX's filter language, each derived from the code that applies it.

A filter has more forms than can be listed: ``[or__|chain__][not__]<path>[__<lookup>]``. Each column of the list's own
model is a parameter of its own, for an exact value. All other forms are one parameter, ``filters``, an object whose
keys become parameters; its patterns define the lookups of each kind of column, including columns one relation away.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import models
from drf_spectacular.extensions import OpenApiFilterExtension
from drf_spectacular.plumbing import ResolvedComponent, deep_import_string
from oauth2_provider.models import AccessToken

from awx_compat import filters
from awx_compat.openapi import example_records
from awx_compat.pagination import Pagination
from instances.models import Instance, InstanceGroup, InstanceGroupRole, ReceptorAddress, UnifiedJob, User

# The schema of a value in the query string for each kind of column.
TEXT: dict[str, Any] = {"type": "string", "pattern": r"^[^\x00]*$"}
REGEX: dict[str, Any] = {**TEXT, "format": "regex", "maxLength": filters.LONGEST_PATTERN}
INTEGER: dict[str, Any] = {"type": "integer"}
ID_OR_NULL: dict[str, Any] = {"anyOf": [{"type": "integer"}, {"type": "string", "const": "null"}]}
BOOLEAN: dict[str, Any] = {"type": "boolean"}
KINDS: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (models.BooleanField, BOOLEAN),
    (models.DateTimeField, {"type": "string", "format": "date-time"}),
    (models.DecimalField, {"type": "number"}),
    (models.IntegerField, INTEGER),
)
NAMES_OF_ENUMERATIONS: Any = settings.SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"]
ENUMERATIONS = {
    tuple(deep_import_string(path).values): name
    for name, path in NAMES_OF_ENUMERATIONS.items()
    if name != "ConditionReason"  # two enumerations in one
}
# Examples for filters: a record of each kind, and an order.
RECORDS: dict[type[models.Model], dict[str, Any]] = {
    Instance: example_records.INSTANCE,
    ReceptorAddress: example_records.ADDRESS,
    InstanceGroup: example_records.GROUP,
    UnifiedJob: example_records.JOB,
    User: example_records.USER,
    AccessToken: example_records.TOKEN,
}
ORDERS: dict[type[models.Model], str] = {
    Instance: "-capacity",
    ReceptorAddress: "address",
    InstanceGroup: "name",
    UnifiedJob: "-finished,id",
    User: "username",
    AccessToken: "-expires",
}
PREFIXES = "^((or|chain)__)?(not__)?"
ORDERED = ("exact", "gt", "gte", "lt", "lte")

Parameter = dict[str, Any]


def query(name: str, schema: dict[str, Any], description: str, **more: Any) -> Parameter:
    return {"in": "query", "name": name, "schema": schema, "description": description, **more}


def like(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """The schema with an example. The parameter itself gets no example, as Swagger UI would send all of them."""
    if schema.get("type") == "number" and value is not None:
        value = float(value)
    return schema if value in (None, "", []) else {**schema, "examples": [value]}


def kind_of(column: filters.ColumnFilter) -> dict[str, Any]:
    """The schema of one value of the column."""
    if column.related is not None:
        return ID_OR_NULL
    return next((schema for cls, schema in KINDS if isinstance(column.column, cls)), TEXT)


def own(filterset: type[filters.Filters]) -> dict[str, filters.ColumnFilter]:
    """The filters of the model's own columns and relations."""
    return {path: column for path, column in filterset.base_filters.items() if "__" not in path and path != "pk"}


def exact(path: str, column: filters.ColumnFilter, record: dict[str, Any]) -> Parameter:
    schema = kind_of(column)
    values = tuple(value for value, _ in getattr(column.column, "choices", None) or ())
    if values:
        schema = {"$ref": f"#/components/schemas/{ENUMERATIONS[values]}"}
    text = "Records related to the record with this id." if column.related else f"Records with this `{path}`."
    value = record.get(path)
    return query(path, like(schema, None if isinstance(value, list) else value), text)


# --- the lookups


def lookups(filterset: type[filters.Filters]) -> dict[str, Any]:
    """The schema of the object ``filters``."""
    near = {path: column for path, column in filterset.base_filters.items() if path.count("__") <= 1}
    patterns = dict(_patterns(near))
    model = filterset._meta.model._meta.verbose_name
    return {
        "type": "object",
        "description": f"Conditions on {model} records, as `not__{next(iter(near))}__in` with the value `1,2`.",
        "patternProperties": patterns,
        "unevaluatedProperties": False,  # client generators without support for patterns still allow further names
    }


def _patterns(columns: dict[str, filters.ColumnFilter]) -> Iterator[tuple[str, dict[str, Any]]]:
    texts = [path for path, column in columns.items() if kind_of(column) is TEXT]
    yield _pattern(texts, filters.TEXT | set(ORDERED), required=False), TEXT
    yield _pattern(texts, ["regex", "iregex"]), REGEX
    for kind in [ID_OR_NULL, *(schema for _, schema in KINDS)]:
        paths = [path for path, column in columns.items() if kind_of(column) is kind]
        if paths:
            yield _pattern(paths, ORDERED, required=False), kind
    numbers = [path for path, column in columns.items() if kind_of(column) in (INTEGER, ID_OR_NULL)]
    yield _pattern(numbers, ["in"]), {"type": "string", "pattern": r"^\d{1,9}(,\d{1,9})*$"}
    yield _pattern(columns, ["isnull"]), BOOLEAN


def _pattern(paths: Iterable[str], lookups: Iterable[str], required: bool = True) -> str:
    names, suffixes = "|".join(sorted(paths)), "|".join(sorted(lookups))
    return f"{PREFIXES}({names})(__({suffixes})){'' if required else '?'}$"


# --- drf-spectacular's extensions


class FieldFilterExtension(OpenApiFilterExtension):
    target_class = "awx_compat.filters.FieldFilter"
    priority = 1  # before drf-spectacular's own, for filters that django-filter has made

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[Parameter]:
        filterset = getattr(auto_schema.view, "filterset_class", None)
        if filterset is None:
            return []
        model = filterset._meta.model
        parameters = [exact(path, column, RECORDS[model]) for path, column in own(filterset).items()]
        parameters += [
            query(name, TEXT, "Records related to a record whose name or description contains this text.")
            for name in filterset.related_searches()
        ]
        schema = ResolvedComponent(
            f"{model.__name__}Filters", ResolvedComponent.SCHEMA, lookups(filterset), object=filterset
        )
        auto_schema.registry.register_on_missing(schema)
        text = "Further conditions, each a parameter of its own: see *Filters* in the introduction."
        parameters.append(query("filters", schema.ref, text, style="form", explode=True))
        if model is InstanceGroup:
            roles = {"type": "string", "enum": InstanceGroupRole.Role.values}
            parameters.append(
                query("role_level", roles, "Groups on which the user has this role, or a role that includes it.")
            )
        return parameters


class SearchFilterExtension(OpenApiFilterExtension):
    target_class = "awx_compat.filters.SearchFilter"

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[Parameter]:
        names = ", ".join(f"`{name}`" for name in auto_schema.view.search_fields)
        if not names:
            return []
        record = RECORDS[auto_schema.view.serializer_class.Meta.model]
        word = re.match(r"\w+", record[auto_schema.view.search_fields[-1]])
        return [query("search", like(TEXT, word and word[0]), f"Records with each of these words in {names}.")]


class TypeFilterExtension(OpenApiFilterExtension):
    target_class = "awx_compat.filters.TypeFilter"

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[Parameter]:
        serializer = auto_schema.view.serializer_class
        types = UnifiedJob.Type.values if serializer.Meta.model is UnifiedJob else [serializer.record_type]
        text = "Records of these types, separated by commas: " + ", ".join(f"`{name}`" for name in types) + "."
        return [query("type", like(TEXT, types[0]), text)]


class OrderFilterExtension(OpenApiFilterExtension):
    target_class = "awx_compat.filters.OrderFilter"

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[Parameter]:
        filterset = getattr(auto_schema.view, "filterset_class", None)
        if filterset is None:
            return []
        name = f"-?({'|'.join(own(filterset))})"
        schema = {"type": "string", "pattern": f"^{name}(,{name}){{0,{filters.MOST_JOINS - 1}}}$"}
        text = "Fields to order by, separated by commas, with `-` for descending order; related fields as in a filter."
        return [query("order_by", like(schema, ORDERS[filterset._meta.model]), text)]


class DescribedPagination(Pagination):
    """Pagination with its parameters and its answer described for the document."""

    def get_schema_operation_parameters(self, view: Any) -> list[Parameter]:
        number = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "const": "last"}]}
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            query(self.page_query_param, number, "The number of the page, from 1; or `last`."),
            query(self.page_size_query_param, size, "Records on a page."),
            query(
                "count_disabled",
                BOOLEAN,
                "With any value, records are not counted: the answer is the first page, with `results` only.",
                allowEmptyValue=True,
            ),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        path = {"type": ["string", "null"]}
        return {
            "type": "object",
            "description": "A page. With `count_disabled`, only `results`.",
            "required": ["results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "Records on all pages.", "example": 51},
                "next": {**path, "description": "Path of the next page.", "example": "/api/v2/instances/?page=3"},
                "previous": {
                    **path,
                    "description": "Path of the previous page.",
                    "example": "/api/v2/instances/?page=1",
                },
                "results": schema,
            },
        }
