"""``manage.py drain``: take nodes out of service, and say what they still have to do."""

import re
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from instances import drains, tasks
from instances.drains import DrainPlan, DrainProgress, DrainRefusedError
from instances.management.refusing import ErrorReportingCommand
from instances.mirror import guard
from instances.models import Drain, Instance
from instances.planning.draining import Estimate
from instances.text import exact, in_one_line, in_words

PAUSE = 2  # seconds between two reads of the drains that are waited for
JOB = ("name", "status", "started")  # of a job, in JSON
OF_A_NEW_DRAIN = ("deadline", "then", "force")  # options
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """The time that an argument names: in ISO 8601, or as a duration from now, as 90m, 2h and 1d."""
    if duration := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return timezone.now() + timedelta(**{UNITS[duration[2]]: int(duration[1])})
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError(f"{text} is neither a duration, as 90m, 2h or 1d, nor a time in ISO 8601.")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


class Command(ErrorReportingCommand):
    help = (
        "Take nodes out of service: they get no new jobs, and a next step follows once their own have ended. Without "
        "--reason, say how far their drains are; without hostnames, those of all open drains. Exits with 0 if all was "
        "done as requested, and with 1 if it was refused, or --wait ended at the deadline or otherwise than hoped for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("hostname", nargs="*", help="hostnames of the nodes; all of them are drained, or none")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--reason", help="drain the nodes; this says why")
        act.add_argument("--undo", action="store_true", help="end their open drains; they become what they were before")
        act.add_argument("--status", action="store_true", help="say how far their drains are (default)")
        parser.add_argument("--deadline", type=moment, metavar="TIME", help="90m, 2h, 1d, or a time in ISO 8601")
        parser.add_argument("--then", choices=Drain.Then.values, help="the next step (default: stay)")
        parser.add_argument(
            "--force",
            metavar="REASON",
            help="drain them although others need them, and do the next step after the deadline though jobs remain",
        )
        parser.add_argument("--wait", action="store_true", help="wait until the drains have ended, or their deadline")
        parser.add_argument("--json", action="store_true", help="print all of it, as the API has it")

    def handle(self, *args: Any, hostname: list[str], **options: Any) -> None:
        if not hostname and (options["reason"] is not None or options["undo"]):
            raise CommandError("Name the nodes.")
        if options["reason"] is None and (unused := [name for name in OF_A_NEW_DRAIN if options[name] is not None]):
            raise CommandError(f"Nothing was changed: --{' and --'.join(unused)} without --reason, which drains nodes.")
        if options["undo"] and options["wait"]:
            raise CommandError("Nothing is to be waited for: --undo is done at once.")
        pks = [drain.pk for drain in self.chosen(hostname, options)]
        try:
            found = self.waited_for(pks) if options["wait"] else read(pks)
        except KeyboardInterrupt:
            self.stderr.write("No longer waited for; the drains go on.")
            raise
        self.report(found, options["json"])
        if options["wait"] and not all(each.ended_how == Drain.Ending.DONE for each in found):
            sys.exit(1)

    def chosen(self, hostnames: list[str], options: dict[str, Any]) -> Iterable[Drain]:
        """The drains that the command is about, after it has begun or undone them."""
        if options["reason"] is not None:
            reason, deadline, force_reason = (options[name] for name in ("reason", "deadline", "force"))
            if force_reason is not None and not force_reason.strip():
                raise CommandError(drains.NO_FORCE_REASON)
            plan = DrainPlan(reason, options["then"] or Drain.Then.STAY, deadline, force_reason or "")
            try:
                return drains.begin(ids_of(hostnames), plan)
            except DrainRefusedError as error:
                raise CommandError(str(error)) from None
        if options["undo"]:
            return undone(ids_of(hostnames))
        if not hostnames:
            return Drain.objects.open()
        drains_of_nodes = Drain.objects.of_present_nodes().filter(instance__in=ids_of(hostnames))
        found = drains_of_nodes.order_by("instance", "-pk").distinct("instance")
        self.say_undrained(set(hostnames) - {drain.hostname for drain in found}, options)
        return found

    def say_undrained(self, hostnames: set[str], options: dict[str, Any]) -> None:
        """Say of which of the nodes no drain is known; there is nothing to wait for then."""
        if not hostnames:
            return
        names = ", ".join(in_one_line(name) for name in sorted(hostnames))
        message = f"No drain is known of {names}."
        if options["wait"]:
            raise CommandError(f"{message} There is nothing to wait for.")
        self.stderr.write(message)

    def waited_for(self, pks: list[int]) -> list[Drain]:
        """The drains, once each has ended, or is overdue and waits for its jobs nevertheless."""
        is_reported = guard.current() is not None  # of a mirror, each sync takes the next steps
        while True:
            found, now = read(pks), timezone.now()
            if not any(each.is_open and (each.is_forced or not each.is_overdue(now)) for each in found):
                return found
            if not is_reported and (fault := tasks.worker_fault(tasks.current_silence())):
                self.stderr.write(f"{fault} The drains go on once a worker runs.")
                is_reported = True
            time.sleep(PAUSE)

    def report(self, found: list[Drain], as_json: bool) -> None:
        progress = drains.progress_of(found)
        if as_json:
            bodies = [body(each, progress.get(each.pk)) for each in found]
            self.stdout.write(orjson.dumps(bodies, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
            return
        for each in found:
            for line in lines(each, progress.get(each.pk)):
                self.stdout.write(line)
        if not found:
            self.stdout.write("No node is being drained.")


def ids_of(hostnames: list[str]) -> list[int]:
    found = dict(Instance.objects.filter(hostname__in=hostnames).values_list("hostname", "pk"))
    missing = [in_one_line(name) for name in hostnames if name not in found]
    if missing:
        raise CommandError(f"No instance is named {', '.join(missing)}; nothing was changed.")
    return [found[name] for name in dict.fromkeys(hostnames)]


@transaction.atomic
def undone(pks: list[int]) -> list[Drain]:
    undrained = Instance.objects.filter(pk__in=pks).exclude(
        pk__in=Drain.objects.open().of_present_nodes().filter(instance__in=pks).values("instance")
    )
    if names := list(undrained.order_by("hostname").values_list("hostname", flat=True)):
        raise CommandError(f"Not being drained: {', '.join(map(in_one_line, names))}. Nothing was changed.")
    try:
        return [drains.undo(pk) for pk in sorted(pks)]  # in the order in which others lock nodes
    except Drain.DoesNotExist:  # since a moment
        raise CommandError(f"{drains.NOT_DRAINING} Nothing was changed.") from None


def read(pks: list[int]) -> list[Drain]:
    return list(Drain.objects.filter(pk__in=pks).with_jobs().order_by("hostname", "pk"))


def body(drain: Drain, progress: DrainProgress | None) -> dict[str, Any]:
    """What the API answers; ``progress`` is None once it has ended."""
    same = ("hostname", "reason", "began", "deadline", "then", "force_reason", "drained_at", "ended_at", "ended_how")
    of_mirror = ("pending_enabled", "awx_error")
    jobs = [(job._asdict(), asdict(eta)) for job, eta in progress.jobs] if progress else []
    return {
        **{name: getattr(drain, name) for name in (*same, *of_mirror)},
        "id": drain.pk,
        "instance": drain.instance_id,
        "requested_by": drain.requested_by_name,
        "overdue": drain.is_overdue(timezone.now()),
        "forced": drain.is_forced,
        "ended_by": drain.ended_by_name,
        "jobs_remaining": len(jobs) if progress else None,
        "jobs": [{"id": job["pk"], **{name: job[name] for name in JOB}, "eta": eta} for job, eta in jobs],
        "eta": asdict(progress.eta) if progress else None,
    }


def lines(drain: Drain, progress: DrainProgress | None) -> Iterable[str]:
    """The drain in words, with a line for each job that remains."""
    name, since = in_one_line(drain.hostname), exact(drain.began)
    yield f"{name}: {standing(drain, progress)} Requested {since}: {in_one_line(drain.reason)}"
    if drain.pending_enabled is not None:
        yield f"    {pending_in_words(drain)}"
    if progress is None:
        return
    if progress.jobs:
        yield f"    the last will have ended {in_future(progress.eta)}"
    for job, eta in progress.jobs:
        yield f"    job {job.pk} ({in_one_line(job.name)}), {job.status}: {in_future(eta)}"


def standing(drain: Drain, progress: DrainProgress | None) -> str:
    if drain.ended_at is not None:
        return f"{drain.get_ended_how_display()}, {exact(drain.ended_at)}."
    if progress is None:
        return "The node is gone."
    overdue = ", which should have ended before the deadline" if drain.is_overdue(timezone.now()) else ""
    number = len(progress.jobs)
    return f"{number} {'job' if number == 1 else 'jobs'} left{overdue}. Then: {drain.get_then_display()}."


def pending_in_words(drain: Drain) -> str:
    """What the mirrored AWX is yet to be given, and why that failed."""
    verb = "enabled" if drain.pending_enabled else "disabled"
    error = f" The last attempt failed: {in_one_line(drain.awx_error)}" if drain.awx_error else ""
    return f"It is not {verb} in the mirrored AWX yet; the next sync does that.{error}"


def in_future(eta: Estimate) -> str:
    """When something ends, in words."""
    if eta.median is None or eta.p90 is None:
        return eta.basis
    median, p90 = (in_words(max(0.0, (each - timezone.now()).total_seconds())) for each in (eta.median, eta.p90))
    return f"in {median}, by the p90 in {p90} ({eta.basis})"
