"""The reasons of conditions, each with its sentence, and what is found of a condition."""

from datetime import datetime
from typing import NamedTuple

from django.db import models

from instances.models import Condition, NodeHealth


class Reason(models.TextChoices):
    """The reasons of conditions; HealthChecked has those of ``NodeHealth.Check`` too."""

    SEEN = "SeenInTime", "It was seen, or reported itself, and was not found lost since"
    SEEN_ONCE = "SeenOnceAfterLoss", "It was seen again after it was lost, and does not count as back yet"
    LOST = "Lost", "It was not seen for longer than nodes of its type may be silent"
    NEVER_SEEN = "NeverSeen", "It was never seen"
    SILENT = "NotSeenLately", "It was not seen for longer than nodes of its type may be silent, nor found lost"
    IN_FUTURE = "SeenInFuture", "It was last seen in the future: a clock is wrong"
    MIRRORED = "NotReportedByAWX", "It is mirrored from AWX, which does not report this"
    NOT_WATCHED = "NotWatched", "No worker watches it here, so nobody knows"
    NOT_HEARD = "NotHeardYet", "A worker watches it here, and has not heard of it in time"
    NEVER_CHECKED = "NeverChecked", "No health check of it ended"
    LOST_SINCE = "LostSinceCheck", "It was lost after its last health check"
    HAS_ERRORS = "ErrorsRecorded", "Errors are recorded at it"
    NOT_RECORDED = "ResultNotRecorded", "The result of its last health check is not recorded"
    CONNECTED = "Connected", "It is seen, so the mesh reaches it"
    NO_ROUTE = "NoRoute", "It was seen lately, but the mesh knows no route to it now"
    CUT_OFF = "CutOff", "Every path to it leads over nodes that are down"
    DOWN = "NodeDown", "It is lost, and no other node that is down stands before it"
    REPORTED = "FiguresReported", "It reported its CPUs and its memory"
    NOT_REPORTED = "NothingReported", "It did not report its CPUs and its memory yet"
    ENABLED = "EnabledByOperator", "It may be given jobs"
    DISABLED = "DisabledByOperator", "It is given no jobs"
    NO_BUNDLE = "NoBundleRecorded", "No download of its install bundle is recorded"
    BUNDLE_CURRENT = "BundleUpToDate", "A new install bundle would be made of the same"
    BUNDLE_OUTDATED = "BundleOutdated", "A new install bundle would differ, or its certificate has expired"
    NO_MESH_CA = "MeshCANotReadable", "The mesh CA cannot be read here, so it cannot be compared"
    ONE_WAY = "OneLossCutsOff", "The loss of one other node, or of one link, would cut it off from every control node"
    TWO_WAYS = "NoOneLossCutsOff", "No loss of one other node, or of one link, would cut it off from the control nodes"
    NO_WAY = "NoWayToControlNode", "It can reach no control node even now"
    JOBS_REMAIN = "JobsRemain", "It is given no jobs, and its own have not all ended"
    OVERDUE = "DeadlinePassed", "Its jobs have not all ended before the deadline"
    NO_JOBS_REMAIN = "NoJobsRemain", "It is given no jobs, and its own have ended"
    NOT_DRAINING = "NotDraining", "Nobody drains it"
    NOT_APPLICABLE = "NotApplicable", "It does not apply to nodes of this type"


REASONS = [*Reason.choices, *NodeHealth.Check.choices]
FAULTS = tuple(check for check in NodeHealth.Check if check != NodeHealth.Check.PASSED)


class Finding(NamedTuple):
    """The computed status of a condition; ``since`` is when it changed to that, where the records show it."""

    status: Condition.Status
    reason: Reason | NodeHealth.Check
    message: str = ""
    since: datetime | None = None
