"""``manage.py register_peers``: which nodes a node dials."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning import Links, connect, disconnect


class Command(ErrorReportingCommand):
    help = (
        "Add or remove links from a node to its peers. A peer needs a listener_port, and no link may close a cycle. "
        "New links count as established."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help="hostname of the node that opens the connections")
        change = parser.add_mutually_exclusive_group(required=True)
        change.add_argument("--peers", nargs="+", metavar="HOSTNAME", help="connect to these, too")
        change.add_argument("--disconnect", nargs="+", metavar="HOSTNAME", help="connect to these no longer")
        change.add_argument("--exact", nargs="*", metavar="HOSTNAME", help="connect to just these; may be none")

    def handle(self, *args: Any, source: str, **options: Any) -> None:
        links = self._change(source, options)
        if links == Links():
            self.conclude(f"The links of {source} are like this already; nothing was changed.", changed=False)
        else:
            self.conclude(f"{links.added} links of {source} were added, {links.removed} removed.", changed=True)

    def _change(self, source: str, options: dict[str, Any]) -> Links:
        if options["disconnect"] is not None:
            return disconnect(source, options["disconnect"])
        if options["exact"] is not None:
            return connect(source, options["exact"], exactly=True)
        return connect(source, options["peers"])
