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
from instances.snapshot import Imported, SnapshotError, import_snapshot


class Command(ErrorReportingCommand):
    help = (
        "Load users, instances, links, groups and jobs from a snapshot of an AWX. Ids, times and capacities are "
        "stored as they stand in it. A record that cannot be stored is named, and then nothing is imported."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the snapshot, in JSON; - is the standard input")
        parser.add_argument(
            "--replace",
            action="store_true",
            help=(
                "first remove all users, tokens, instances, links, groups and jobs "
                "(default: update those whose ids the snapshot has, keep the others)"
            ),
        )

    def handle(self, *args: Any, file: str, replace: bool, **options: Any) -> None:
        with opened(file) as stream:
            imported = self._import(stream, replace)
        self.stdout.write(
            f"Imported {imported.users} users, {imported.instances} instances, {imported.links} links, "
            f"{imported.groups} groups, {imported.jobs} jobs."
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


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
