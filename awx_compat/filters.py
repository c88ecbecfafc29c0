"""AWX's filter language: ``[or__|chain__][not__]<field>[__<relation's field>…][__<lookup>]=<value>``.

What may be asked for is an allowlist: a filter set has one filter for each column of its model and, up to two
relations away, of the models below; each filter knows its lookups. Errors read as AWX words them, and come in its
order: all parameters are understood first, then the conditions are applied.

Conditions without a prefix must all hold, those with ``or__`` at least one; ``chain__`` looks at another related
record than the conditions before it. ``not__`` negates. A repeated parameter is a further condition. With ``__int``
after all else the value is read as an integer first.

Conditions on related records join them, and an order by related records looks at those that were joined last. So a
record comes once for each value that it is ordered by; ``instances.rows`` has such lists.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django_filters import Filter, FilterSet
from django_filters.rest_framework import DjangoFilterBackend
from oauth2_provider.models import AccessToken
from rest_framework import filters
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.request import Request

from instances.lookups import COLLATION
from instances.models import Instance, InstanceGroup, InstanceLink, UnifiedJob, User
from instances.reader import Reader
from instances.visibility import through_what_is_visible


@dataclass(frozen=True)
class Unkept:
    """A model of AWX whose records are not kept here: of each, another record tells the id and some texts.

    ``texts``: AWX's names for these and, as Django's paths, where they are beside the id.
    """

    name: str
    texts: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = frozenset()


class TextIn(models.Transform):
    """A text inside a JSON column; ``function``: the keys that lead to it."""

    output_field = models.TextField()
    template = f"((%(expressions)s #>> '{{%(function)s}}') COLLATE \"{COLLATION}\")"


class ToldName(TextIn):
    lookup_name, function = "told_name", "name"


class ToldDescription(TextIn):
    lookup_name, function = "told_description", "description"


class NameOfTemplate(TextIn):
    lookup_name, function = "name_of_template", "summary_fields,unified_job_template,name"


CREDENTIAL = Unkept(
    "Credential",
    texts=(("name", "credential_summary__told_name"), ("description", "credential_summary__told_description")),
    secrets=frozenset({"inputs"}),
)
TEMPLATE = Unkept("UnifiedJobTemplate", texts=(("name", "representation__name_of_template"),))
ENVIRONMENT = Unkept("ExecutionEnvironment")
Related = type[models.Model] | Unkept

RELATIONS: dict[Related, dict[str, Related]] = {
    Instance: {
        "peers": Instance,
        "reverse_peers": InstanceLink,
        "rampart_groups": InstanceGroup,
        "peers_from": Instance,
    },
    InstanceLink: {"source": Instance, "target": Instance},
    InstanceGroup: {"instances": Instance, "credential": CREDENTIAL, "unifiedjob": UnifiedJob},
    UnifiedJob: {
        "instance_group": InstanceGroup,
        "unified_job_template": TEMPLATE,
        "execution_environment": ENVIRONMENT,
    },
    User: {},
    AccessToken: {"user": User},
    CREDENTIAL: {},
    TEMPLATE: {},
    ENVIRONMENT: {},
}
FORBIDDEN = {InstanceGroup: {"pod_spec_override"}, User: {"password"}}
ALIASES: dict[Related, dict[str, str]] = {
    User: {"created": "date_joined"},
    InstanceGroup: {"unifiedjob": "jobs"},
}  # AWX's names for what has another one here
NOT_AWX = {
    InstanceGroup: {"credential_summary"},
    UnifiedJob: {"representation"},
    User: {"is_staff", "is_system_auditor", "date_joined", "mirrored"},
    AccessToken: {"token", "token_checksum", "source_refresh_token", "id_token", "application", "resource", "updated"},
}
# How AWX orders by a relation, where that is not by id.
ORDERS: dict[Related, str] = {Instance: "hostname", CREDENTIAL: "name", TEMPLATE: "name"}
HOPS = 2  # relations that a filter may follow
SEARCHED_IN_RELATED = ("username", "first_name", "last_name", "email", "name", "description")

TEXT = frozenset({"contains", "startswith", "endswith", "iexact", "icontains", "istartswith", "iendswith"})
PATTERNS = frozenset({"regex", "iregex"})
OF_RELATED = frozenset({"exact", "gt", "gte", "lt", "lte", "in", "isnull"})  # what can be asked of a relation's id
LOOKUPS = TEXT | PATTERNS | OF_RELATED
JOINS = ("chain", "or")
# Columns of these kinds, AWX trusts, bring no record twice; with any other a list names each record once.
UNREPEATED = (models.CharField, models.IntegerField, models.BooleanField, models.TextField)
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
MOST_PATTERNS = 5
LONGEST_PATTERN = 200
TOO_MANY_CONDITIONS = f"A query may have at most {MOST_CONDITIONS} conditions, {MOST_JOINS} of them on related records."
MOST_DIGITS = 100  # before or after the point, more than any column has


class AsText(models.Transform):
    """A JSON column as the text of its JSON."""

    lookup_name = "as_text"
    template = "(%(expressions)s)::text"
    output_field = models.TextField()


class WithoutUnderscores(models.Transform):
    """A type of jobs as AWX stores it, which it is filtered by."""

    lookup_name = "without_underscores"
    function = "REPLACE"
    template = "%(function)s(%(expressions)s, '_', '')"
    output_field = models.CharField()


for transform in (AsText, ToldName, ToldDescription, NameOfTemplate):
    models.JSONField.register_lookup(transform)
models.CharField.register_lookup(WithoutUnderscores)


def unknown(model: Related, names: list[str]) -> APIException:
    """The error for a path that no filter has; its message says where following the path fails."""
    here: Related | None = model
    followed = []
    for name in names:
        if here is None:
            return ParseError(f"No related model for field {name}.")
        if (here, name) in followed:
            return ParseError(f"Loops not allowed in filters, detected on field {name}.")
        followed.append((here, name))
        if name in RELATIONS[here]:
            here = RELATIONS[here][name]
        elif name in columns(here) or name == "pk" or (name == "id" and isinstance(here, Unkept)):
            here = None
        elif isinstance(here, Unkept):
            if name in here.secrets:
                return PermissionDenied("Filtering on password fields is not allowed.")
            return ParseError(f"{here.name} has no field named '{name}'")
        elif name in FORBIDDEN.get(here, ()):
            return PermissionDenied(f"Filtering on {name} is not allowed.")
        else:
            return ParseError(f"{here._meta.object_name} has no field named '{name}'")
    return ParseError(f"Filters follow at most {HOPS} relations.")


def columns(model: Related) -> dict[str, models.Field[Any, Any]]:
    """The columns of ``model`` that may be filtered by."""
    if isinstance(model, Unkept):
        return {name: models.TextField(null=True) for name, _ in model.texts}
    left_out = FORBIDDEN.get(model, set()) | NOT_AWX.get(model, set())
    return {
        field.name: field
        for field in model._meta.concrete_fields
        if field.name not in left_out and field.name not in RELATIONS[model]
    }


def is_filterable(model: type[models.Model], name: str) -> bool:
    """Whether OPTIONS calls the field one to filter by: the columns are, relations to several records are not."""
    if name in RELATIONS[model]:
        return any(field.name == name for field in model._meta.concrete_fields)
    return name in columns(model) or name in FORBIDDEN.get(model, ()) or name in ALIASES.get(model, ())


TYPE_OF_JOB = UnifiedJob._meta.get_field("type")


class ColumnFilter(Filter):
    """One column, or one relation, of a model or of one that is related to it."""

    def __init__(self, path: str, name: str, column: Any, related: Related | None = None) -> None:
        """``path``: as Django names it; ``name``: what AWX calls the last in it; ``column``: Django's field."""
        super().__init__(field_name=path)
        self.name, self.column, self.related = name, column, related
        self.is_nested = "__" in path
        self.crosses = self.is_nested or (related is not None and not isinstance(related, Unkept))
        self.repeats = self.crosses or related is not None or not isinstance(column, UNREPEATED)
        self.is_text = related is None and isinstance(column, models.CharField | models.TextField)
        self.is_json = isinstance(column, models.JSONField)
        self.is_type = column is TYPE_OF_JOB

    def __deepcopy__(self, memo: Any) -> ColumnFilter:
        return self  # it holds no state; a filter set need not copy hundreds of them for each request

    def value(self, lookup: str, asked: str | int) -> Any:
        """What the column is compared with. Raises ParseError where ``asked`` does not stand for such a value."""
        text = str(asked)
        reject_null(text)
        if lookup == "isnull":
            return boolean(text)
        if self.is_type:
            return text.replace("_", "")
        if lookup == "in":
            if not text:
                raise ParseError("cannot provide empty value for __in")
            return [comparable(self._typed(part)) for part in text.split(",")]
        if lookup in PATTERNS:
            return pattern(text)
        if lookup == "iexact" and not self.is_text:
            raise ParseError(f"{self.name} is not a text field and cannot be filtered by case-insensitive search")
        if self.is_json and self.is_nested:
            raise ParseError(f"Cannot resolve keyword '{self.name}' into field.")
        value = self._typed(asked)
        return value if lookup in TEXT else comparable(value)

    def condition(self, lookup: str, value: Any) -> Q:
        """The condition of this lookup for a ``value()``. Raises ParseError for what such a column is not asked."""
        if self.related is not None and lookup not in OF_RELATED:
            kind = "ManyToOneRel" if self.column.one_to_many else "ForeignKey"
            raise ParseError(f"Unsupported lookup '{lookup}' for {kind} or join on the field not permitted.")
        if value is None and lookup != "exact":
            raise ParseError("Cannot use None as a query value")
        if value is None:
            return Q(**{f"{self.field_name}__isnull": True})
        path = self.field_name
        if self.is_type:
            path += "__without_underscores"
        elif self.is_json and lookup not in ("in", "isnull"):
            path += "__as_text"
        return Q(**{f"{path}__{lookup}": value})

    def search(self, text: str) -> Q:
        """The condition that a text of the related record contains ``text``."""
        names = columns(self.related) if self.related is not None else ()
        searched = [name for name in SEARCHED_IN_RELATED if name in names]
        return _any(Q(**{f"{self.below(name)}__icontains": text}) for name in searched)

    def order(self, descending: bool) -> Any:
        """What orders a list by this, for QuerySet.order_by()."""
        path = self.field_name
        if self.related is not None and self.related in ORDERS:
            path = self.below(ORDERS[self.related])
        return f"-{path}" if descending else path

    def below(self, name: str) -> str:
        """Django's path to a column of the related record."""
        if isinstance(self.related, Unkept):
            return self.field_name.removesuffix(self.column.name) + dict(self.related.texts)[name]
        return f"{self.field_name}__{name}"

    def _typed(self, asked: str | int) -> Any:
        if self.related is not None:
            return related_id(self.name, str(asked))
        if isinstance(self.column, models.BooleanField):
            return boolean(str(asked))
        if self.is_json:
            return str(asked)
        try:
            return self.column.to_python(asked)
        except ValidationError as error:
            raise ParseError(json.dumps(error.messages, ensure_ascii=False)) from None
        except TypeError as error:  # an integer where a time should be
            raise ParseError(str(error)) from None


