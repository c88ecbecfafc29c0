"""DRF filter backends: filters, search and order of a list by its query string."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import filters
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from awx_compat.filters.limits import MOST_JOINS, RESERVED, check_size
from awx_compat.filters.values import reject_null
from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.reader import Reader
from instances.visibility import through_what_is_visible


def of_role_level(records: QuerySet[Any], request: Request, reader: Reader) -> QuerySet[Any]:
    """Only the records on which the user has the role, or one that includes it."""
    if records.model is not InstanceGroup:
        raise ParseError(
            "Cannot apply role_level filter to this list because its model does not use roles for access control."
        )
    groups: Any = records
    return groups.where_role(reader, request.query_params["role_level"])


class FieldFilter(DjangoFilterBackend):
    """Narrows a list by the view's ``filterset_class``."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if not request.query_params.keys() - (RESERVED - {"role_level"}):
            check_size(request.query_params)  # a search may be long
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        understood = None if filterset is None else filterset.understood()
        if "role_level" in request.query_params:
            queryset = of_role_level(queryset, request, view.reader)
        if understood is None:
            return queryset
        return understood.narrow(through_what_is_visible(queryset, view.reader))


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
        given = [str(value) for key, value in request.query_params.items() if key in ("order_by", "order")]
        names = [name for name in ",".join(given[-1:]).split(",") if name]
        if len(names) > MOST_JOINS:
            raise ParseError(f"A list can be ordered by at most {MOST_JOINS} fields.")
        if not names or getattr(view, "filterset_class", None) is None:
            return queryset
        filterset = view.filterset_class(request.query_params, queryset=queryset)
        orders = (filterset.find(name.removeprefix("-")).order(name.startswith("-")) for name in names)
        records = through_what_is_visible(queryset, view.reader)
        if any(name.lstrip("-").startswith("rampart_groups") for name in names):
            records = through_visible_groups(records, view.reader)
        return records.order_by(*orders, *view.ordering)


def through_visible_groups(records: QuerySet[Any], reader: Reader) -> QuerySet[Any]:
    """Join the groups that an order by groups looks at: as in AWX, those by which a reader sees the instances.

    A condition on groups has joined others already, and for who sees everything these are all groups.
    """
    joined = {join.table_name for join in records.query.alias_map.values()}
    is_joined = InstanceGroup.instances.through._meta.db_table in joined
    if records.model is not Instance or reader.sees_everything or is_joined:
        return records
    return records.filter(rampart_groups__in=InstanceGroup.objects.visible_to(reader))
