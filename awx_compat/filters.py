"""AWX's filter language: ``[or__|chain__][not__]<field>[__<relation's field>…][__<lookup>]=<value>``.

What may be asked for is an allowlist: a filter set has one filter for each column of its model and, up to two
relations away, of the models below; each filter knows its lookups. Errors read as AWX words them.

Conditions without a prefix must all hold, those with ``or__`` at least one; ``chain__`` looks at another related
record than the conditions before it. ``not__`` negates. A repeated parameter is a further condition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import Filter, FilterSet
from django_filters.rest_framework import DjangoFilterBackend
from oauth2_provider.models import AccessToken
from rest_framework import filters
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.request import Request

from instances.models import Instance, InstanceGroup, InstanceLink, UnifiedJob, User

RELATIONS: dict[type[models.Model], dict[str, type[models.Model]]] = {
    Instance: {
        "peers": Instance,
        "reverse_peers": InstanceLink,
        "rampart_groups": InstanceGroup,
        "peers_from": Instance,
    },
    InstanceLink: {"source": Instance, "target": Instance},
    InstanceGroup: {"instances": Instance},
    UnifiedJob: {"instance_group": InstanceGroup},
    User: {},
    AccessToken: {"user": User},
}
FORBIDDEN = {InstanceGroup: {"pod_spec_override"}, User: {"password"}}
ALIASES: dict[type[models.Model], dict[str, str]] = {
    User: {"created": "date_joined"}
}  # AWX's names for columns that have another one here
NOT_AWX = {
    InstanceGroup: {"credential_summary"},
    UnifiedJob: {"task_impact", "representation"},
    User: {"is_staff", "is_system_auditor", "date_joined", "mirrored"},
    AccessToken: {"token", "token_checksum", "source_refresh_token", "id_token", "application", "resource", "updated"},
}
HOPS = 2  # relations that a filter may follow
SEARCHED_IN_RELATED = ("username", "first_name", "last_name", "email", "name", "description")

TEXT = frozenset({"contains", "startswith", "endswith", "iexact", "icontains", "istartswith", "iendswith"})
LOOKUPS = TEXT | {"exact", "regex", "iregex", "gt", "gte", "lt", "lte", "in", "isnull"}
# Parameters of the query string that are no filters.
RESERVED = frozenset(
    [
        "page",
        "page_size",
        "count_disabled",
        "format",
        "order",
        "order_by",
        "search",
        "type",
        "host_filter",
        "limit",
        "no_truncate",
        "role_level",
        "validate",
    ]
)
# A query string must not be able to hold a worker: the database's statement timeout bounds what these let through.
MOST_CONDITIONS = 100
MOST_JOINS = 10
LONGEST_PATTERN = 1000
MOST_DIGITS = 100  # before or after the point, more than any column has


class AsText(models.Transform):
    """A JSON column as the text of its JSON."""

    lookup_name = "as_text"
    template = "(%(expressions)s)::text"
    output_field = models.TextField()


models.JSONField.register_lookup(AsText)


def unknown(model: type[models.Model], names: list[str]) -> APIException:
    """The error for a path that no filter has; its message says where following the path fails."""
    here: type[models.Model] | None = model
    followed = []
    for name in names:
        if here is None:
            return ParseError(f"No related model for field {name}.")
        if (here, name) in followed:
            return ParseError(f"Loops not allowed in filters, detected on field {name}.")
        followed.append((here, name))
        if name in RELATIONS[here]:
            here = RELATIONS[here][name]
        elif name in columns(here) or name == "pk":
            here = None
        elif name in FORBIDDEN.get(here, ()):
            return PermissionDenied(f"Filtering on {name} is not allowed.")
        else:
            return ParseError(f"{here._meta.object_name} has no field named '{name}'")
    return ParseError(f"Filters follow at most {HOPS} relations.")


def columns(model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
    """The columns of ``model`` that may be filtered by."""
    left_out = FORBIDDEN.get(model, set()) | NOT_AWX.get(model, set())
    return {
        field.name: field
        for field in model._meta.concrete_fields
        if field.name not in left_out and field.name not in RELATIONS[model]
    }


class ColumnFilter(Filter):
    """One column, or one relation, of a model or of one that is related to it."""

    def __init__(self, path: str, column: models.Field[Any, Any] | None, related: type[models.Model] | None) -> None:
        super().__init__(field_name=path)
        self.column, self.related = column, related
        self.crosses = "__" in path or related is not None

    def __deepcopy__(self, memo: Any) -> ColumnFilter:
        return self  # it holds no state; a filter set need not copy hundreds of them for each request

    @property
    def is_text(self) -> bool:
        return isinstance(self.column, models.CharField | models.TextField)

    def condition(self, lookup: str, text: str) -> Q:
        """The condition that ``<field>__<lookup>=<text>`` stands for."""
        reject_null(text)
        if lookup == "isnull":
            return Q(**{f"{self.field_name}__isnull": boolean(text)})
        if lookup == "iexact" and not self.is_text:
            raise ParseError(f"{self.field_name} is not a text field and cannot be filtered by case-insensitive search")
        if self.related is not None and lookup in TEXT | {"regex", "iregex"}:
            raise ParseError(f"Related Field got invalid lookup: {lookup}")
        value = self._value(lookup, text)
        if value is None:
            return Q(**{f"{self.field_name}__isnull": True})
        path = f"{self.field_name}__as_text" if isinstance(self.column, models.JSONField) else self.field_name
        return Q(**{f"{path}__{lookup}": value})

    def search(self, text: str) -> Q:
        """The condition that a text of the related record contains ``text``."""
        reject_null(text)
        if self.related is None:
            raise ParseError(f"{self.field_name} is not searchable")
        names = [name for name in SEARCHED_IN_RELATED if name in columns(self.related)]
        return _any(Q(**{f"{self.field_name}__{name}__icontains": text}) for name in names)

    def _value(self, lookup: str, text: str) -> Any:
        if lookup in ("regex", "iregex"):
            return pattern(text)
        if lookup == "in":
            if not text:
                raise ParseError("cannot provide empty value for __in")
            return [self._typed(part) for part in text.split(",")]
        return self._typed(text)

    def _typed(self, text: str) -> Any:
        if self.related is not None:
            return related_id(self.field_name, text)
        if isinstance(self.column, models.BooleanField):
            return boolean(text)
        if isinstance(self.column, models.JSONField):
            return text
        try:
            value = self.column.to_python(text)  # type: ignore[union-attr]
        except ValidationError as error:
            raise ParseError(json.dumps(error.messages, ensure_ascii=False)) from None
        if isinstance(value, Decimal):
            if not value.is_finite():
                raise ParseError(json.dumps([f"“{text}” value must be a decimal number."], ensure_ascii=False))
            return short(value)
        if isinstance(value, datetime):
            return in_utc(value)
        return value


def reject_null(text: str) -> None:
    if "\0" in text:  # PostgreSQL has no such texts
        raise ParseError("Null characters are not allowed.")


def short(value: Decimal) -> Decimal:
    """What compares as ``value`` does with all that columns hold; in full, 1e999999 is a megabyte of digits."""
    if not value or abs(value.adjusted()) <= MOST_DIGITS:
        return value or Decimal(0)
    return Decimal(f"1e{MOST_DIGITS if value.adjusted() > 0 else -MOST_DIGITS}").copy_sign(value)


def in_utc(value: datetime) -> datetime:
    """The same moment, or the first or last one that can be told: PostgreSQL reads no offset of 16 hours or more."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


