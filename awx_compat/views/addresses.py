"""Receptor addresses: all those of the instances that the reader sees, and lists below an instance."""

from typing import Any

from drf_spectacular.utils import extend_schema

from awx_compat.filters import FiltersOf
from awx_compat.serializers.address import ReceptorAddressSerializer
from awx_compat.views.base import DetailView, ListView
from awx_compat.views.instances import OfInstance
from instances import versions
from instances.models import ReceptorAddress


@extend_schema(methods=["GET"], summary="List the receptor addresses")
class ReceptorAddressList(ListView):
    title = "Receptor Addresses"
    depends_on = versions.INSTANCES
    serializer_class = ReceptorAddressSerializer
    filterset_class = FiltersOf(ReceptorAddress)
    search_fields = ("address",)

    @staticmethod
    def visible(reader: Any) -> Any:
        return ReceptorAddress.objects.visible_to(reader).order_by("id")


@extend_schema(methods=["GET"], summary="One receptor address")
class ReceptorAddressDetail(DetailView):
    title = "Receptor Address Detail"
    depends_on = versions.INSTANCES
    serializer_class = ReceptorAddressSerializer
    name_field = "address"  # of no use: its route takes ids only

    @staticmethod
    def records(reader: Any) -> Any:
        return ReceptorAddress.objects.all()


class AddressesOfInstance(OfInstance, ListView):
    """A list of receptor addresses below an instance."""

    depends_on = versions.INSTANCES
    serializer_class = ReceptorAddressSerializer
    filterset_class = FiltersOf(ReceptorAddress)
    search_fields = ("address",)


@extend_schema(methods=["GET"], summary="The addresses that an instance opens links to")
class PeerAddresses(AddressesOfInstance):
    title = "Peers"

    def get_queryset(self) -> Any:
        return ReceptorAddress.objects.filter(peers_from=self.instance).visible_to(self.reader).order_by("id")


@extend_schema(methods=["GET"], summary="The addresses of an instance")
class OwnAddresses(AddressesOfInstance):
    title = "Receptor Addresses"

    def get_queryset(self) -> Any:
        return ReceptorAddress.objects.filter(instance=self.instance).order_by("id")
