"""``manage.py remove_receptor_address``: take an address from the node that has it."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.provisioning_addresses import remove


class Command(ErrorReportingCommand):
    help = (
        "Remove the address of a node, and all links that lead to it. A node whose canonical address is removed has "
        "no listener_port any more. Where the service speaks as AWX 23.6.0, there are no such addresses: a port is "
        "cleared over the API."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--address", required=True, help="the address, without port and path")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        removed = remove(address)
        message = f"The address {address} was removed." if removed else f"No node has {address}; nothing was changed."
        self.conclude(message, changed=removed)
