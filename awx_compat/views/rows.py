"""Lists of rows that are no table's, with the few of AWX's filters that they take."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError

from awx_compat.filters import TEXT
from awx_compat.filters.limits import RESERVED
from awx_compat.filters.values import reject_null
from awx_compat.views.base import ListView, id_in, is_id


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

    def conditions(self) -> dict[str, Any]:
        """The conditions of the request, as Django names them. Raises ParseError."""
        found: dict[str, Any] = {}
        for key, value in self.request.query_params.items():
            name, _, lookup = key.partition("__")
            if key in RESERVED:
                continue
            if name in self.texts and lookup in {"", "exact", *TEXT}:
                reject_null(str(value))
                found[f"{self.columns[name]}__{lookup or 'exact'}"] = value
            elif key in self.columns:
                found[self.columns[key]] = self.number(key, str(value))
            else:
                raise ParseError(f"{self.model_name} has no field named '{key}' here.")
        return found

    def number(self, name: str, text: str) -> Any:
        """What the column ``name`` has to be. Raises ParseError where ``text`` is no number."""
        if not is_id(text):
            raise ParseError(f"{name} must be a number.")
        return id_in(text)
