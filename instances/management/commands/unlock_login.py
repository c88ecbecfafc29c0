"""``manage.py unlock_login``: unlock logins after too many wrong passwords."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from instances import guessing
from instances.management.refusing import ErrorReportingCommand


class Command(ErrorReportingCommand):
    help = (
        "Forget wrong passwords, so that the right one is taken again at once. With both a name and an address: only "
        "those for the name from the address."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", metavar="USERNAME", help="those for this name, from wherever they came")
        parser.add_argument(
            "--address", metavar="ADDRESS", help="those from this address; of IPv6 from its /64 network"
        )
        parser.add_argument("--all", action="store_true", help="all of them")

    def handle(self, *args: Any, name: str | None, address: str | None, all: bool, **options: Any) -> None:  # noqa: A002
        if all is (name is not None or address is not None):
            raise CommandError("Say what to unlock: --name, --address, both of them, or --all.")
        if address is not None and guessing.network_of(address) == guessing.UNKNOWN:
            raise CommandError(f"{address!r} is no address.")
        self.stdout.write("Unlocked." if guessing.unlock(name, address) else "Nothing was locked or counted.")
