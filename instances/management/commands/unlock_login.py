"""``manage.py unlock_login``: unlock logins after too many wrong passwords."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from instances import guessing
from instances.management.refusing import ErrorReportingCommand


class Command(ErrorReportingCommand):
    help = (
        "Unlock logins after too many wrong passwords, by resetting their counts. With both a name and an address, "
        "only the count for the name from the address is reset."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", metavar="USERNAME", help="reset the counts for this name, from all addresses")
        parser.add_argument(
            "--address", metavar="ADDRESS", help="reset the counts from this address; with IPv6, from its /64 network"
        )
        parser.add_argument("--all", action="store_true", help="reset all counts")

    def handle(self, *args: Any, name: str | None, address: str | None, all: bool, **options: Any) -> None:  # noqa: A002
        if all is (name is not None or address is not None):
            raise CommandError("Use --name, --address, both, or --all.")
        if address is not None and guessing.network_of(address) == guessing.UNKNOWN:
            raise CommandError(f"{address!r} is not an IP address.")
        self.stdout.write("Unlocked." if guessing.unlock(name, address) else "Nothing was locked or counted.")
