"""Whether a job would run on the stored mesh, of which a reader learns no more than that reader sees."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.core.exceptions import ValidationError

from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.models.group import CONTROL_PLANE, DEFAULT
from instances.planning.fit import Fit, Place, assess_fit
from instances.planning.placement import Candidate, CandidateGroup, Workload
from instances.querysets import ACTIVE
from instances.reader import Reader

MOST_NODES = 20_000  # of all groups that are named together, each node once for each of its groups
ASSUMED = f"Which groups may run it is not known here before it starts: this is about the group {DEFAULT}."
QUEUED = (UnifiedJob.Status.NEW, UnifiedJob.Status.PENDING)


def fit_of_workload(reader: Reader, workload: Workload, count: int = 1, group_names: Sequence[str] = ()) -> Fit:
    """Whether ``count`` copies would run now, in the groups of these names or else in AWX's ``default``.

    Raises ValidationError for names that no group has which the reader sees, and for more than ``MOST_NODES`` nodes.
    Where the control plane executes the job, groups need not be named, and make no difference. Three queries.
    """
    names = list(dict.fromkeys(group_names or (() if workload.is_on_control_plane else (DEFAULT,))))
    stored = stored_groups(reader, {*names, CONTROL_PLANE})
    unknown = [name for name in names if name not in stored or not stored[name].is_visible]
    if unknown:
        raise ValidationError(f"No group is named {', '.join(unknown)}.")
    control_plane = stored.get(CONTROL_PLANE, CandidateGroup(CONTROL_PLANE))
    return assess_fit(workload, count, [stored[name] for name in names], control_plane)


def fit_of_job(reader: Reader, pk: int) -> Fit:
    """Why a stored job waits, or what became of it. At most five queries.

    Raises UnifiedJob.DoesNotExist for a job that the reader does not see.
    """
    job: UnifiedJob = UnifiedJob.objects.visible_to(reader).select_related("instance_group").get(pk=pk)
    group = job.instance_group.name if job.instance_group else None
    if job.status in ACTIVE:
        return fit_of_active(job, group)
    if job.status not in QUEUED:
        return Fit(None, 0, job.task_impact, f"Job {job.pk} has ended: {job.get_status_display().lower()}.")
    workload = Workload(job.type, job.task_impact)
    try:
        fit = fit_of_workload(reader, workload, group_names=[group] if group else ())
    except ValidationError as error:  # there is no group "default"
        fit = Fit(False, 0, job.task_impact, " ".join(error.messages))
    is_assumed = group is None and workload.needs_node and not workload.is_on_control_plane
    words = [f"Job {job.pk} is {job.status}.", *([ASSUMED] if is_assumed else []), fit.reason, *other_reasons(job, fit)]
    return replace(fit, reason=" ".join(words))


def fit_of_active(job: UnifiedJob, group: str | None) -> Fit:
    """Where the job is already, whether or not it would fit there again."""
    node, controller = job.execution_node or None, job.controller_node or None
    places = [f"group {group}" if group else "", f"on {node}" if node else "", f"by {controller}" if controller else ""]
    where = ", ".join(place for place in places if place)
    return Fit(
        fits=True,
        placed=1,
        impact=job.task_impact,
        reason=f"Job {job.pk} is {job.status} already{where and ': '}{where}.",
        instance_group=group,
        instance=node,
        control_node=controller,
        placements=[Place(group, node, 1)],
    )


def other_reasons(job: UnifiedJob, fit: Fit) -> Iterator[str]:
    """Why a job waits beside capacity, as far as that is stored: an active run of its template, and AWX's words."""
    active = list(active_runs(job))
    if active:
        yield f"Job {active[0]} of the same template is active, and AWX runs one at a time."
    elif fit.fits:
        yield "So it waits for AWX to look at it, or for a job that it depends on, which is not known here."
    if job.job_explanation:
        yield f"AWX explains: {job.job_explanation}"


def active_runs(job: UnifiedJob) -> Iterable[int]:
    """The id of an active job of the same template, where AWX does not run these at once."""
    if job.unified_job_template is None or job.representation.get("allow_simultaneous"):
        return []
    same = UnifiedJob.objects.active().filter(unified_job_template=job.unified_job_template)
    return same.order_by().values_list("pk", flat=True)[:1]


# --- of what is stored


def stored_groups(reader: Reader, names: Iterable[str]) -> dict[str, CandidateGroup]:
    """The groups of these names that the reader sees, and in any case the control plane, with nodes. Three queries."""
    groups = InstanceGroup.objects.filter(name__in=names).with_load().with_visibility(reader)
    by_id = {group.pk: group for group in groups if group.is_visible or group.name == CONTROL_PLANE}
    memberships = InstanceGroup.instances.through.objects.filter(instancegroup__in=by_id).order_by("instance__hostname")
    members = list(memberships.values_list("instancegroup_id", "instance_id")[: MOST_NODES + 1])
    if len(members) > MOST_NODES:
        raise ValidationError(f"These groups have more than {MOST_NODES:,} nodes together: name fewer at once.")
    stored = Instance.objects.filter(pk__in={pk for _, pk in members}).with_load().with_visibility(reader)
    candidates = {node.pk: candidate(node) for node in stored}
    nodes = defaultdict(list)
    for group, node in members:
        if node in candidates:  # it may have been deleted meanwhile
            nodes[group].append(candidates[node])
    return {group.name: candidate_group(group, nodes[group.pk]) for group in by_id.values()}


def candidate_group(group: InstanceGroup, nodes: Sequence[Candidate]) -> CandidateGroup:
    return CandidateGroup(
        name=group.name,
        nodes=() if group.is_container_group else nodes,
        is_container_group=group.is_container_group,
        max_forks=group.max_forks,
        max_concurrent_jobs=group.max_concurrent_jobs,
        impact=group.own_load.impact,
        jobs_running=group.own_load.jobs_running,
        is_visible=group.is_visible,
    )


def candidate(node: Instance) -> Candidate:
    return Candidate(
        hostname=node.hostname,
        node_type=node.node_type,
        capacity=node.capacity,
        consumed=node.consumed_capacity,
        jobs_running=node.load.jobs_running,
        node_state=node.node_state,
        enabled=node.enabled,
        is_visible=node.is_visible,
    )
