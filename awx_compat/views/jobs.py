import functools
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.filters import FiltersOf
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.views.base import DetailView, ListView, Records, not_implemented
from instances.models import UnifiedJob

NOTHING_BELOW = (
    "This service has the records of jobs alone, not their output, events, notifications or templates, and cannot "
    "cancel or relaunch them. Ask the AWX that runs them."
)


class ListOfJobs(ListView):
    """Jobs of any kind, or some of them."""

    serializer_class = UnifiedJobSerializer
    filterset_class = FiltersOf(UnifiedJob)
    search_fields = ("description", "name")


class UnifiedJobList(ListOfJobs):
    title = "Unified Jobs"

    @staticmethod
    def visible(reader: Any) -> Any:
        return UnifiedJob.objects.visible_to(reader).order_by("id")


class JobList(ListOfJobs):
    """The jobs of one kind. Nothing counts them by their kind, so that the list may always be slow."""

    title = "Jobs"
    kind = UnifiedJob.Type.JOB  # of each of these views its route says which, and the title

    def get_queryset(self) -> Any:
        return UnifiedJobList.visible(self.reader).filter(type=self.kind)

    @property
    def is_slow(self) -> bool:
        return True


class JobDetail(DetailView):
    """A job, as AWX sent it."""

    title = "Job Detail"
    kind = UnifiedJob.Type.JOB
    serializer_class = UnifiedJobSerializer
    delete = not_implemented

    def lookup(self) -> tuple[Records, str]:
        return jobs_of(self.kind), "pk"

    def get_queryset(self) -> Any:
        return jobs_of(self.kind)(self.reader)

    @property
    def model_name(self) -> str:
        """AWX has a model for each kind."""
        return self.kind.title().replace("_", "")


class NothingOfJob(JobDetail):
    """Whatever AWX has below a job: who sees the job gets 404 with the reason."""

    schema = None

    def nothing(self, request: Request, **kwargs: Any) -> Response:
        self.get_record()
        raise NotFound(NOTHING_BELOW)

    get = post = put = patch = delete = nothing
    options = nothing  # type: ignore[assignment] # DRF's own takes any request


@functools.cache
def jobs_of(kind: UnifiedJob.Type) -> Records:
    """All jobs of a kind, whoever reads."""
    return lambda reader: UnifiedJob.objects.filter(type=kind)
