"""What a change would do, in sentences with the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from instances.text import counted

if TYPE_CHECKING:
    from instances.planning.what_if import Side, Sides, WhatIf

NAMED = 5  # nodes in a sentence


def in_words(found: WhatIf, is_complete: bool) -> Iterator[str]:
    """The sentences, the worst first; ``is_complete``: whether the reader sees the whole mesh."""
    named = {"The fleet": found.fleet, **{f"Group {group.name}": group for group in found.groups}}
    shortages = [sentence for name, sides in named.items() for sentence in shortages_of(name, sides)]
    differences = [sentence for name, sides in named.items() for sentence in differences_of(name, sides)]
    cut = list(cut_off_in_words(found))
    yield from shortages or ["Neither a group nor the fleet would fall short of its load by this change."]
    yield from cut
    yield from differences or ["No member, capacity or load of a group would change."]
    if found.fleet.after.displaced:
        yield (
            f"Jobs that take {counted(found.fleet.after.displaced, 'fork')} run now on nodes that would be removed or "
            "disabled. That load has to be carried elsewhere, and is taken off what remains."
        )
    if found.added and found.cut_off is not None:
        yield f"{some(found.added)} would need links to be reached: a new node has none, and no link is planned here."
    if not is_complete:
        yield (
            "You do not see the whole mesh: policies choose among the nodes that you see and take none out, and what "
            "would be cut off is left open."
        )


def shortages_of(name: str, sides: Sides) -> Iterator[str]:
    """That a group lacks capacity for its load of now, or of the window, if it does so by the change."""
    after, before = sides.after, sides.before
    if sides.loses_all:
        yield (
            f"{name} would have no capacity left: {counted(before.consumed, 'fork')} are in use now"
            f"{f', and up to {before.load.peak:,} were over the window' if before.load else ''}."
        )
        return
    if after.missing_now > before.missing_now:
        yield (
            f"{name} would lack {counted(after.missing_now, 'fork')}: its load is "
            f"{counted(after.consumed + after.displaced, 'fork')} now, its capacity would be {after.capacity:,}."
        )
    if after.load and before.load and after.missing_at_peak > before.missing_at_peak:
        yield (
            f"{name} needed up to {counted(after.load.peak, 'fork')} over the window, and would have "
            f"{after.capacity:,}: more than its capacity for {after.load.over_capacity:.1%} of the time, "
            f"{before.load.over_capacity:.1%} as it is."
        )


def differences_of(name: str, sides: Sides) -> Iterator[str]:
    before, after = sides.before, sides.after
    if figures(before) == figures(after):
        return
    yield (
        f"{name}: {counted(len(before.members), 'node')} and {counted(before.capacity, 'fork')}, "
        f"{max(0, before.remaining):,} of them free, would be {counted(len(after.members), 'node')} and "
        f"{counted(after.capacity, 'fork')}, {max(0, after.remaining):,} of them free."
    )
    gone, come = (sorted(set(one.members) - set(other.members)) for one, other in ((before, after), (after, before)))
    if gone or come:
        parts = [f"{word} {some(names)}" for word, names in (("lose", gone), ("gain", come)) if names]
        yield f"{name} would {' and '.join(parts)}."


def figures(side: Side) -> tuple[object, ...]:
    return side.members, side.capacity, side.consumed, side.displaced


def cut_off_in_words(found: WhatIf) -> Iterator[str]:
    if found.cut_off and found.cut_off.nodes:
        links = f", with {counted(len(found.cut_off.links), 'link')} between them" if found.cut_off.links else ""
        yield f"No way would lead from a control node to {some(found.cut_off.nodes)} any more{links}."


def some(names: list[str]) -> str:
    """ "a, b and 4 others"."""
    more = len(names) - NAMED
    return f"{', '.join(names[:NAMED])} and {counted(more, 'other')}" if more > 0 else ", ".join(names)