def reject_null(text: str) -> None:
    if "\0" in text:  # PostgreSQL has no such texts
        raise ParseError("Null characters are not allowed.")


def comparable(value: Any) -> Any:
    """What compares as ``value`` does, and that PostgreSQL can read."""
    if isinstance(value, Decimal):
        return short(value)
    return in_utc(value) if isinstance(value, datetime) else value


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


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        has_digits_alone = text.strip().lstrip("+-").isdecimal()  # so it is their number that Python does not take
        raise ParseError("A number has too many digits." if has_digits_alone else str(error)) from None


def related_id(name: str, text: str) -> int | None:
    if text.lower() in ("none", "null"):
        return None
    try:
        return int(text)
    except ValueError:
        raise ParseError(f"Invalid {name} id: {text}") from None


# What Python makes large tables for: characters beyond Latin 1, and case-insensitivity by Unicode's rules.
COSTLY = re.compile(
    r"(?P<escape>\\(?:u[0-9a-fA-F]{4}|U(?:000[0-9a-fA-F]|0010)[0-9a-fA-F]{4}|.))|(?P<character>[^\x00-\xff])|(?P<flags>\(\?[aiLmsx]*u)",
    re.DOTALL,
)
# What a later Python may understand otherwise is nothing that the log should tell of: PostgreSQL will read the pattern.
warnings.filterwarnings("ignore", message="Possible (nested )?set ", category=FutureWarning)
NOT_COSTLY = {6: r"\u00ff", 10: r"\U000000ff"}  # by the length of the escape