def boolean(text: str) -> bool:
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise ParseError(f'Unable to convert "{text}" to boolean')


def related_id(name: str, text: str) -> int | None:
    if text.lower() in ("none", "null"):
        return None
    try:
        return int(text)
    except ValueError:
        raise ParseError(f"Invalid {name} id: {text}") from None


def pattern(text: str) -> str:
    if len(text) > LONGEST_PATTERN:
        raise ParseError(f"A regular expression may have at most {LONGEST_PATTERN} characters.")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ParseError(str(error)) from None
    return text


def _any(conditions: Iterable[Q]) -> Q:
    met = Q()
    for condition in conditions:
        met |= condition
    return met


@dataclass(frozen=True)
class Condition:
    """One parameter of the query string, understood."""

    q: Q
    join: str  # "and", "or", "chain" or "search"
    crosses: bool


class Filters(FilterSet):
    """The filters of one model. Subclasses name it in ``Meta``."""

    filters: dict[str, ColumnFilter]

    class Meta:
        model: ClassVar[type[models.Model]]

    @classmethod
    def get_filters(cls) -> dict[str, ColumnFilter]:
        model = getattr(cls._meta, "model", None)
        return {} if model is None else dict(_filters(model, "", HOPS, frozenset()))

    @classmethod
    def related_searches(cls) -> list[str]:
        """The names that search in related records."""
        return [f"{name}__search" for name in RELATIONS[cls._meta.model]]

    @property
    def model(self) -> type[models.Model]:
        return self._meta.model

    @property
    def qs(self) -> QuerySet[Any]:
        """The records that meet every condition of the query string, each of them once."""
        conditions = list(self._conditions())
        if len(conditions) > MOST_CONDITIONS or sum(condition.crosses for condition in conditions) > MOST_JOINS:
            raise ParseError(
                f"A query may have at most {MOST_CONDITIONS} conditions, {MOST_JOINS} of them on related records."
            )
        if not conditions:
            return self.queryset
        if not any(condition.crosses for condition in conditions):
            return _narrowed(self.queryset, conditions)
        # Related records would repeat a record: ask for them apart, so that nothing has to be made distinct.
        return self.queryset.filter(pk__in=_narrowed(self.model._default_manager.all(), conditions).values("pk"))

    def _conditions(self) -> Iterator[Condition]:
        for key, values in self.data.lists():
            if key in RESERVED:
                continue
            if key.endswith("__search"):
                yield from self._searches(key.removesuffix("__search"), values)
                continue
            join, negated, path, lookup = parsed(key)
            column = self.find(path)
            for value in values:
                q = column.condition(lookup, value)
                yield Condition(~q if negated else q, join, column.crosses)

    def _searches(self, path: str, values: list[str]) -> Iterator[Condition]:
        """``<relation>__search``: any of the values, or, where the first one is a list, each of its terms."""
        column = self.find(path)
        each = "," in values[0]
        for term in ",".join(values).split(",") if each else values:
            yield Condition(column.search(term), "chain" if each else "search", column.crosses)

    def find(self, path: str) -> ColumnFilter:
        """The filter of this path. Raises ParseError, or PermissionDenied for what nobody may filter by."""
        found = self.filters.get(path)
        if found is None:
            raise unknown(self.model, path.split("__"))
        return found


