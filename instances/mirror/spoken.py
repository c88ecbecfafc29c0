"""The version of AWX that a mirror speaks as: what ``AWX_VERSION`` says, or else that of the line of the mirrored AWX.

A process keeps the version with which it started: its routes follow from it.
"""

import logging
import os
import re

from django.conf import settings

from instances.mirror import guard
from instances.models import Mirror
from instances.not_shown import in_a_sentence
from instances.rules import RULES

logger = logging.getLogger(__name__)

DEFAULT = next(iter(RULES))  # of a service that is no mirror
FIRST_OF_AWX = (10,)  # major numbers of automation controllers are smaller
Number = tuple[int, ...]


class NotShownError(Exception):
    """The version that is spoken cannot show all addresses and links of the mirrored AWX."""


def number_of(version: str) -> Number | None:
    """The first two numbers of a version as ``24.6.1``; None if it is none."""
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})[-+.\w]{0,60}", version, re.ASCII)
    return found and (int(found[1]), int(found[2]))


def lines() -> dict[Number, str]:
    """The version that is spoken, by the numbers with which versions of its line begin."""
    return {beginning: spoken for spoken, rules in RULES.items() for beginning in rules.LINE}


def nearest(version: str) -> str | None:
    """The version to speak as for an AWX or automation controller of this version; None for one that is too old."""
    number = number_of(version)
    if number is None:
        return None
    is_controller = number < FIRST_OF_AWX
    before = [each for each in lines() if each <= number and (each < FIRST_OF_AWX) is is_controller]
    return lines()[max(before)] if before else None


def is_known(version: str) -> bool:
    """Whether the version is of a line that is known here; newer ones are taken for the newest."""
    number = number_of(version) or ()
    return any(number[: len(beginning)] == beginning for beginning in lines())


def version_for(version: str) -> str:
    """The version that a process which starts now speaks as, where it mirrors an AWX of this version."""
    return settings.CHOSEN_AWX_VERSION or nearest(version) or DEFAULT


def speak_as_mirrored() -> None:
    """Let this process, and those that it starts later, speak as the mirrored AWX, unless ``AWX_VERSION`` is set.

    To be called once, as a process starts that serves or works, before the URL configuration is imported.
    """
    if not settings.CHOSEN_AWX_VERSION:
        mirror = guard.current()
        settings.AWX_VERSION = os.environ["AWX_VERSION"] = version_for(mirror.version) if mirror else DEFAULT


def not_shown() -> list[str]:
    """What this process must show of the stored records and cannot; of a mirror everything must be shown."""
    rules = RULES[settings.AWX_VERSION]
    return rules.not_shown() if rules.SHOWS_ALL or guard.current() else []


def refuse_partial_mirror(version: str) -> None:
    """Raise NotShownError unless all that was just written of an AWX of this version can be shown."""
    spoken = version_for(version)
    if names := RULES[spoken].not_shown():
        raise NotShownError(
            f"AWX {spoken} cannot show {in_a_sentence(names)}. "
            f"Without AWX_VERSION this service speaks as the AWX that it mirrors, which is {version}."
        )


def announce_change(before: Mirror | None, version: str) -> None:
    """Log that processes which run already speak as another version than those that start from now on.

    ``before``: the mirror as it was before this sync, if there was one.
    """
    spoken = version_for(version)
    earlier = version_for(before.version) if before else settings.CHOSEN_AWX_VERSION or DEFAULT
    if spoken != earlier:
        logger.warning(
            "The AWX has version %s: processes that start from now on speak as %s. Restart those that run already.",
            version,
            spoken,
            extra={"once": True},
        )
