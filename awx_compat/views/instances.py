from typing import Any

from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exceptions import NotWritable
from awx_compat.serializers.instance import InstanceDetailSerializer, InstanceSerializer
from awx_compat.views.base import ApiView, find
from instances.models import Instance


class InstanceList(ApiView, ListAPIView[Instance]):
    serializer_class = InstanceSerializer

    def get_queryset(self) -> Any:
        return Instance.objects.visible_to(self.request.user).with_load().with_peers().order_by("id")

    def post(self, request: Request) -> Response:
        raise NotWritable


class InstanceDetail(ApiView, RetrieveAPIView[Instance]):
    serializer_class = InstanceDetailSerializer

    def get_object(self) -> Any:
        instances = Instance.objects.with_load().with_peers().with_links()
        return find(instances, self.kwargs["key"], "hostname", self.request.user)

    def put(self, request: Request, key: str) -> Response:
        raise NotWritable

    def patch(self, request: Request, key: str) -> Response:
        raise NotWritable
