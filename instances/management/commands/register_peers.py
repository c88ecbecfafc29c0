"""``manage.py register_peers``: set the peers of a node."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning import connect


class Command(ErrorReportingCommand):
    help = (
        "Add or remove links from a node to its peers. New links are in the state established. Links that form a "
        "cycle, and links to a node without listener_port, are made with a warning."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help="hostname of the node that opens the connections")
        parser.add_argument("--peers", nargs="+", metavar="HOSTNAME", help="add links to these nodes")
        parser.add_argument(
            "--disconnect",
            nargs="+",
            metavar="HOSTNAME",
            help="remove the links to these nodes, which may be removed themselves by now",
        )
        parser.add_argument(
            "--exact", nargs="*", metavar="HOSTNAME", help="have links to exactly these nodes (or to none)"
        )

    def handle(self, *args: Any, source: str, **options: Any) -> None:
        peers, severed, exact = (options[name] for name in ("peers", "disconnect", "exact"))
        if peers is None and severed is None and exact is None:
            raise CommandError("One of the options --peers, --disconnect and --exact is required.")
        if exact is not None and (peers is not None or severed is not None):
            raise CommandError("--exact is not allowed with --peers or --disconnect.")
        links = connect(source, exact or peers or [], exactly=exact is not None, severed=severed or [])
        self.warn(links.warnings)
        if links.added or links.removed:
            self.conclude(f"{links.added} links of {source} were added, {links.removed} removed.", changed=True)
        else:
            self.conclude(f"{source} already has these links; nothing was changed.", changed=False)
