"""``manage.py import_awx``: load a snapshot of an AWX."""

import os
import sys
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

from django.core.management.base import CommandError
from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from instances.management.refusing import ErrorReportingCommand
from instances.pooler import TAKES_LONG
from instances.snapshot import Imported, SnapshotError, import_snapshot
from instances.startup import refuse_shared_connections


class Command(ErrorReportingCommand):
    help = (
        "Import users, instances, links, groups and jobs from a snapshot of an AWX 23 or, with the list "
        "receptor_addresses, an AWX 24; the output says which it is. Ids, times and capacities are taken from the "
        "snapshot. If a record is invalid, the command names it and imports nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the snapshot, in JSON; - is the standard input")
        parser.add_argument(
            "--replace",
            action="store_true",
            help=(
                "first remove all users, tokens, instances, links, groups and jobs "
                "(default: update records with ids of the snapshot, keep the others)"
            ),
        )

    def handle(self, *args: Any, file: str, replace: bool, **options: Any) -> None:
        refuse_shared_connections("import_awx", TAKES_LONG)
        with opened(file) as stream:
            imported = self._import(stream, replace)
        self.stdout.write(
            f"Imported {imported.users} users, {imported.instances} instances, {imported.links} links, "
            f"{imported.groups} groups, {imported.jobs} jobs: a snapshot of {source_of(imported)}."
        )
        self.warn_of_hostnames(imported.hostnames)

    def _import(self, stream: BinaryIO, replace: bool) -> Imported:
        size = os.fstat(stream.fileno()).st_size
        with tqdm(total=size or None, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            watched: Any = CallbackIOWrapper(bar.update, stream, "read")
            try:
                return import_snapshot(watched, replace=replace, announce=bar.set_description)
            except SnapshotError as error:
                raise CommandError(str(error)) from None


def source_of(imported: Imported) -> str:
    """Of which AWX the snapshot is."""
    return "AWX 23" if imported.addresses is None else f"AWX 24, with {imported.addresses} receptor addresses"


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
