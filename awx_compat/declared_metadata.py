"""OPTIONS of what is declared without serializers: the collections that are not stored, and the settings."""

import functools
from typing import Any

from awx_compat.awx_settings import Category, Setting, category_of
from awx_compat.declared import label_of
from awx_compat.dialects import Dialect
from awx_compat.metadata import HELP_TEXTS, Description
from awx_compat.not_stored import Collection
from awx_compat.pagination import Pagination

NO_COLUMNS = ("url", "related", "summary_fields")  # of any record


@functools.cache
def options_of_collection(collection: Collection, dialect: Dialect) -> dict[str, Any]:
    """What OPTIONS says of the records of a collection; nobody can write them."""
    searches = {
        "search_fields": collection.search_fields,
        "related_search_fields": collection.related_search_fields,
    }
    return {
        "actions": {"GET": {name: described_field(collection, name, dialect) for name in collection.all_fields}},
        "types": [collection.record_type],
        **(searches if collection.search_fields else {}),
        "max_page_size": Pagination.max_page_size,
    }


def described_field(collection: Collection, name: str, dialect: Dialect) -> Description:
    """A field of a record."""
    field = collection.all_fields[name]
    info: Description = {"type": field.kind, **dialect.options_of_fields, "label": label_of(name)}
    if name in HELP_TEXTS:
        info["help_text"] = HELP_TEXTS[name].format(collection.noun)
    if name != "type":
        info["filterable"] = name not in NO_COLUMNS
    if choices := field.choices_of(dialect):
        info["choices"] = choices
    return info


@functools.cache
def settings_read(category: Category, dialect: Dialect) -> dict[str, Description]:
    """The settings of a category."""
    return {
        name: {**described_setting(name, setting, dialect), "defined_in_file": True}
        for name, setting in category.settings.items()
    }


@functools.cache
def settings_written(category: Category, dialect: Dialect) -> dict[str, Description]:
    """Those that AWX lets users change, as its web interface and command line read them, with AWX's defaults."""
    return {
        name: {**described_setting(name, setting, dialect), "required": False, "default": setting.default}
        for name, setting in category.settings.items()
        if not setting.is_read_only
    }


def described_setting(name: str, setting: Setting, dialect: Dialect) -> Description:
    category = category_of(name)
    info: Description = {"type": setting.kind, **dialect.options_of_fields, "label": label_of(name)}
    info |= {"help_text": setting.help_text, "category": category.name, "category_slug": category.slug}
    info |= {"unit": setting.unit} if setting.unit else {}
    info |= {"child": {"type": setting.child}} if setting.child else {}
    info |= {"choices": choices} if (choices := setting.choices_of(dialect)) else {}
    return info
