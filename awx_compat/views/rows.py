"""Lists of rows that are no table's, with the few of AWX's filters that they take."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from rest_framework.exceptions import ParseError

from awx_compat.filters import TEXT
from awx_compat.filters.conditions import disjunction
from awx_compat.filters.limits import RESERVED, WORDS, check_size
from awx_compat.filters.values import reject_null
from awx_compat.views.base import ListView, id_in, is_id

NUMBER = {"type": "integer", "minimum": 0}  # the schema of a filter by a number


class RowList(ListView):
    """A page of rows, by id. Filters compare a number, or a text by a lookup that texts have."""

    filter_backends = ()  # these read tables
    model_name: str  # of AWX's model, in messages
    columns: Mapping[str, str]  # that a request may filter by: AWX's name of each, and that of the rows
    texts: frozenset[str] = frozenset()  # those that have texts

    def order(self) -> str:
        """The column to order by. Raises ParseError."""
        name = self.request.query_params.get("order_by") or "id"
        if name.removeprefix("-") != "id":
            raise ParseError(f"{self.model_name} can be ordered by id alone here.")
        return name.replace("id", self.columns["id"])

    def conditions(self) -> Q:
        """What the request wants of a row: all of its conditions. Raises ParseError."""
        query = self.request.query_params
        check_size(query)
        wanted = Q()
        for key, values in query.lists():
            for value in values if key == "search" or key not in RESERVED else ():
                wanted &= self.search(value) if key == "search" else self.condition(key, value)
        return wanted

    def search(self, text: str) -> Q:
        """That one of the row's texts contains each term of ``text``; anything where rows have no texts."""
        reject_null(text)
        found = Q()
        for term in WORDS.findall(text):
            found &= disjunction(Q(**{f"{self.columns[name]}__icontains": term}) for name in self.texts)
        return found

    def condition(self, key: str, value: str) -> Q:
        """The condition that a parameter sets. Raises ParseError."""
        name, _, lookup = key.partition("__")
        if name in self.texts and lookup in {"", "exact", *TEXT}:
            reject_null(value)
            return Q(**{f"{self.columns[name]}__{lookup or 'exact'}": value})
        if key in self.columns:
            return Q(**{self.columns[key]: self.number(key, value)})
        raise ParseError(f"{self.model_name} has no field named '{key}' here.")

    def number(self, name: str, text: str) -> Any:
        """What the column ``name`` has to be. Raises ParseError where ``text`` is no number."""
        if not is_id(text):
            raise ParseError(f"{name} must be a number.")
        return id_in(text)
