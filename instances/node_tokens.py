"""Tokens with which nodes report themselves. The text of a token is shown once; only its SHA-256 is stored."""

import secrets

from django.db import transaction

from instances.models import Instance, NodeToken
from instances.tokens import checksum

PREFIX = "node_"  # so that people and scanners of leaked secrets know one when they see it
ENTROPY = 32  # bytes


def issue(instance: Instance) -> str:
    """The text of a new token of ``instance``, beside those that it has."""
    raw = PREFIX + secrets.token_urlsafe(ENTROPY)
    NodeToken.objects.create(instance=instance, checksum=checksum(raw))
    return raw


@transaction.atomic
def replace(instance: Instance) -> str:
    """The text of a new token of ``instance``, which is then its only one."""
    revoke(instance)
    return issue(instance)


def revoke(instance: Instance) -> int:
    """End all tokens of ``instance``; return how many there were."""
    ended, _ = NodeToken.objects.filter(instance=instance).delete()
    return ended


def find_by_secret(raw: str) -> NodeToken | None:
    """The token with this text, with its instance; None if there is none. One query."""
    return NodeToken.objects.select_related("instance").filter(checksum=checksum(raw)).first()
