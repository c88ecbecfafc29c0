"""Writing the records of AWX to the database, in one transaction: readers see the old mesh or the new one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from instances import audit
from instances.groups import UNFINISHED
from instances.health import conditions
from instances.mirror import baseline, draining, guard, history, spoken
from instances.mirror.differences import Count, Difference, by_id, exchange, keyed, remove, write
from instances.mirror.jobs import Values
from instances.mirror.left_out import MOST_NAMED, LeftOut, counted, log
from instances.mirror.records import MirroredRows, Records
from instances.mirror.reported import ACCOUNTS, ADDRESSES, GROUPS, INSTANCES, JOBS, LINKS
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, Mirror, UnifiedJob, User
from instances.snapshot.database import BATCH, move_sequences
from instances.snapshot.tables import Membership

Counts = dict[str, Count]


class OccupiedError(Exception):
    """The database has records that do not belong to this mirror."""


@dataclass(frozen=True)
class Plan:
    """The options of a sync: the ``url`` of AWX, and ``every`` how many seconds it is repeated."""

    url: str
    every: float | None = None
    all_jobs: bool = False
    replace: bool = False
    goes_on: bool = False
    """Whether there must be a mirror already, which this sync only brings up to date."""


def refuse_if_occupied(plan: Plan) -> None:
    """Raise OccupiedError where a sync would remove records that came from elsewhere."""
    mirror = guard.current()
    if mirror is None and plan.goes_on:
        raise OccupiedError("The mirror was detached meanwhile.")
    if mirror is not None and mirror.url != plan.url and not plan.replace:
        raise OccupiedError(
            f'This service mirrors {mirror.url}: --replace mirrors another one, "sync_awx --detach" ends it.'
        )
    if mirror is None and not plan.replace:
        for model in (Instance, InstanceGroup, UnifiedJob):
            if model._default_manager.exists():
                kinds = model._meta.verbose_name_plural
                raise OccupiedError(
                    f"There are {kinds} here already: --replace removes them, and what belongs to them."
                )


def is_first_sync(plan: Plan) -> bool:
    """Whether this service has no mirror of that AWX yet."""
    return not Mirror.objects.filter(url=plan.url).exists()


def copies_all_jobs(plan: Plan) -> bool:
    return plan.all_jobs or Mirror.objects.filter(url=plan.url, all_jobs=True).exists()


def unfinished(plan: Plan) -> list[int]:
    """The ids of the jobs that had not ended when they were copied, if the mirror has all jobs; else none."""
    if is_first_sync(plan) or not copies_all_jobs(plan):
        return []
    stored = UnifiedJob.objects.filter(status__in=UNFINISHED).order_by("pk").values_list("pk", flat=True)
    return [*stored, *history.left_out_unfinished()]


def write_records(plan: Plan, records: Records, began: datetime) -> Counts:
    """Write ``records`` and enable the guard against other changes; return the number of records by kind.

    ``began``: when reading them began. Records that this service cannot store are left out and logged. Raises
    SnapshotError where records are inconsistent, OccupiedError, baseline.ImpactError, and spoken.NotShownError. After
    any error nothing is changed.
    """
    rows = MirroredRows(records)
    log(rows.left_out)
    with audit.suspend_row_events(), transaction.atomic():
        refuse_if_occupied(plan)
        is_new = is_first_sync(plan)
        before = guard.current()
        if is_new:
            guard.enable_guard()
            Mirror.objects.all().delete()
        with guard.allow_writes():
            if is_new:
                remove_ended_jobs()
                history.delete_left_out()
                draining.drop_all()
                conditions.delete_all_stored()  # that AWX's nodes have ids of earlier nodes means nothing
            counts = write_rows(rows)
            spoken.refuse_partial_mirror(records.version)
            baseline.write_baselines(rows.nodes, rows.loads)
        history.store_left_out(records.jobs, rows.jobs)
        conditions.store(Instance.objects.select_related("health"), timezone.now(), conditions.MIRRORING)
        store_result(plan, records.version, began, counts, rows.left_out)
    spoken.announce_change(before, records.version)
    return counts


def write_rows(rows: MirroredRows) -> Counts:
    """Write the rows that differ, in an order in which no row refers to a missing one."""
    instances, addresses, links, groups = (
        by_id(rows.of[table], table.model._default_manager.all()) for table in (INSTANCES, ADDRESSES, LINKS, GROUPS)
    )
    remove(LINKS, links)
    remove(ADDRESSES, addresses)
    remove(GROUPS, groups)
    remove(INSTANCES, instances)
    write(INSTANCES, instances)
    write(ADDRESSES, addresses)
    write(GROUPS, groups)
    # Anew: a removed node took along the links to what had been its address.
    missing = by_id(rows.of[LINKS], InstanceLink.objects.all())
    exchange(LINKS, Difference(missing.new, missing.changed))
    return {
        "instances": instances.count,
        "addresses": addresses.count,
        "links": links.count,
        "groups": groups.count,
        "members": write_members(rows.members),
        **write_users(rows.accounts, rows.roles),
        "jobs": write_jobs(rows.jobs),
    }


def write_members(members: list[tuple[int, int]]) -> Count:
    return write_tuples(("instancegroup_id", "instance_id"), set(members), Membership.objects.all())


def write_tuples(key: tuple[str, ...], wanted: set[Any], stored: "QuerySet[Any]") -> Count:
    """Make the rows ``stored``, which have no columns but their ``key``, equal to ``wanted``."""
    present = {tuple(values): pk for pk, *values in stored.values_list("pk", *key)}
    gone = [pk for values, pk in present.items() if values not in wanted]
    new = sorted(wanted - present.keys())
    if gone:
        stored.filter(pk__in=gone).delete()
    inserted = [stored.model(**dict(zip(key, values, strict=True))) for values in new]
    stored.model._default_manager.bulk_create(inserted, batch_size=BATCH)
    return Count(len(wanted), len(new), 0, len(gone))


# --- users


def write_users(accounts: list[Values], roles: set[tuple[int, int, str]]) -> Counts:
    """Write the mirrored accounts and their roles, by username, since ids differ; accounts of this service's own stay.

    Mirrored accounts have no usable password here until an administrator sets one.
    """
    fields = [column.attname for column in ACCOUNTS.columns if column.attname != "id"]
    wanted = {account["username"]: {name: account[name] for name in fields} for account in accounts}
    stored = keyed(User.objects.filter(mirrored=True).values(*fields), "username")
    own = set(User.objects.filter(mirrored=False, username__in=wanted).values_list("username", flat=True))
    difference = Difference.of({name: values for name, values in wanted.items() if name not in own}, stored)
    User.objects.filter(mirrored=True, username__in=difference.gone).delete()
    for values in difference.changed:
        User.objects.filter(username=values["username"]).update(**values, is_staff=values["is_superuser"])
    User.objects.bulk_create(
        User(**values, is_staff=values["is_superuser"], password=make_password(None), mirrored=True)
        for values in difference.new
    )
    here = dict(User.objects.filter(username__in=wanted).values_list("username", "pk"))
    ids = {account["id"]: here[account["username"]] for account in accounts}
    return {"users": difference.count, "roles": write_roles(ids, roles)}


def write_roles(ids: Mapping[int, int], roles: set[tuple[int, int, str]]) -> Count:
    """Write the roles on groups of the users in ``ids``, which maps the ids in AWX to those here."""
    key = ("instance_group_id", "user_id", "role")
    wanted = {(group, ids[user], role) for group, user, role in roles if user in ids}
    return write_tuples(key, wanted, InstanceGroupRole.objects.filter(user_id__in=ids.values()))


# --- jobs


def remove_ended_jobs() -> None:
    """Delete the ended jobs of another AWX, which may be millions, by one statement."""
    UnifiedJob.objects.exclude(status__in=UNFINISHED).delete()


def write_jobs(jobs: list[Values]) -> Count:
    """Write the jobs that have not ended, and those that had not at the last sync."""
    stored = UnifiedJob.objects.filter(Q(status__in=UNFINISHED) | Q(pk__in=[job["id"] for job in jobs]))
    difference = by_id(jobs, stored)
    remove(JOBS, difference)
    write(JOBS, difference)
    return difference.count


# --- the result of a sync


def store_result(plan: Plan, version: str, began: datetime, counts: Counts, left_out: list[LeftOut]) -> None:
    values = {
        "url": plan.url,
        "version": version,
        "every": plan.every,
        "began": began,
        "finished": timezone.now(),
        "records": {kind: asdict(count) for kind, count in counts.items()},
        "left_out": {**counted(left_out), **history.count_left_out()},
        "left_out_names": [str(one) for one in left_out[:MOST_NAMED]],
        "failures": 0,
    }
    if plan.all_jobs:
        values["all_jobs"] = True
    Mirror.objects.update_or_create(pk=Mirror.ONLY, defaults=values)


def store_failure(reason: str) -> None:
    """Store that a sync failed; before the first success there is no row of a mirror to store it in."""
    Mirror.objects.update(
        failures=F("failures") + 1, failures_total=F("failures_total") + 1, failed=timezone.now(), failure=reason
    )


def detach() -> Mirror | None:
    """End the mirror, so that its records can be changed here; return the mirror, or None if there was none.

    Jobs that have not ended are deleted: no sync would report their end. Mirrored accounts stay, without the superuser
    and auditor flags of AWX, which will revoke none here any more. Raises SyncRunningError during a sync.
    """
    with guard.sync_lock(), transaction.atomic():
        mirror = guard.current()
        if mirror is None:
            return None
        guard.disable_guard()
        move_sequences([INSTANCES, ADDRESSES, LINKS, GROUPS, JOBS])
        UnifiedJob.objects.filter(status__in=UNFINISHED).delete()
        baseline.reset_active()
        draining.drop_all()
        history.delete_left_out()
        User.objects.filter(mirrored=True).update(
            mirrored=False, is_superuser=False, is_staff=False, is_system_auditor=False
        )
        Mirror.objects.all().delete()
        return mirror
