"""``manage.py add_receptor_address``: give a node an address at which others connect to it."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.models import ReceptorAddress
from instances.provisioning import Outcome
from instances.provisioning_addresses import DEFAULTS, SETTABLE, add

MESSAGES = {
    Outcome.CREATED: "{} has the address {} now.",
    Outcome.CHANGED: "{}: the address {} was changed.",
    Outcome.UNCHANGED: "{} already has the address {} with these values; nothing was changed.",
}


class Command(ErrorReportingCommand):
    help = (
        "Give a node an address at which the Receptors of others connect to it, or change the values of an address "
        "that it has. An address belongs to one node. Options that are left out have their defaults, also for an "
        "address that is known: without --peers_from_control_nodes the links of control and hybrid nodes that were "
        "made for that option are removed. Where the service speaks as AWX 23.6.0, there are no such addresses."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instance", required=True, metavar="HOSTNAME", help="hostname of the node")
        parser.add_argument("--address", required=True, help="hostname or IP address at which it is reached")
        parser.add_argument(
            "--port",
            type=int,
            default=DEFAULTS["port"],
            help="port there, 0 to 65535; 0 is none (default: %(default)s)",
        )
        parser.add_argument(
            "--protocol",
            choices=ReceptorAddress.Protocol.values,
            default=DEFAULTS["protocol"],
            help="protocol of Receptor's connections (default: %(default)s)",
        )
        parser.add_argument(
            "--websocket_path",
            default=DEFAULTS["websocket_path"],
            metavar="PATH",
            help="path of a ws or wss address, without the slash at its beginning (default: none)",
        )
        parser.add_argument("--is_internal", action="store_true", help="reached from within the cluster only")
        parser.add_argument(
            "--canonical",
            action="store_true",
            help="the node's main address, of which it has one at most: its port is the node's listener_port",
        )
        parser.add_argument(
            "--peers_from_control_nodes",
            action="store_true",
            help="all control and hybrid nodes connect to it; for addresses of execution and hop nodes",
        )

    def handle(self, *args: Any, instance: str, address: str, **options: Any) -> None:
        done = add(instance, address, {name: options[name] for name in SETTABLE})
        message = MESSAGES[done.outcome].format(instance, address)
        self.conclude(message, changed=done.outcome is not Outcome.UNCHANGED)