def pattern(text: str) -> str:
    """A regular expression. Raises ParseError where it is none, in Python's words, as AWX does.

    Python is asked about another one that is as right or wrong as ``text``, at the same place, and costs nothing to
    compile; only the database will use ``text`` itself.
    """
    if len(text) > LONGEST_PATTERN:
        raise ParseError(f"A regular expression may have at most {LONGEST_PATTERN} characters.")
    try:
        re.compile(COSTLY.sub(_not_costly, text), re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise ParseError(str(error)) from None
    return text


def _not_costly(part: re.Match[str]) -> str:
    if part["character"]:
        return "\xff"
    return f"{part['flags'][:-1]}a" if part["flags"] else NOT_COSTLY.get(len(part["escape"]), part["escape"])


def _any(conditions: Iterable[Q]) -> Q:
    met = Q()
    for condition in conditions:
        met |= condition
    return met


@dataclass(frozen=True)
class Condition:
    """One parameter of the query string, understood."""

    column: ColumnFilter
    lookup: str
    value: Any
    join: str  # "", "or" or "chain"
    negated: bool

    @property
    def q(self) -> Q:
        q = self.column.condition(self.lookup, self.value)
        return ~q if self.negated else q


@dataclass
class Understood:
    """A query string: its conditions, and for each text that is searched for the relation to search in."""

    conditions: list[Condition] = field(default_factory=list)
    searches: dict[str, ColumnFilter] = field(default_factory=dict)
    needs_every_term: bool = False

    def add(self, condition: Condition) -> None:
        self.conditions.append(condition)
        self._check_joins()

    def search(self, column: ColumnFilter, values: list[str]) -> None:
        """Add a search for any of the values, or, where the first one is a list, for every term of all."""
        if "," in values[0]:
            self.needs_every_term = True
            values = ",".join(values).split(",")
        self.searches.update(dict.fromkeys(values, column))
        self._check_joins()

    def _check_joins(self) -> None:
        crossing = sum(condition.column.crosses for condition in self.conditions) + len(self.searches)
        if crossing > MOST_JOINS:
            raise ParseError(TOO_MANY_CONDITIONS)

    def narrow(self, records: QuerySet[Any]) -> QuerySet[Any]:
        """Those of ``records`` that are asked for; distinct where AWX makes them so."""
        found = [column.search(text) for text, column in self.searches.items()]
        for q in found if self.needs_every_term else ():
            records = records.filter(q)
        for condition in self._joined("chain"):
            records = records.filter(condition.q)
        all_of = [condition.q for condition in self._joined("")]
        any_of = [condition.q for condition in self._joined("or")]
        records = records.filter(*all_of, _any(any_of), _any(() if self.needs_every_term else found))
        repeats = self.searches or any(condition.column.repeats for condition in self.conditions)
        return records.distinct() if repeats else records

    def _joined(self, join: str) -> list[Condition]:
        return [condition for condition in self.conditions if condition.join == join]


class Filters(FilterSet):
    """The filters of one model. Subclasses name it in ``Meta``."""

    filters: dict[str, ColumnFilter]

    class Meta:
        model: ClassVar[type[models.Model]]

    @classmethod
    def get_filters(cls) -> dict[str, ColumnFilter]:
        model = getattr(cls._meta, "model", None)
        return {} if model is None else dict(_filters(model, "", "", HOPS, frozenset()))

    @classmethod
    def related_searches(cls) -> list[str]:
        """The names that search in related records."""
        return [f"{name}__search" for name in RELATIONS[cls._meta.model]]

    @property
    def model(self) -> type[models.Model]:
        return self._meta.model

    @property
    def qs(self) -> QuerySet[Any]:
        """The records that meet every condition of the query string."""
        return self.understood().narrow(self.queryset)

    def understood(self) -> Understood:
        """The query string; raises ParseError or PermissionDenied for the first parameter that is not right."""
        check_size(self.data)
        understood = Understood()
        for key, values in self.data.lists():
            if key in RESERVED:
                continue
            name = key.removesuffix("__int")
            if name.endswith("__search"):
                understood.search(self._searched(name), values)
                continue
            for value in values:
                asked = value if name == key else integer(value)
                join, negated, path, lookup = parsed(name)
                column = self.find(path)
                understood.add(Condition(column, lookup, column.value(lookup, asked), join, negated))
        return understood

    def _searched(self, name: str) -> ColumnFilter:
        """The filter of the relation that ``<relation>__search`` searches in."""
        reject_foreign(name)
        path = name.removesuffix("__search")
        column = self.find(path)
        if column.related is None:
            raise ParseError(f"{path} is not searchable")
        return column

    def find(self, path: str) -> ColumnFilter:
        """The filter of this path. Raises ParseError, or PermissionDenied for what nobody may filter by."""
        found = self.filters.get(path)
        if found is None:
            raise unknown(self.model, path.split("__"))
        return found


def may_be_slow(filterset: type[Filters], query: QueryDict) -> bool:
    """Whether the database may need long for what a list is asked: for texts, for relations, and for jobs.

    Jobs are many; what is asked of the other records' own columns is found at once.
    """
    orders = {name.removeprefix("-") for key in ("order_by", "order") for name in query.get(key, "").split(",")}
    asked = query.keys() - (RESERVED - {"search", "type"}) | orders - {""}
    if not asked or "search" in asked or filterset.Meta.model is UnifiedJob:
        return bool(asked)
    crossing: Any = filterset.base_filters
    return any("__" in name or (name in crossing and crossing[name].crosses) for name in asked)


WORDS = re.compile(r"[^\s,]+")
TERMS = re.compile(r"[^,]+")


def check_size(query: QueryDict) -> None:
    """Count what the query string asks for, before any of it is understood. Raises ParseError for too much.

    Each term of a search is a condition; a phrase in quotes counts by its words.
    """
    conditions = patterns = 0
    for key, values in query.lists():
        terms = WORDS if key == "search" else TERMS if key.endswith("__search") else None
        if terms is not None:
            conditions += sum(1 for value in values for _ in islice(terms.finditer(value), MOST_CONDITIONS + 1))
        elif key not in RESERVED:
            conditions += len(values)
            patterns += len(values) * key.removesuffix("__int").endswith(("__regex", "__iregex"))
        if conditions > MOST_CONDITIONS:
            raise ParseError(TOO_MANY_CONDITIONS)
        if patterns > MOST_PATTERNS:
            raise ParseError(f"A query may have at most {MOST_PATTERNS} regular expressions.")


def parsed(key: str) -> tuple[str, bool, str, str]:
    """How the condition joins the others, whether it is negated, the path of its field, and its lookup."""
    join = next((join for join in JOINS if key.startswith(f"{join}__")), "")
    name = key.removeprefix(f"{join}__") if join else key
    negated = name.startswith("not__")
    name = name.removeprefix("not__")
    reject_foreign(name)
    path, separator, lookup = name.rpartition("__")
    if not separator or lookup not in LOOKUPS:
        path, lookup = name, "exact"
    if not path:
        raise ParseError("Query string field name not provided.")
    return join, negated, path, lookup


def reject_foreign(name: str) -> None:
    if not name.isascii():
        raise ParseError(f"{name!r} is not an allowed field name. Must be ascii encodable.")


def _filters(
    model: Any, names: str, path: str, hops: int, followed: frozenset[tuple[Related, str]]
) -> Iterator[tuple[str, ColumnFilter]]:
    """The filters of ``model``, which ``names`` leads to in AWX's words and ``path`` in Django's."""
    aliases = ALIASES.get(model, {})
    for name, column in columns(model).items():
        yield f"{names}{name}", ColumnFilter(f"{path}{name}", name, column)
    for name, own in aliases.items():
        if name not in RELATIONS[model]:
            yield f"{names}{name}", ColumnFilter(f"{path}{own}", own, model._meta.get_field(own))
    yield f"{names}pk", ColumnFilter(f"{path}pk", model._meta.pk.name, model._meta.pk)
    for name, related in RELATIONS[model].items():
        if (model, name) in followed:
            continue
        own = aliases.get(name, name)
        column = ColumnFilter(f"{path}{own}", name, model._meta.get_field(own), related)
        yield f"{names}{name}", column
        if isinstance(related, Unkept):
            yield from _texts(f"{names}{name}__", column)
        elif hops:
            yield from _filters(related, f"{names}{name}__", f"{path}{own}__", hops - 1, followed | {(model, name)})


def _texts(names: str, column: ColumnFilter) -> Iterator[tuple[str, ColumnFilter]]:
    """The filters of what is told of records that are not kept."""
    for name in ("id", "pk"):
        yield f"{names}{name}", ColumnFilter(column.field_name, "id", models.BigAutoField())
    related: Any = column.related
    for name, text in columns(related).items():
        yield f"{names}{name}", ColumnFilter(column.below(name), name, text)


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
    return groups.where_role(Reader.of(request.user), request.query_params["role_level"])


class FieldFilter(DjangoFilterBackend):
    """Narrows a list by the view's ``filterset_class``."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if not request.query_params.keys() - (RESERVED - {"role_level"}):
            check_size(request.query_params)  # a search may be long
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        understood = None if filterset is None else filterset.understood()
        if "role_level" in request.query_params:
            queryset = of_role_level(queryset, request)
        if understood is None:
            return queryset
        return understood.narrow(through_what_is_visible(queryset, Reader.of(request.user)))


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
    """``order_by`` or ``order``: fields separated by commas, each with ``-`` to reverse it. The last of both counts.

    Where they leave records equal, the view's own ``ordering`` decides, if it has one.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        asked = [str(value) for key, value in request.query_params.items() if key in ("order_by", "order")]
        names = [name for name in ",".join(asked[-1:]).split(",") if name]
        if len(names) > MOST_JOINS:
            raise ParseError(f"A list can be ordered by at most {MOST_JOINS} fields.")
        if not names or getattr(view, "filterset_class", None) is None:
            return queryset
        filterset = view.filterset_class(request.query_params, queryset=queryset)
        orders = (filterset.find(name.removeprefix("-")).order(name.startswith("-")) for name in names)
        return through_what_is_visible(queryset, Reader.of(request.user)).order_by(*orders, *view.ordering)
