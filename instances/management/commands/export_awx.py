"""``manage.py export_awx``: write a snapshot that ``import_awx`` reads."""

import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from instances.management.refusing import ErrorReportingCommand
from instances.management.secret_files import replacing
from instances.mirror import guard, spoken
from instances.models import Mirror
from instances.rules import RULES, Rules
from instances.snapshot import SnapshotError, export_snapshot, number_of_records

MIRROR = (
    "This is a mirror. The snapshot is that of a service of its own: it has the jobs that were copied, and the load of "
    "its nodes follows from these alone."
)


class Command(ErrorReportingCommand):
    help = (
        "Export users, tokens, instances, links, groups and jobs, all of one moment, as a snapshot that import_awx "
        "reads. It has hashes of passwords and of tokens, so that only the file's owner may read it. If the format has "
        "no place for a record, the command names it and writes no file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the snapshot, in JSON; - is the standard output")
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
        parser.add_argument(
            "--awx-version",
            choices=RULES,
            help="the format: that of AWX 24 has receptor addresses (default: the version that the service speaks as)",
        )

    def handle(self, *args: Any, file: str, force: bool, awx_version: str | None, **options: Any) -> None:
        mirror = guard.current()
        version = RULES[awx_version or spoken_version(mirror)]
        try:
            with opened(file, force) as stream:
                counts = self._export(stream, version)
        except SnapshotError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from None
        (self.stderr if file == "-" else self.stdout).write(summary(counts, version), str)
        self.warn([MIRROR] if mirror else [])

    def _export(self, stream: BinaryIO, version: Rules) -> Counter[str]:
        with tqdm(unit=" records", unit_scale=True, leave=False, disable=None) as bar:
            if not bar.disable:
                bar.reset(number_of_records(version))
            return export_snapshot(stream, version, bar.update)


def spoken_version(mirror: Mirror | None) -> str:
    """The version that a process speaks as which would start to serve now."""
    return spoken.version_for(mirror.version) if mirror else settings.AWX_VERSION


def summary(counts: Counter[str], version: Rules) -> str:
    numbers = ", ".join(
        f"{counts[name]} {label}"
        for name, label in (
            ("users", "users"),
            ("tokens", "tokens"),
            ("instances", "instances"),
            ("instance_links", "links"),
            ("instance_groups", "groups"),
            ("unified_jobs", "jobs"),
        )
    )
    return f"Exported {numbers} in the format of AWX {version.VERSION}."


def opened(file: str, force: bool) -> AbstractContextManager[BinaryIO]:
    """The stream to write to. Raises CommandError where a file is there that must not be replaced."""
    if file == "-":
        return open(sys.stdout.fileno(), "wb", closefd=False)
    path = Path(file).resolve()
    if path.exists() and not path.is_file():
        raise CommandError(f"{file}: is not a file.")
    if path.exists() and not force:
        raise CommandError(f"{file}: exists already; --force replaces it.")
    return replacing(path)
