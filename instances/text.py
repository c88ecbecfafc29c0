"""What others wrote, made fit to be read beside our own words."""

import re

# They turn the direction of what follows, so that one name can look like another.
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REPLACEMENT = "\ufffd"


def visible(text: object) -> str:
    """The text with a sign in the place of each invisible character that turns its direction."""
    return TURNING.sub(REPLACEMENT, str(text))


def isolated(text: object) -> str:
    """The same, so that its own direction does not leak out of it either: for attributes, where no element can."""
    return f"\u2068{visible(text)}\u2069"