def parsed(key: str) -> tuple[str, bool, str, str]:
    """How the condition joins the others, whether it is negated, the path of its field, and its lookup."""
    names = key.removesuffix("__int").split("__")
    join = names.pop(0) if names[0] in ("or", "chain") and len(names) > 1 else "and"
    negated = names[0] == "not" and len(names) > 1
    if negated:
        del names[0]
    if names == [""]:
        raise ParseError("Query string field name not provided.")
    lookup = names.pop() if len(names) > 1 and names[-1] in LOOKUPS else "exact"
    return join, negated, "__".join(names), lookup


def _filters(
    model: type[models.Model], before: str, hops: int, followed: frozenset[tuple[type[models.Model], str]]
) -> Iterator[tuple[str, ColumnFilter]]:
    for name, column in columns(model).items():
        yield f"{before}{name}", ColumnFilter(f"{before}{name}", column, None)
    for name, column_name in ALIASES.get(model, {}).items():
        aliased: Any = model._meta.get_field(column_name)
        yield f"{before}{name}", ColumnFilter(f"{before}{column_name}", aliased, None)
    yield f"{before}pk", ColumnFilter(f"{before}pk", model._meta.pk, None)
    for name, related in RELATIONS[model].items():
        if (model, name) in followed:
            continue
        yield f"{before}{name}", ColumnFilter(f"{before}{name}", None, related)
        if hops:
            yield from _filters(related, f"{before}{name}__", hops - 1, followed | {(model, name)})


