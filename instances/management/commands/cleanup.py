"""``manage.py cleanup``: remove what is of no use any more, as the worker does once a day."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.utils import timezone
from tqdm import tqdm

from instances import retention
from instances.management.refusing import ErrorReportingCommand


class Command(ErrorReportingCommand):
    help = (
        "Remove ended sessions, expired tokens, login failures that no longer count, finished background jobs, "
        "inspections by workers that are gone and, with JOBS_KEPT_DAYS, jobs that ended long ago. A worker does it "
        "once a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would be removed, and remove nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        counts = retention.count(now)
        if not dry_run:
            with tqdm(total=sum(counts.values()), desc="removing", leave=False, disable=None) as bar:
                counts = retention.cleanup(now, bar.update)
        for name, number in counts.items():
            self.stdout.write(f"{number:>12,} {name}")
        if "jobs" not in counts:
            self.stdout.write(f"{'-':>12} jobs: {self._why_jobs_stay()}")
        self.stdout.write("Nothing was removed: this was a dry run." if dry_run else "These rows were removed.")

    def _why_jobs_stay(self) -> str:
        if settings.JOBS_KEPT_DAYS:
            return "the mirrored AWX decides which there are."
        return "they stay, as JOBS_KEPT_DAYS is not set."
