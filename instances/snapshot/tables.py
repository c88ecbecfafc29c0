"""The lists of a snapshot and the tables that they fill."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import UniqueConstraint
from oauth2_provider.models import get_access_token_model

from instances import tokens
from instances.lifecycle import LONGEST_HOSTNAME, refuse_control_characters
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, UnifiedJob, User
from instances.models.address import HIGHEST_PORT
from instances.snapshot.columns import Column, column, written
from instances.snapshot.problems import shown

AccessToken: type[models.Model] = get_access_token_model()
Membership = InstanceGroup.instances.through


@dataclass(frozen=True, eq=False)
class Table:
    """A table and those of its columns that records of a snapshot fill."""

    model: type[models.Model]
    columns: tuple[Column, ...]
    owner: str = ""
    """The foreign key to the owner of the row, where the records are part of another record."""
    released: Mapping[str, Any] = field(default_factory=dict)
    """What rows that are to be updated have meanwhile in columns on which a partial constraint depends."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """For a column whose records have another value than the model's own column, where that value is stored."""

    @cached_property
    def keys(self) -> list[tuple[str, ...]]:
        """The columns, and combinations of columns, that no two rows share."""
        meta = self.model._meta
        attnames = {field.name: field.attname for field in meta.concrete_fields}
        names_of_keys: list[Sequence[str]] = [[field.name] for field in meta.concrete_fields if field.unique]
        names_of_keys += meta.unique_together
        rules = [rule for rule in meta.constraints if isinstance(rule, UniqueConstraint)]
        # A foreign key is unique under a condition on other columns.
        names_of_keys += [rule.fields for rule in rules if rule.condition is None or not is_reference(meta, rule)]
        keys = [tuple(attnames[name] for name in names) for names in names_of_keys]
        filled = {self.owner, *(column.attname for column in self.columns)}
        return [key for key in keys if filled.issuperset(key)]


def is_reference(meta: Any, rule: UniqueConstraint) -> bool:
    return any(meta.get_field(name).is_relation for name in rule.fields)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row to be written: its values by attname, and its place in the snapshot."""

    place: str
    values: dict[str, Any]


def columns(
    model: type[models.Model], *, only: Collection[str] = (), without: Collection[str] = ()
) -> tuple[Column, ...]:
    """The columns whose key is their own name: all of the model, ``only`` those, or all ``without`` those."""
    fields = [field for field in model._meta.concrete_fields if field.name not in without]
    return tuple(column(field) for field in fields if not only or field.name in only)


def with_hostnames(of_instances: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of instances, with a validator that refuses control characters in hostnames."""
    rule = [refuse_control_characters]
    hostname = column(models.CharField(max_length=LONGEST_HOSTNAME, validators=rule), "hostname", "hostname")
    return tuple(hostname if each.key == "hostname" else each for each in of_instances)


def known_scopes(value: str) -> None:
    """Validator: ``value`` is made of the scopes that tokens have."""
    known: dict[str, str] = settings.OAUTH2_PROVIDER["SCOPES"]  # type: ignore[assignment]
    for scope in value.split():
        if scope not in known:
            raise ValidationError(f"{shown(scope)} is not one of {', '.join(known)}")


def checksum(value: Any) -> str:
    """What is stored of a token (RFC 9700)."""
    token: str = TOKEN_TEXT.convert(value)
    return tokens.checksum(token)


# Plain text in a snapshot, hashes in the database. To hash passwords takes long, so it is done after all checks.
PASSWORD = column(models.TextField(null=True), "password", "password")
TOKEN_TEXT = column(models.TextField(), "token", "token_checksum")
TOKEN = replace(TOKEN_TEXT, convert=checksum)
TOKEN_SCOPE = column(models.TextField(blank=True, default="write", validators=[known_scopes]), "token_scope", "scope")

USERS = Table(User, (*columns(User, without=["password", "mirrored"]), PASSWORD))
TOKENS = Table(AccessToken, (column(AccessToken._meta.pk, "token_id"), TOKEN, TOKEN_SCOPE), owner="user_id")
ROLES = Table(InstanceGroupRole, columns(InstanceGroupRole, only=["instance_group", "role"]), owner="user_id")
INSTANCES = Table(Instance, with_hostnames(columns(Instance)))
RELEASED = {"canonical": False}
ADDRESSES = Table(ReceptorAddress, columns(ReceptorAddress), released=RELEASED)
LINKS = Table(InstanceLink, columns(InstanceLink))
# In AWX 23 an instance has what its canonical address has here, and a link leads to an instance.
PORTS = [MinValueValidator(0), MaxValueValidator(HIGHEST_PORT)]
LISTENER = (
    column(models.IntegerField(null=True, validators=PORTS), "listener_port", "port"),
    column(ReceptorAddress._meta.get_field("peers_from_control_nodes")),
)
TO_INSTANCES = Table(
    InstanceLink,
    tuple(replace(each, target=Instance) if each.key == "target" else each for each in LINKS.columns),
    paths={"target_id": "target__instance_id"},
)
GROUPS = Table(InstanceGroup, columns(InstanceGroup, without=["credential_summary"]))
GROUP_SUMMARY = (column(InstanceGroup._meta.get_field("credential_summary"), "credential"),)
MEMBERS = Table(Membership, (column(Membership._meta.get_field("instance"), ""),), owner="instancegroup_id")

# Some columns of a job come from the record, the others from AWX's representation in it.
JOB_RECORD = ["id", "task_impact", "instance_group", "execution_node", "controller_node", "representation"]
REPRESENTATION = column(UnifiedJob._meta.get_field("representation"))
JOBS = Table(
    UnifiedJob,
    (*columns(UnifiedJob, only=JOB_RECORD, without=[REPRESENTATION.key]), replace(REPRESENTATION, convert=written)),
)
ELAPSED = column(UnifiedJob._meta.get_field("elapsed"))


def milliseconds(value: Any) -> Any:
    """``elapsed`` in seconds, which AWX shows to the microsecond while a job is active and else to the millisecond."""
    return ELAPSED.convert(round(value, 3) if type(value) is float else value)


JOB_REPRESENTATION = (
    *columns(UnifiedJob, without=[*JOB_RECORD, ELAPSED.key]),
    replace(ELAPSED, convert=milliseconds),
)
