"""``manage.py fit``: whether a job would run now, where, and why not."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from instances.capacity import IMPACT_BY_HOSTS, task_impact
from instances.management.refusing import ErrorReportingCommand
from instances.models import UnifiedJob
from instances.planning.fit import MOST_COPIES, Fit
from instances.planning.fit_on_mesh import fit_of_job, fit_of_workload
from instances.planning.obstacles import GroupFit, NodeFit
from instances.planning.placement import Workload
from instances.reader import OPERATOR
from instances.startup import positive
from instances.text import in_one_line

WRONG_ARGUMENTS = 2  # what argparse exits with, too


class Command(ErrorReportingCommand):
    help = (
        "Say whether a job would run now, where AWX would put it, and what is in the way. Exits with 0 if all copies "
        "would run, with 1 if not, and with 2 if the arguments are wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        size = parser.add_mutually_exclusive_group()
        size.add_argument("--impact", type=positive, metavar="FORKS", help="its task impact")
        size.add_argument("--forks", type=natural, help="forks of its template; 0 is AWX's default, 5")
        size.add_argument("--job", type=positive, metavar="ID", help="a job that is stored: why it waits")
        parser.add_argument("--hosts", type=natural, help="hosts of its inventory (default: more than forks)")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            metavar="NAME",
            help="a group to try; repeated, in this order (default: default)",
        )
        parser.add_argument(
            "--kind", choices=UnifiedJob.Type.values, default=UnifiedJob.Type.JOB, help="(default: job)"
        )
        parser.add_argument("--count", type=positive, default=1, help="copies that are to run at once (default: 1)")
        parser.add_argument("--json", action="store_true", help="print all of it, as the API has it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            fit = fit_of_options(**options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=WRONG_ARGUMENTS) from None
        except UnifiedJob.DoesNotExist:
            raise CommandError(f"No job has the id {options['job']}.", returncode=WRONG_ARGUMENTS) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(fit), indent=2))
        else:
            for line in lines(fit):
                self.stdout.write(line)
        if not fit.fits:
            sys.exit(1)


def natural(text: str) -> int:
    if text == "0":
        return 0
    return positive(text)


def fit_of_options(**options: Any) -> Fit:
    """Raises ValidationError for options that do not go together, and for unknown groups."""
    impact, forks, hosts = (options[name] for name in ("impact", "forks", "hosts"))
    groups, count, kind = (options[name] for name in ("group", "count", "kind"))
    if hosts is not None and impact is not None:
        raise ValidationError("Give either --impact, or --forks and --hosts.")
    if options["job"] is not None and (hosts is not None or groups or count > 1 or kind != UnifiedJob.Type.JOB):
        raise ValidationError("--job goes with --json alone.")
    if count > MOST_COPIES:
        raise ValidationError(f"--count is at most {MOST_COPIES:,}.")
    if options["job"] is not None:
        return fit_of_job(OPERATOR, options["job"])
    if impact is None:
        if forks is None and hosts is None and kind in IMPACT_BY_HOSTS:
            raise ValidationError("Give --impact, or --forks and --hosts, or --job.")
        impact = task_impact(kind, forks or 0, hosts)
    return fit_of_workload(OPERATOR, Workload(kind, impact), count, groups)


def lines(fit: Fit) -> Iterator[str]:
    """The answer in words, where the copies go, and a table of groups and nodes."""
    yield in_one_line(fit.reason)
    for place in fit.placements:
        where = in_one_line(" of ".join(filter(None, [place.instance or "containers", place.instance_group])))
        yield f"{place.count:>7,} on {where}"
    for group in fit.groups:
        yield ""
        yield from group_lines(group)


def group_lines(group: GroupFit) -> Iterator[str]:
    free = "unlimited" if group.free is None else f"{group.free:,} free"
    obstacles = " ".join(obstacle.message for obstacle in group.in_the_way)
    yield in_one_line(f"{mark(group)} {group.name}: {free}. {obstacles}").rstrip()
    width = max((len(in_one_line(node.hostname)) for node in group.nodes), default=0)
    for node in group.nodes:
        obstacles = in_one_line(" ".join(obstacle.message for obstacle in node.in_the_way))
        name = in_one_line(node.hostname).ljust(width)
        yield f"    {mark(node)} {name} {node.free:>7,} of {node.capacity:>7,}  {obstacles}".rstrip()


def mark(fit: GroupFit | NodeFit) -> str:
    return "yes" if fit.fits else "no "
