"""``manage.py provision_instance``: register a node."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from uuid import UUID

from instances.management.refusing import ErrorReportingCommand
from instances.models import Instance
from instances.provisioning import Outcome, provision

MESSAGES = {
    Outcome.CREATED: "{} was registered.",
    Outcome.CHANGED: "{} was changed.",
    Outcome.UNCHANGED: "{} is registered like this already; nothing was changed.",
}


def uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a UUID") from None


class Command(ErrorReportingCommand):
    help = (
        "Register a node of the mesh, or change the one with this hostname; its type cannot change. A new node is "
        "installed and without capacity until it reports. A control or hybrid node peers to every node that has "
        "peers_from_control_nodes set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hostname", required=True)
        parser.add_argument("--node_type", required=True, choices=Instance.NodeType.values)
        parser.add_argument("--uuid", type=uuid, help="default: a new one")
        parser.add_argument("--ip_address", metavar="ADDRESS", help="IPv4 or IPv6; no two nodes have the same")
        parser.add_argument(
            "--listener_port",
            type=int,
            metavar="PORT",
            help="where the node's Receptor listens, 1024 to 65535; can be set once (default: it does not listen)",
        )

    def handle(self, *args: Any, hostname: str, node_type: str, **options: Any) -> None:
        arguments = {name: options[name] for name in ("uuid", "ip_address", "listener_port")}
        given = {name: value for name, value in arguments.items() if value is not None}
        outcome = provision(hostname, node_type, given)
        if outcome is Outcome.CREATED:
            self.warn_of_hostnames([hostname])
        self.conclude(MESSAGES[outcome].format(hostname), changed=outcome is not Outcome.UNCHANGED)
