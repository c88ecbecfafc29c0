from typing import Any

from awx_compat.filters import FiltersOf
from awx_compat.serializers.job import UnifiedJobSerializer
from awx_compat.views.base import ListView
from instances.models import UnifiedJob


class UnifiedJobList(ListView):
    title = "Unified Jobs"
    serializer_class = UnifiedJobSerializer
    filterset_class = FiltersOf(UnifiedJob)
    search_fields = ("description", "name")

    @staticmethod
    def visible(reader: Any) -> Any:
        return UnifiedJob.objects.visible_to(reader).order_by("id")
