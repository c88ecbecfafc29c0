"""The filterable columns and relations of each model, and their names in AWX; the dialects have their own of some."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from oauth2_provider.models import AccessToken
from rest_framework.exceptions import APIException, ParseError, PermissionDenied

from awx_compat import dialects
from instances.models import Instance, InstanceGroup, UnifiedJob, User


@dataclass(frozen=True)
class Unkept:
    """A model of AWX that this service has not: another record has the id and some texts of each of its records.

    ``texts``: AWX's names for these and, as Django's paths, where they are beside the id.
    """

    name: str
    texts: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = frozenset()


CREDENTIAL = Unkept(
    "Credential",
    texts=(("name", "credential_summary__told_name"), ("description", "credential_summary__told_description")),
    secrets=frozenset({"inputs"}),
)
TEMPLATE = Unkept("UnifiedJobTemplate", texts=(("name", "representation__name_of_template"),))
ENVIRONMENT = Unkept("ExecutionEnvironment")
APPLICATION = Unkept(
    "OAuth2Application",
    texts=(("name", "application__name"),),
    secrets=frozenset({"client_secret"}),
)
Related = type[models.Model] | Unkept


@dataclass(frozen=True, eq=False, kw_only=True)
class FilterNames:
    """What a dialect calls that which can be filtered by: its module ``names`` has them as ``NAMES``."""

    relations: Mapping[Related, Mapping[str, Related]]
    """The relations of each model that filters follow, in the order in which OPTIONS lists them."""

    unlisted: frozenset[str] = frozenset()
    """The names of those that OPTIONS does not list."""

    paths: Mapping[Related, Mapping[str, str]]
    """For columns and relations that stand elsewhere here, or have another name, Django's path."""

    hidden: Mapping[Related, Collection[str]]
    """The columns that AWX does not have."""


RELATIONS: Mapping[Related, Mapping[str, Related]] = {
    InstanceGroup: {"instances": Instance, "credential": CREDENTIAL, "unifiedjob": UnifiedJob},
    UnifiedJob: {
        "instance_group": InstanceGroup,
        "unified_job_template": TEMPLATE,
        "execution_environment": ENVIRONMENT,
    },
    User: {},
    AccessToken: {"user": User, "application": APPLICATION},
    CREDENTIAL: {},
    TEMPLATE: {},
    ENVIRONMENT: {},
    APPLICATION: {},
}  # in all dialects, as are the next two
PATHS: Mapping[Related, Mapping[str, str]] = {
    User: {"created": "date_joined"},
    InstanceGroup: {"unifiedjob": "jobs"},
    AccessToken: {"modified": "updated"},
}
HIDDEN: Mapping[Related, Collection[str]] = {
    InstanceGroup: {"credential_summary"},
    UnifiedJob: {"representation"},
    User: {"is_staff", "is_system_auditor", "date_joined", "mirrored"},
    AccessToken: {"token", "token_checksum", "source_refresh_token", "id_token", "resource", "updated"},
}
# The columns that no table has: all querysets of the model that are filtered annotate them, as ``tokens.every()`` does.
ANNOTATED: Mapping[Related, Mapping[str, models.Field[Any, Any]]] = {
    AccessToken: {"description": models.TextField(), "last_used": models.DateTimeField(null=True)},
}
FORBIDDEN: Mapping[Related, Collection[str]] = {InstanceGroup: {"pod_spec_override"}, User: {"password"}}
# How AWX orders by a relation, where that is not by id.
ORDERS: dict[Related, str] = {Instance: "hostname", CREDENTIAL: "name", TEMPLATE: "name", APPLICATION: "name"}
# What AWX calls a model that has another name here.
MODEL_NAMES: Mapping[Related, str] = {AccessToken: "OAuth2AccessToken"}
HOPS = 2  # relations that a filter may follow
SEARCHED_IN_RELATED = ("username", "first_name", "last_name", "email", "name", "description")


def names() -> FilterNames:
    """Those of the current dialect."""
    found: FilterNames = dialects.module("names").NAMES
    return found


def relations(model: Related) -> Mapping[str, Related]:
    return names().relations.get(model, {})


def columns(model: Related) -> dict[str, models.Field[Any, Any]]:
    """The columns of ``model`` that may be filtered by."""
    return columns_by(names(), model)


@functools.cache
def columns_by(names: FilterNames, model: Related) -> dict[str, models.Field[Any, Any]]:
    if isinstance(model, Unkept):
        return {name: models.TextField(null=True) for name, _ in model.texts}
    left_out = {*FORBIDDEN.get(model, ()), *names.hidden.get(model, ())}
    fields = {field.name: field for field in model._meta.concrete_fields if field.name not in left_out}
    fields |= {name: field_at(model, path) for name, path in names.paths.get(model, {}).items()}
    fields |= ANNOTATED.get(model, {})
    return {name: field for name, field in fields.items() if name not in names.relations.get(model, ())}


def path_of(model: Related, name: str) -> str:
    """Django's path to the column or relation that AWX calls ``name``."""
    return names().paths.get(model, {}).get(name, name)


def field_at(model: type[models.Model], path: str) -> Any:
    """The last field on Django's ``path``, behind which transforms may follow."""
    name, _, further = path.partition("__")
    field = model._meta.get_field(name)
    if not further or field.related_model is None:
        return field
    return field_at(field.related_model, further)


def is_filterable(model: type[models.Model], name: str) -> bool:
    """Whether OPTIONS calls the field filterable: columns are, relations to several records are not."""
    if name in relations(model):
        return any(field.name == name for field in model._meta.concrete_fields)
    return name in columns(model) or name in FORBIDDEN.get(model, ())


def name_of(model: Related) -> str:
    """What AWX calls the model."""
    if isinstance(model, Unkept):
        return model.name
    return MODEL_NAMES.get(model, model.__name__)


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
        if name in relations(here):
            here = relations(here)[name]
        elif name in columns(here) or name == "pk" or (name == "id" and isinstance(here, Unkept)):
            here = None
        elif isinstance(here, Unkept):
            if name in here.secrets:
                return PermissionDenied("Filtering on password fields is not allowed.")
            return ParseError(f"{name_of(here)} has no field named '{name}'")
        elif name in FORBIDDEN.get(here, ()):
            return PermissionDenied(f"Filtering on {name} is not allowed.")
        else:
            return ParseError(f"{name_of(here)} has no field named '{name}'")
    return ParseError(f"Filters follow at most {HOPS} relations.")
