"""HTML of values in the administration: always escaped, names isolated from the direction of the surrounding text.

Characters that change the direction of text are shown as codes, so that no name can imitate another.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from instances.text import NEVER, ago, exact, isolated, visible

NOTHING = "—"
HIGH = 0.7  # share in use from which on a bar is yellow
FULL = 0.9  # share in use from which on a bar is red
LONGEST = 160  # characters of an error that a list shows


def name(text: object) -> SafeString:
    """A name from a user, a node or a mirrored AWX."""
    return format_html("<bdi>{}</bdi>", visible(text))


def names(texts: Iterable[object]) -> SafeString | str:
    return format_html_join(", ", "{}", ((name(text),) for text in texts)) or NOTHING


def url(record: Model) -> str:
    """The address of the record's page."""
    meta = record._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[record.pk])


def link(record: Model) -> SafeString:
    return format_html('<a href="{}">{}</a>', url(record), name(record))


def links(records: Iterable[Model]) -> SafeString | str:
    return format_html_join(", ", "{}", ((link(record),) for record in records)) or NOTHING


def reported(text: str) -> SafeString | str:
    """A value that a node reported, as a name; empty if it reported none."""
    return name(text) if text else ""


def when(moment: datetime | None) -> SafeString | str:
    """The moment in words, with the exact time as a tooltip."""
    if moment is None:
        return NEVER
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(moment), ago(moment))


def when_exactly(moment: datetime | None) -> SafeString | str:
    """The moment in words, and the exact time."""
    if moment is None:
        return NEVER
    return format_html('<time datetime="{}">{} ({})</time>', moment.isoformat(), ago(moment), exact(moment))


def share(used: int, total: int, of_what: str) -> SafeString:
    """A bar of the capacity in use of the node or group ``of_what``, with the figures, in forks."""
    if total <= 0:
        return format_html('<span class="mesh-share">{} used, no capacity</span>', used)
    return format_html(
        '<span class="mesh-share"><meter min="0" max="{total}" low="{low}" high="{high}" optimum="0" value="{value}" '
        'aria-label="{used} of {total} used of {of_what}"></meter> {used} of {total}</span>',
        total=total,
        low=round(total * HIGH),
        high=round(total * FULL),
        value=min(max(used, 0), total),
        used=used,
        of_what=isolated(of_what),
    )


def badge(kind: str, label: str) -> SafeString:
    """A word on a background of its severity: ``kind`` is good, unsure, bad or quiet."""
    return format_html('<span class="mesh-badge mesh-{}">{}</span>', kind, label)


def brief(text: str) -> SafeString | str:
    """The beginning of a text of any length, as one line."""
    if not text:
        return NOTHING
    line = " ".join(text[: 2 * LONGEST].split())
    return name(line if len(line) <= LONGEST else f"{line[:LONGEST]}…")


def verbatim(text: str) -> SafeString | str:
    return format_html('<pre class="mesh-verbatim" tabindex="0">{}</pre>', name(text)) if text else NOTHING


def table(label: str, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString | str:
    """A table that scrolls if it is too wide; NOTHING without rows."""
    body = format_html_join("", "<tr>{}</tr>", ((cells(headers, row),) for row in rows))
    if not body:
        return NOTHING
    head = format_html_join("", '<th scope="col">{}</th>', ((header,) for header in headers))
    return format_html(
        '<div class="mesh-table" role="region" tabindex="0" aria-label="{}">'
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        label,
        head,
        body,
    )


def cells(headers: Sequence[str], row: Sequence[Any]) -> SafeString:
    """The cells of a row, each with its header for narrow screens, which show cells below each other."""
    return format_html_join("", '<td data-label="{}">{}</td>', zip(headers, row, strict=True))
