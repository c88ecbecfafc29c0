"""``manage.py create_node_certificate``: the key and the certificate of a node that no install bundle sets up."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from instances import mesh_ca
from instances.lifecycle import LONGEST_HOSTNAME, refuse_control_characters
from instances.management import secret_files
from instances.management.refusing import ErrorReportingCommand
from instances.management.secret_files import READABLE, SECRET

KEY, CERTIFICATE, CA_CERTIFICATE = "receptor.key", "receptor.crt", "mesh-CA.crt"
MODES = {KEY: SECRET, CERTIFICATE: READABLE, CA_CERTIFICATE: READABLE}


class Command(ErrorReportingCommand):
    help = (
        f"Create a private key and a certificate for the node HOSTNAME, signed by the mesh CA, as {KEY} and "
        f"{CERTIFICATE} in DIRECTORY, beside {CA_CERTIFICATE}. For control nodes; the others have theirs from install "
        "bundles. Existing files are never overwritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "hostname", metavar="HOSTNAME", help="hostname of the node, which is the id of its Receptor"
        )
        parser.add_argument(
            "directory",
            metavar="DIRECTORY",
            type=Path,
            nargs="?",
            default=Path(),
            help="folder for the files; created if needed (default: the current folder)",
        )

    def handle(self, *args: Any, hostname: str, directory: Path, **options: Any) -> None:
        refuse_unusable(hostname)
        directory = directory.absolute()
        try:
            ca = mesh_ca.configured()
        except mesh_ca.MeshCAError as error:
            raise CommandError(str(error)) from None
        secret_files.create(directory, MODES, lambda: new_files(ca, hostname))
        for name in MODES:
            self.stdout.write(str(directory / name))


def refuse_unusable(hostname: str) -> None:
    """Raises ValidationError where no instance can have this hostname, and UnicodeEncodeError where it is no UTF-8."""
    if not hostname.strip():
        raise ValidationError("The hostname is empty.")
    if len(hostname) > LONGEST_HOSTNAME:
        raise ValidationError(f"The hostname has more than {LONGEST_HOSTNAME} characters.")
    refuse_control_characters(hostname)
    hostname.encode()


def new_files(ca: mesh_ca.MeshCA, hostname: str) -> dict[str, bytes]:
    key, certificate = ca.issue(hostname)
    return {KEY: key, CERTIFICATE: certificate, CA_CERTIFICATE: ca.certificates_pem}
