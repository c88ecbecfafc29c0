"""``manage.py list_groups``: the instance groups as CSV or JSON."""

from argparse import ArgumentParser
from typing import Any

from instances.management.refusing import ErrorReportingCommand
from instances.models import InstanceGroup
from instances.tabular import FORMATS, GROUPS


class Command(ErrorReportingCommand):
    help = "List the instance groups, by name, as CSV or JSON: their capacity, load, jobs and policies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="csv", help="(default: csv)")
        parser.add_argument("--search", metavar="TEXT", default="", help="groups with this in their name")

    def handle(self, *args: Any, **options: Any) -> None:
        groups = InstanceGroup.objects.filter(name__icontains=options["search"])
        self.write_list(options["format"], GROUPS, groups.with_load().order_by("name"))
