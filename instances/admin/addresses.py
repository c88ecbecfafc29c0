"""The addresses at which nodes are dialled."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.models import ReceptorAddress


@admin.register(ReceptorAddress)
class ReceptorAddressAdmin(MeshAdmin):
    list_display = ["shown_address", "shown_instance", "protocol", "canonical", "peers_from_control_nodes"]
    list_filter = ["protocol", "canonical", "is_internal", "peers_from_control_nodes"]
    list_select_related = ["instance"]
    search_fields = ["address", "instance__hostname"]
    search_help_text = "Part of the address or of the hostname"
    ordering = ["address"]
    fields = [
        "shown_address",
        "instance_page",
        "address",
        "port",
        "protocol",
        "websocket_path",
        "is_internal",
        "canonical",
        "peers_from_control_nodes",
        "dialled_by",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance")

    def may_write(self, request: HttpRequest) -> bool:
        return False  # a node's own page has its canonical address

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="full address", ordering="address")
    def shown_address(self, address: ReceptorAddress) -> SafeString:
        return show.name(address)

    @admin.display(description="node", ordering="instance__hostname")
    def shown_instance(self, address: ReceptorAddress) -> SafeString:
        return show.name(address.instance)

    @admin.display(description="node")
    def instance_page(self, address: ReceptorAddress) -> SafeString:
        return show.link(address.instance)

    @admin.display(description="nodes that connect to it")
    def dialled_by(self, address: ReceptorAddress) -> SafeString | str:
        return show.links(address.peers_from.order_by("hostname"))
