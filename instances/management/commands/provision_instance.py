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
    Outcome.RENAMED: "The node with this uuid was renamed to {}.",
    Outcome.UNCHANGED: "{} is already registered with these values; nothing was changed.",
}


def uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a UUID") from None


class Command(ErrorReportingCommand):
    help = (
        "Register a node of the mesh, or change the node with this hostname; node types cannot be changed. With the "
        "UUID of a node that is registered, that node is renamed, with its jobs, links and groups. A new node is in "
        "the state installed, without capacity until its first report. A control or hybrid node peers to every node "
        "with peers_from_control_nodes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hostname", required=True, help="hostname of the node")
        parser.add_argument(
            "--node_type", choices=Instance.NodeType.values, help="type of the node (default for a new node: hybrid)"
        )
        parser.add_argument("--uuid", type=uuid, help="UUID of the node (default: a new one)")
        parser.add_argument("--ip_address", metavar="ADDRESS", help="IPv4 or IPv6 address, unique among the nodes")
        parser.add_argument(
            "--listener_port",
            type=int,
            metavar="PORT",
            help="port on which the node's Receptor listens, 1024 to 65535; can be set only once (default: none). As "
            "AWX 24.6.1 from 0 on: the port of its canonical address, the hostname",
        )

    def handle(self, *args: Any, hostname: str, node_type: str | None, **options: Any) -> None:
        options_given = {name: options[name] for name in ("uuid", "ip_address", "listener_port")}
        given = {name: value for name, value in options_given.items() if value is not None}
        done = provision(hostname, node_type, given)
        if done.outcome in (Outcome.CREATED, Outcome.RENAMED):
            self.warn_of_hostnames([hostname])
        self.warn(done.warnings)
        self.conclude(MESSAGES[done.outcome].format(hostname), changed=done.outcome is not Outcome.UNCHANGED)
