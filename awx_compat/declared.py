"""Fields that no serializer has: of records that this service does not store, and of AWX's settings.

A declaration imports neither Django nor DRF, so that dialects may import it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Choices = Mapping[Any, str]  # the label of each value


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field as OPTIONS describes it."""

    kind: str  # AWX's word for the kind of value
    choices: Choices | Callable[[Any], Choices] = field(default_factory=dict)  # or which of a dialect; none: any value

    def choices_of(self, dialect: Any) -> list[list[Any]]:
        """The pairs of a value and its label in this dialect."""
        choices = self.choices(dialect) if callable(self.choices) else self.choices
        return [list(pair) for pair in choices.items()]


TEXT, NUMBER, FLAG = Field(kind="string"), Field(kind="integer"), Field(kind="boolean")
TIME, DATE = Field(kind="datetime"), Field(kind="date")
RECORD, OBJECT, JSON, COMPUTED = Field(kind="id"), Field(kind="object"), Field(kind="json"), Field(kind="field")


def each(declared: Field, *names: str) -> Mapping[str, Field]:
    """The same field under each of these names."""
    return dict.fromkeys(names, declared)


def choice(*values: str, labels: Choices | None = None) -> Field:
    """One of ``values``, labelled by themselves, or one of those with ``labels``."""
    return Field(kind="choice", choices=labels or {value: value.replace("_", " ").title() for value in values})


def label_of(name: str) -> str:
    return "ID" if name == "id" else name.replace("_", " ").capitalize()
