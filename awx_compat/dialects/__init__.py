"""The versions of AWX that the service can speak as: what differs between them, one declaration for each.

base.py    the fields of a declaration, each of them something that versions say differently.
awx23.py   AWX 23.6.0
awx24.py   AWX 24.6.1
*_names.py, *_instances.py, *_urls.py   what refers to models, serializers and views

``AWX_VERSION`` chooses one for the whole process. All other code reads fields of ``current()``, and never compares
versions. The declarations are imported by the settings, and so import neither models nor views.
"""

import importlib
import operator
from typing import Any

from django.conf import settings

from awx_compat.dialects import awx23, awx24
from awx_compat.dialects.base import Dialect

__all__ = ["DIALECTS", "Chosen", "Dialect", "chosen", "current", "module"]

DIALECTS = {dialect.version: dialect for dialect in (awx23.DIALECT, awx24.DIALECT)}


def current() -> Dialect:
    """The dialect of this process."""
    return DIALECTS[settings.AWX_VERSION]


def module(part: str) -> Any:
    """The current dialect's module for this part, a field of ``Dialect``."""
    return importlib.import_module(getattr(current(), part))


class Chosen:
    """A class attribute that is what the current dialect's module for a part has under this dotted name.

    Of a view it is looked up once, when its route is made.
    """

    def __init__(self, part: str, name: str) -> None:
        self.part, self.value_in = part, operator.attrgetter(name)

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.value_in(module(self.part))


def chosen(owner: type) -> dict[str, Any]:
    """What the current dialect has for each attribute of the class that is ``Chosen``."""
    attributes = {name: value for base in reversed(owner.__mro__) for name, value in vars(base).items()}
    return {name: getattr(owner, name) for name, value in attributes.items() if isinstance(value, Chosen)}
