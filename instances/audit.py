"""The audit log: a line for each login and each change of accounts, roles and tokens, with the user and the address.

A line is written after the change is committed. It contains no secret; values are quoted, so that none forges a line.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.contrib.auth import signals as auth
from django.db import transaction
from django.db.models import Model, signals
from oauth2_provider.models import AccessToken

from instances.models import InstanceGroupRole, NodeToken, User

logger = logging.getLogger(__name__)

LONGEST = 1_000  # characters of a value, as many as a reason may have
RANKS = ("is_superuser", "is_system_auditor", "is_staff", "is_active")
WATCHED = ("username", "password", *RANKS)


class Origin(NamedTuple):
    """Where a change comes from: the request, authenticated by the time of the change, and the client's address."""

    request: Any
    address: str


origin: ContextVar[Origin | None] = ContextVar("origin", default=None)  # None is a command's
is_loading: ContextVar[bool] = ContextVar("is_loading", default=False)


@contextmanager
def suspend_row_events() -> Iterator[None]:
    """Context manager: log no events of rows while a snapshot or a mirror is written.

    Most of its rows are written in bulk and send no signals, so the log would name only some of them.
    """
    token = is_loading.set(True)
    try:
        yield
    finally:
        is_loading.reset(token)


def quoted(value: object) -> str:
    """The value as a JSON string in ASCII, without control characters and characters that change the text direction."""
    text = str(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return json.dumps(text).replace("\x7f", "\\u007f")


def log_event(event: str, level: int = logging.INFO, **details: object) -> None:
    """Log ``event`` with its details, the user ("-": unknown, or a command) and the address, after the commit."""
    source = origin.get()
    user = getattr(source.request, "user", None) if source else None
    fields = {**details, "by": getattr(user, "username", "") or "-", "from": (source.address if source else "") or "-"}
    line = " ".join([event, *(f"{name}={quoted(value)}" for name, value in fields.items())])
    transaction.on_commit(lambda: logger.log(level, line), robust=True)


def log_failure(event: str, **details: object) -> None:
    """Log the failed attempt ``event`` as a warning, and at once: its transaction may be rolled back."""
    source = origin.get()
    fields = {**details, "from": (source.address if source else "") or "-"}
    logger.warning(" ".join([event, *(f"{name}={quoted(value)}" for name, value in fields.items())]))


# --- sessions


def logged_in(sender: Any, user: Any, **more: Any) -> None:
    log_event("login", user=user.username)


def logged_out(sender: Any, user: Any, **more: Any) -> None:
    if user is not None:
        log_event("logout", user=user.username)


def login_failed(sender: Any, credentials: dict[str, Any], **more: Any) -> None:
    log_failure("login failed", user=credentials.get("username", ""))


# --- accounts


def remember_stored_account(sender: Any, instance: User, update_fields: Any = None, **more: Any) -> None:
    """Remember the stored values of the columns that are written and whose changes are logged."""
    written = set(WATCHED if update_fields is None else update_fields) & set(WATCHED)
    stored: Any = User.objects.filter(pk=instance.pk).values(*WATCHED).first() if instance.pk and written else None
    instance.before_change = stored and {name: stored[name] for name in written}  # type: ignore[attr-defined]


def log_account_changes(sender: Any, instance: User, created: bool, update_fields: Any = None, **more: Any) -> None:
    if created:
        given = [name for name in RANKS if getattr(instance, name)]
        log_event("account made", user=instance.username, ranks=" ".join(given))
        return
    before: dict[str, Any] = vars(instance).pop("before_change", None) or {}
    changed = {name for name, value in before.items() if getattr(instance, name) != value}
    if "password" in changed and not is_rehash(instance, update_fields):
        log_event("password changed", user=instance.username)
    if "username" in changed:
        log_event("account renamed", user=instance.username, before=before["username"])
    for name in RANKS:
        if name in changed:
            log_event("rank changed", user=instance.username, rank=name, value=getattr(instance, name))


def is_rehash(user: Any, update_fields: Any) -> bool:
    """Whether only the hash of the same password changed, as Django does at a login."""
    return user._password is None and set(update_fields or ()) == {"password"}


def account_deleted(sender: Any, instance: User, **more: Any) -> None:
    if not is_loading.get():
        log_event("account deleted", user=instance.username)


# --- roles and tokens


def role_details(role: InstanceGroupRole) -> dict[str, object]:
    return {"user": role.user.username, "role": role.role, "group": role.instance_group.name}


def token_details(token: Any) -> dict[str, object]:
    return {"user": token.user.username if token.user else "-", "id": token.pk, "scope": token.scope}


def node_token_details(token: NodeToken) -> dict[str, object]:
    return {"node": token.instance.hostname, "id": token.pk}


# The model, what makes the details of its rows, and the events of an insert, an update and a delete.
AUDITED: tuple[tuple[type[Model], Any, str, str, str], ...] = (
    (InstanceGroupRole, role_details, "role given", "role changed", "role taken"),
    (AccessToken, token_details, "token issued", "token changed", "token revoked"),
    (NodeToken, node_token_details, "node token issued", "node token changed", "node token revoked"),
)


def connect_signals(model: type[Model], details: Any, made: str, changed: str, ended: str) -> None:
    def after_save(sender: Any, instance: Any, created: bool, **more: Any) -> None:
        if not is_loading.get():
            log_event(made if created else changed, **details(instance))

    def after_delete(sender: Any, instance: Any, **more: Any) -> None:
        if not is_loading.get():
            log_event(ended, **details(instance))

    signals.post_save.connect(after_save, model, weak=False)
    signals.post_delete.connect(after_delete, model, weak=False)


def register() -> None:
    """Connect the signals; to be called once, when all models are loaded."""
    auth.user_logged_in.connect(logged_in)
    auth.user_logged_out.connect(logged_out)
    auth.user_login_failed.connect(login_failed)
    signals.pre_save.connect(remember_stored_account, User)
    signals.post_save.connect(log_account_changes, User)
    signals.post_delete.connect(account_deleted, User)
    for row in AUDITED:
        connect_signals(*row)
