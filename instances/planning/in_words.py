"""What a loss cuts off, in words, for commands and pages."""

from collections.abc import Callable, Sequence

from instances.planning.risk import Cut

NAMED = 3  # nodes in a sentence, of those that are cut off

Writing = Callable[[str], str]  # of a hostname, which may have any characters, for a terminal or a page


def effect(cut: Cut, write: Writing) -> str:
    """A sentence as "its loss cuts off a, b, c and 4 others (70 forks, 12% of the mesh, with 3 jobs now)."."""
    jobs = f", with {counted(cut.jobs_running, 'job')} now" if cut.jobs_running else ""
    forks = f"{counted(cut.capacity, 'fork')}, {cut.share:.0%} of the mesh"
    return f"its loss cuts off {some(cut.cuts_off, write)} ({forks}{jobs})."


def unreachable(hostname: str, write: Writing) -> str:
    """A sentence about a node that is cut off now."""
    return f"Node {write(hostname)} can reach no control node now."


NO_RISK = "The loss of one node or of one link cuts off no other node."


def arrow(source: str, target: str, write: Writing) -> str:
    """A link, from the node that opens it."""
    return f"{write(source)} → {write(target)}"


def some(hostnames: Sequence[str], write: Writing) -> str:
    """The first of the nodes, as "a, b, c and 4 others"."""
    named = [write(name) for name in hostnames[:NAMED]]
    more = len(hostnames) - len(named)
    return f"{', '.join(named)} and {counted(more, 'other')}" if more else ", ".join(named)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
