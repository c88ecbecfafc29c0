"""``manage.py issue_node_token``: let a node report itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from instances import node_tokens
from instances.management.refusing import ErrorReportingCommand
from instances.mirror import guard
from instances.models import Instance

WHAT_NEXT = (
    "The token is shown only once. Save it on {0} in a file that only the agent can read, and run there:\n"
    "  awx-node-report --url https://THIS-SERVICE --hostname {0} --token-file FILE --every 60\n"
    "The token allows reports of {0} and nothing else. To revoke it: awx-instances issue_node_token {0} --revoke"
)


class Command(ErrorReportingCommand):
    help = (
        "Issue a token with which a node reports its own health. The token is printed to standard output, instructions "
        "to standard error. Earlier tokens of the node stay valid without --revoke-earlier."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hostname", metavar="HOSTNAME", help="hostname of the node")
        ending = parser.add_mutually_exclusive_group()
        ending.add_argument(
            "--revoke-earlier", action="store_true", help="revoke the earlier tokens when the new one is issued"
        )
        ending.add_argument("--revoke", action="store_true", help="revoke all tokens of the node, and issue none")

    def handle(self, *args: Any, hostname: str, revoke: bool, revoke_earlier: bool, **options: Any) -> None:
        instance = Instance.objects.filter(hostname=hostname).first()
        if instance is None:
            raise CommandError(f"No instance is named {hostname}.")
        if revoke:
            self.stderr.write(f"Revoked {node_tokens.revoke(instance)} token(s) of {hostname}.")
            return
        if mirror := guard.current():
            raise CommandError(f"This service mirrors {mirror.url}: nodes cannot report themselves here.")
        issue = node_tokens.replace if revoke_earlier else node_tokens.issue
        with transaction.atomic():  # if printing fails, no token is issued or revoked
            self.stdout.write(issue(instance))
            self.stdout.flush()
        self.stderr.write(WHAT_NEXT.format(hostname))
