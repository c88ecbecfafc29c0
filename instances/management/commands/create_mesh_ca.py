"""``manage.py create_mesh_ca``: create the certificate authority and the keys of a mesh."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from instances import mesh_ca
from instances.management import secret_files
from instances.management.refusing import EscapingCommand
from instances.management.secret_files import READABLE, SECRET

CA_CERTIFICATE, CA_KEY = "mesh-CA.crt", "mesh-CA.key"
WORK_KEY, WORK_PUBLIC_KEY = "work_private_key.pem", "work_public_key.pem"
MODES = {CA_CERTIFICATE: READABLE, CA_KEY: SECRET, WORK_KEY: SECRET, WORK_PUBLIC_KEY: READABLE}


class Command(EscapingCommand):
    help = (
        "Create a certificate authority for the mesh and a key pair that signs work, as PEM files in DIRECTORY, and "
        "print the environment variables to set. Existing files are never overwritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="folder for the files; created if needed")

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        directory = directory.absolute()
        secret_files.create(directory, MODES, new_files)
        self.stdout.write(f"RECEPTOR_CA_CERT={directory / CA_CERTIFICATE}")
        self.stdout.write(f"RECEPTOR_CA_KEY={directory / CA_KEY}")
        self.stdout.write(f"RECEPTOR_WORK_PUBLIC_KEY={directory / WORK_PUBLIC_KEY}")
        self.stderr.write(f"{WORK_KEY} is for the Receptor of the control nodes; this service does not read it.")


def new_files() -> dict[str, bytes]:
    ca_key, ca_certificate = mesh_ca.new_certificate_authority("Receptor mesh CA")
    work_key, work_public_key = mesh_ca.new_key_pair()
    return {
        CA_CERTIFICATE: ca_certificate,
        CA_KEY: ca_key,
        WORK_KEY: work_key,
        WORK_PUBLIC_KEY: work_public_key,
    }
