"""``manage.py list_jobs``: the jobs as CSV or JSON."""

from argparse import ArgumentParser
from typing import Any

from instances.groups import group_named
from instances.management.refusing import ErrorReportingCommand
from instances.models import UnifiedJob
from instances.tabular import FORMATS, JOBS

CHUNK = 1000  # jobs that are in memory at once


class Command(ErrorReportingCommand):
    help = "List the jobs, by id, as CSV or JSON. What is not asked for by an option is not a condition."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="csv", help="(default: csv)")
        parser.add_argument("--status", choices=UnifiedJob.Status.values, nargs="+", help="with one of these")
        parser.add_argument("--node", metavar="HOSTNAME", help="that this node executes or has executed")
        parser.add_argument("--group", metavar="NAME", help="that were sent to this group")

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = UnifiedJob.objects.defer("representation").order_by("pk")
        if options["status"]:
            jobs = jobs.filter(status__in=options["status"])
        if options["node"] is not None:
            jobs = jobs.filter(execution_node=options["node"])
        if options["group"] is not None:
            jobs = jobs.filter(instance_group=group_named(options["group"]))
        self.write_list(options["format"], JOBS, jobs.iterator(chunk_size=CHUNK))
