"""The lists of a snapshot and the tables that they fill."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, is_password_usable
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import UniqueConstraint
from django.db.models.functions import Coalesce
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from instances import tokens
from instances.lifecycle import LONGEST_HOSTNAME, refuse_control_characters
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, ReceptorAddress, UnifiedJob, User
from instances.models.address import HIGHEST_PORT
from instances.models.user import LONGEST_DESCRIPTION
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
    key: str = ""
    """Of the owner's record, where that has a list of these records."""
    released: Mapping[str, Any] = field(default_factory=dict)
    """What rows that are to be updated have meanwhile in columns on which a partial constraint depends."""
    paths: Mapping[str, Any] = field(default_factory=dict)
    """For a column whose records have another value than the model's own column, where that value is stored: a path of
    names, or an expression."""

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


def known_hash(value: str) -> None:
    """Validator: ``value`` is a password's hash by a hasher of this service, or one that no password has."""
    try:
        if is_password_usable(value):
            identify_hasher(value)
    except ValueError:
        raise ValidationError("is not the hash of a password") from None


def checksum(value: Any) -> str:
    """What is stored of a token (RFC 9700)."""
    token: str = TOKEN_TEXT.convert(value)
    return tokens.checksum(token)


# Plain text, which a person writes, or the hashes that are stored. To hash takes long, and is done after all checks.
PASSWORD = column(models.TextField(null=True), "password", "password")
PASSWORD_HASH = column(
    models.CharField(max_length=128, null=True, validators=[known_hash]), "password_hash", "password_hash"
)
TOKEN_TEXT = column(models.TextField(), "token", "token_checksum")
TOKEN = replace(TOKEN_TEXT, convert=checksum)
TOKEN_SCOPE = column(models.TextField(blank=True, default="write", validators=[known_scopes]), "token_scope", "scope")

USERS = Table(
    User,
    (*columns(User, without=["password", "mirrored"]), PASSWORD, PASSWORD_HASH),
    paths={PASSWORD_HASH.attname: "password"},
)
TOKENS = Table(AccessToken, (column(AccessToken._meta.pk, "token_id"), TOKEN, TOKEN_SCOPE), owner="user_id")
# The same as an export has them. The description is a row of its own, or none.
SHA256 = RegexValidator(r"\A[0-9a-f]{64}\Z", "is not the SHA-256 of a token in hex")
TOKEN_NOTE = models.CharField(max_length=LONGEST_DESCRIPTION, blank=True, null=True)
TOKEN_DESCRIPTION = column(TOKEN_NOTE, "description", "note")
AWX_NAMES = {"updated": "modified"}
TOKEN_TIMES = tuple(
    replace(each, key=AWX_NAMES.get(each.key, each.key), default=timezone.now)
    for each in columns(AccessToken, only=["created", "updated"])
)
HASHED_TOKENS = Table(
    AccessToken,
    (
        *columns(AccessToken, only=["id", "expires"]),
        replace(column(User._meta.pk, "user", "user_id"), target=User),
        column(models.CharField(max_length=64, validators=[SHA256]), "token_checksum", "token_checksum"),
        replace(TOKEN_SCOPE, key="scope"),
        *TOKEN_TIMES,
        TOKEN_DESCRIPTION,
    ),
    paths={TOKEN_DESCRIPTION.attname: "note__description"},
)
# AWX has roles without ids. Those of an export have them, since AWX 24 shows the ids of assignments, which follow.
ROLE_ID = replace(column(InstanceGroupRole._meta.pk), default=lambda: None)
ROLES = Table(
    InstanceGroupRole,
    (ROLE_ID, *columns(InstanceGroupRole, only=["instance_group", "role"])),
    owner="user_id",
    key="instance_group_roles",
)
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
LISTENING = Table(
    Instance,
    (*(each for each in INSTANCES.columns if each.key != "managed"), *LISTENER),
    paths={
        "port": "canonical_address__port",
        "peers_from_control_nodes": Coalesce("canonical_address__peers_from_control_nodes", False),
    },
)
TO_INSTANCES = Table(
    InstanceLink,
    tuple(replace(each, target=Instance) if each.key == "target" else each for each in LINKS.columns),
    paths={"target_id": "target__instance_id"},
)
GROUPS = Table(InstanceGroup, columns(InstanceGroup, without=["credential_summary"]))
GROUP_SUMMARY = (column(InstanceGroup._meta.get_field("credential_summary"), "credential"),)
MEMBERS = Table(
    Membership, (column(Membership._meta.get_field("instance"), ""),), owner="instancegroup_id", key="instances"
)

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
