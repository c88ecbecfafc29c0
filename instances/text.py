"""Escaping text from other sources, such as hostnames, for pages, terminals and logs."""

import re

# They change the direction of the text that follows, so that one name can look like another.
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
REPLACEMENT = "\ufffd"
# They move the cursor, change colours or end a line. Tabs and line breaks have their places in longer texts.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
IN_A_LINE = re.compile(f"{CONTROL.pattern}|[\t\n]")


def escape_character(found: re.Match[str]) -> str:
    """The character as JSON writes it."""
    return f"\\u{ord(found[0]):04x}"


def visible(text: object) -> str:
    """The text for a page, with U+FFFD for each character that changes its direction, and control characters as
    codes."""
    return CONTROL.sub(escape_character, TURNING.sub(REPLACEMENT, str(text)))


def isolated(text: object) -> str:
    """The same between isolating characters, so that its direction does not affect other text: for attributes."""
    return f"\u2068{visible(text)}\u2069"


def escaped(text: object) -> str:
    """The text for a terminal, with control characters and those that change its direction as codes."""
    return CONTROL.sub(escape_character, TURNING.sub(escape_character, str(text)))


def in_one_line(text: object) -> str:
    """The same with tabs and line breaks escaped, so that it cannot forge another line."""
    return IN_A_LINE.sub(escape_character, escaped(text))
