"""The kinds of AWX's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from awx_compat.declared import Choices, Field


@dataclass(frozen=True, kw_only=True)
class Setting(Field):
    """One of AWX's settings."""

    default: Any
    help_text: str
    unit: str = ""
    child: str = ""  # the kind of the items of a list, or of the values of an object
    source: Callable[[Any], Any] | None = None  # its value in this service's settings
    is_read_only: bool = False  # in AWX, too

    def value(self, settings: Any) -> Any:
        return self.default if self.source is None else self.source(settings)


Settings = Mapping[str, Setting]


def flag(help_text: str, default: bool = False, **more: Any) -> Setting:
    return Setting(kind="boolean", default=default, help_text=help_text, **more)


def number(help_text: str, default: int | None = 0, **more: Any) -> Setting:
    return Setting(kind="integer", default=default, help_text=help_text, **more)


def seconds(help_text: str, default: int = 0, **more: Any) -> Setting:
    return number(help_text, default, unit="seconds", **more)


def text(help_text: str, default: str | None = "", **more: Any) -> Setting:
    return Setting(kind="string", default=default, help_text=help_text, **more)


def one_of(help_text: str, default: str | None, choices: Choices) -> Setting:
    return Setting(kind="choice", default=default, help_text=help_text, choices=choices)


def items(help_text: str, default: list[str] | None, **more: Any) -> Setting:
    return Setting(kind="list", default=default, help_text=help_text, child="string", **more)


def mapping(help_text: str, default: dict[str, Any] | None, child: str = "field", **more: Any) -> Setting:
    return Setting(kind="nested object", default=default, help_text=help_text, child=child, **more)
