"""The records of a queryset, by pages."""

from __future__ import annotations

from typing import Any


class Listing:
    """The records of a queryset, by pages."""

    ordered = True

    def __init__(self, queryset: Any) -> None:
        self.queryset = queryset

    def count(self) -> int:
        return int(self.queryset.count())

    def __getitem__(self, page: slice) -> list[Any]:
        """The records from ``page.start`` to before ``page.stop``."""
        return list(self.queryset[page])

    @property
    def is_totally_ordered(self) -> bool:
        return is_totally_ordered(self.queryset)

    def totally_ordered(self) -> Listing:
        """The same, where records that are equal in the order come by id."""
        return self if self.is_totally_ordered else Listing(by_id_at_last(self.queryset))


class KeyedListing(Listing):
    """The records of ``queryset`` that ``keys``, a queryset of the same records' keys, names: as often, in its order.

    What is joined to filter or to order by may name a record more than once. Only its key is then compared and sorted,
    and what is computed of a record is computed for the page alone.
    """

    def __init__(self, queryset: Any, keys: Any) -> None:
        super().__init__(queryset)
        self.keys = keys

    def count(self) -> int:
        """Records, each once if the keys are distinct, however often its order lets it come."""
        return int(self.keys.count())

    def __getitem__(self, page: slice) -> list[Any]:
        keys = list(self.keys[page])
        found = {record.pk: record for record in self.queryset.filter(pk__in=keys).order_by()} if keys else {}
        return [found[key] for key in keys if key in found]

    @property
    def is_totally_ordered(self) -> bool:
        return is_totally_ordered(self.keys)

    def totally_ordered(self) -> KeyedListing:
        return self if self.is_totally_ordered else KeyedListing(self.queryset, by_id_at_last(self.keys))


def listing_of(queryset: Any, chosen: Any) -> Listing:
    """The listing of ``chosen``: what filters, which may have joined other records, left of ``queryset``."""
    if not order_names(chosen) <= columns_of(chosen).keys():
        keys = chosen.values_list("pk", flat=True)
        return KeyedListing(queryset, keys.distinct() if joins(queryset) else keys)
    may_repeat = chosen.query.distinct and joins(chosen)
    chosen.query.distinct = False  # it would compare all that is computed of a record
    if may_repeat:
        return Listing(queryset.filter(pk__in=chosen.order_by().values("pk")).order_by(*chosen.query.order_by))
    return Listing(chosen)


def joins(queryset: Any) -> bool:
    """Whether the conditions of ``queryset`` read other tables than its own."""
    references: dict[str, int] = queryset.query.alias_refcount
    return sum(count > 0 for count in references.values()) > 1


def order_names(queryset: Any) -> set[str]:
    return {str(name).removeprefix("-") for name in queryset.query.order_by}


def columns_of(queryset: Any) -> dict[str, bool]:
    """The columns of the records themselves, and whether each is unique."""
    return {field.name: field.unique for field in queryset.model._meta.concrete_fields} | {"pk": True}


def by_id_at_last(queryset: Any) -> Any:
    return queryset.order_by(*queryset.query.order_by, "pk")


def is_totally_ordered(queryset: Any) -> bool:
    """Whether no two rows of ``queryset`` are equal in its order, which follows no relation that could repeat a row."""
    names, columns = order_names(queryset), columns_of(queryset)
    return names <= columns.keys() and any(columns[name] for name in names)