def _narrowed(records: QuerySet[Any], conditions: list[Condition]) -> QuerySet[Any]:
    for condition in conditions:
        if condition.join == "chain":
            records = records.filter(condition.q)

    def joined(join: str) -> Iterator[Q]:
        return (condition.q for condition in conditions if condition.join == join)

    return records.filter(*joined("and"), _any(joined("or")), _any(joined("search")))


class InstanceFilters(Filters):
    class Meta:
        model = Instance


class InstanceGroupFilters(Filters):
    class Meta:
        model = InstanceGroup


class UnifiedJobFilters(Filters):
    class Meta:
        model = UnifiedJob


class UserFilters(Filters):
    class Meta:
        model = User


class AccessTokenFilters(Filters):
    class Meta:
        model = AccessToken


def of_role_level(records: QuerySet[Any], request: Request) -> QuerySet[Any]:
    """Only the records on which the user has the role, or one that includes it."""
    if records.model is not InstanceGroup:
        raise ParseError(
            "Cannot apply role_level filter to this list because its model does not use roles for access control."
        )
    groups: Any = records
    return groups.where_role(request.user, request.query_params["role_level"])


class FieldFilter(DjangoFilterBackend):
    """Narrows a list by the view's ``filterset_class``."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if not request.query_params.keys() - (RESERVED - {"role_level"}):
            return queryset
        if "role_level" in request.query_params:
            queryset = of_role_level(queryset, request)
        filterset = self.get_filterset(request, queryset, view)
        return queryset if filterset is None else filterset.qs


class SearchFilter(filters.SearchFilter):
    """``search``: records of which the view's ``search_fields`` contain every term."""

    def get_search_terms(self, request: Request) -> list[str]:
        reject_null(request.query_params.get(self.search_param, ""))
        return super().get_search_terms(request)


class TypeFilter(filters.BaseFilterBackend):
    """``type``: only records of these types, separated by commas."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if "type" not in request.query_params:
            return queryset
        reject_null(request.query_params["type"])
        wanted = request.query_params["type"].split(",")
        if queryset.model is UnifiedJob:
            return queryset.filter(type__in=wanted)
        return queryset if view.get_serializer_class().record_type in wanted else queryset.none()


class OrderFilter(filters.BaseFilterBackend):
    """``order_by`` or ``order``: fields separated by commas, each with ``-`` to reverse it.

    Where they leave records equal, the view's own ``ordering`` decides, if it has one.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        asked = request.query_params.get("order_by", request.query_params.get("order", ""))
        names = [name for name in asked.split(",") if name]
        if len(names) > MOST_JOINS:
            raise ParseError(f"A list can be ordered by at most {MOST_JOINS} fields.")
        if not names or getattr(view, "filterset_class", None) is None:
            return queryset
        filterset = view.filterset_class(request.query_params, queryset=queryset)
        columns = [_signed(name, filterset.find(name.removeprefix("-")).field_name) for name in names]
        return queryset.order_by(*columns, *view.ordering)


def _signed(asked: str, column: str) -> str:
    """The column to order by, in the direction that was asked for; AWX's names for columns can be others."""
    return f"-{column}" if asked.startswith("-") else column
