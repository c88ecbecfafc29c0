"""The first page of AWX's web interface: counts of the records that this service has, and 0 of all others."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.openapi.errors import ErrorResponse
from awx_compat.serializers.service import DashboardSerializer, JobGraphSerializer, RefusedQuerySerializer, dashboard
from awx_compat.views.base import ApiView
from instances.models import UnifiedJob, User

OUTCOMES = ("successful", "failed")
PERIODS = {
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "two_weeks": timedelta(weeks=2),
    "month": timedelta(30),
}
UNKNOWN_PERIOD = 'Unknown period "{}"'


class Dashboard(ApiView):
    title = "Dashboard"

    @extend_schema(responses=DashboardSerializer, summary="Counts for the first page of a web interface")
    def get(self, request: Request) -> Response:
        return Response(dashboard(User.objects.visible_to(self.reader).count()))


class JobGraph(ApiView):
    """How many jobs ended well and how many did not, on each day of a ``period``, as [seconds since 1970, number]."""

    title = "Dashboard Jobs Graphs"

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "period",
                {"type": "string", "enum": list(PERIODS), "default": "month"},
                description="How far back.",
            ),
        ],
        responses={
            200: JobGraphSerializer,
            400: ErrorResponse(
                "UnknownPeriod",
                "There is no such period.",
                (RefusedQuerySerializer,),
                {"error": UNKNOWN_PERIOD.format("year")},
            ),
        },
        summary="How many jobs ended well or not, by day",
    )
    def get(self, request: Request) -> Response:
        period = request.query_params.get("period", "month")
        if period not in PERIODS:
            return Response({"error": UNKNOWN_PERIOD.format(period)}, status=400)
        since = timezone.now() - PERIODS[period]
        jobs = UnifiedJob.objects.visible_to(self.reader)
        return Response({"jobs": {outcome: list(jobs.ended_by_day(since, outcome)) for outcome in OUTCOMES}})
