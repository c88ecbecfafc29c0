"""``manage.py create_mesh_ca``: create the certificate authority and the keys of a mesh."""

import errno
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from instances import mesh_ca
from instances.management.refusing import EscapingCommand

CA_CERTIFICATE, CA_KEY = "mesh-CA.crt", "mesh-CA.key"
WORK_KEY, WORK_PUBLIC_KEY = "work_private_key.pem", "work_public_key.pem"
MODES = {CA_CERTIFICATE: 0o644, CA_KEY: 0o600, WORK_KEY: 0o600, WORK_PUBLIC_KEY: 0o644}


class Command(EscapingCommand):
    help = (
        "Create a certificate authority for the mesh and a key pair that signs work, as PEM files in DIRECTORY, and "
        "print the environment variables to set. Existing files are never overwritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="folder for the files; created if needed")

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        directory = directory.absolute()
        try:
            create_in(directory)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}; nothing was written.") from None
        self.stdout.write(f"RECEPTOR_CA_CERT={directory / CA_CERTIFICATE}")
        self.stdout.write(f"RECEPTOR_CA_KEY={directory / CA_KEY}")
        self.stdout.write(f"RECEPTOR_WORK_PUBLIC_KEY={directory / WORK_PUBLIC_KEY}")
        self.stderr.write(f"{WORK_KEY} is for the Receptor of the control nodes; this service does not read it.")


def create_in(directory: Path) -> None:
    """Write all files, or none and raise OSError."""
    for name in MODES:  # before the keys are made, which takes seconds
        if os.path.lexists(directory / name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(directory / name))
    ca_key, ca_certificate = mesh_ca.new_certificate_authority("Receptor mesh CA")
    work_key, work_public_key = mesh_ca.new_key_pair()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(
        {
            directory / CA_CERTIFICATE: ca_certificate,
            directory / CA_KEY: ca_key,
            directory / WORK_KEY: work_key,
            directory / WORK_PUBLIC_KEY: work_public_key,
        }
    )


def write_new(files: dict[Path, bytes]) -> None:
    """Write files that must not exist yet. Secret files are created with mode 0600."""
    written: list[Path] = []
    try:
        for path, content in files.items():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODES[path.name])
            written.append(path)
            with open(descriptor, "wb") as file:
                file.write(content)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
