from typing import Any

from rest_framework.generics import ListAPIView, RetrieveAPIView

from awx_compat.serializers.instance import InstanceDetailSerializer, InstanceSerializer
from awx_compat.views.base import ApiView, find
from instances.models import Instance


class InstanceList(ApiView, ListAPIView):
    serializer_class = InstanceSerializer

    def get_queryset(self) -> Any:
        return Instance.objects.visible_to(self.request.user).with_load().with_peers().order_by("id")


class InstanceDetail(ApiView, RetrieveAPIView):
    serializer_class = InstanceDetailSerializer

    def get_object(self) -> Instance:
        instances = Instance.objects.with_load().with_peers().with_links()
        return find(instances, self.kwargs["key"], "hostname", self.request.user)
