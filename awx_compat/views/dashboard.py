"""The first page of AWX's web interface: counts of what this service keeps, and none of what it does not."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import paths
from awx_compat.views.base import ApiView
from instances.models import UnifiedJob, User

NOT_KEPT = ("inventories", "hosts", "projects", "groups", "organizations", "teams", "credentials", "job_templates")
OUTCOMES = ("successful", "failed")
PERIODS = {
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "two_weeks": timedelta(weeks=2),
    "month": timedelta(30),
}


def nothing(name: str) -> dict[str, Any]:
    """What is told of a collection that is not kept."""
    return {"url": paths.collection(name), "total": 0, "failed": 0, "job_failed": 0, "inventory_failed": 0}


class Dashboard(ApiView):
    title = "Dashboard"

    def get(self, request: Request) -> Response:
        told = {name: nothing(name) for name in NOT_KEPT}
        users = User.objects.visible_to(self.reader).count()
        return Response({**told, "users": {"url": paths.collection("users"), "total": users}})


class JobGraph(ApiView):
    """How many jobs ended well and how many did not, on each day of a ``period``, as [seconds since 1970, number]."""

    title = "Dashboard Jobs Graphs"

    def get(self, request: Request) -> Response:
        period = request.query_params.get("period", "month")
        if period not in PERIODS:
            return Response({"error": f'Unknown period "{period}"'}, status=400)
        since = timezone.now() - PERIODS[period]
        jobs = UnifiedJob.objects.visible_to(self.reader)
        return Response({"jobs": {outcome: list(jobs.ended_by_day(since, outcome)) for outcome in OUTCOMES}})
