"""The addresses at which nodes are dialled: added, changed and removed as the commands do."""

from copy import copy
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances import provisioning_addresses, rules
from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.admin.forms import CheckedForm, choice_of
from instances.locking import lock_links
from instances.models import Instance, ReceptorAddress
from instances.provisioning_addresses import SETTABLE
from instances.reader import Reader


class AddressForm(CheckedForm):
    instance = choice_of(ReceptorAddress, "instance", Instance.objects.all(), "The node that is reached there.")

    def check_together(self, record: Any, values: dict[str, Any]) -> None:
        wanted = copy(record) if record else ReceptorAddress()
        for name, value in values.items():
            setattr(wanted, name, value)
        provisioning_addresses.check(wanted)


@admin.register(ReceptorAddress)
class ReceptorAddressAdmin(MeshAdmin):
    form = AddressForm
    list_display = ["shown_address", "shown_instance", "protocol", "canonical", "peers_from_control_nodes"]
    list_filter = ["protocol", "canonical", "is_internal", "peers_from_control_nodes"]
    list_select_related = ["instance"]
    search_fields = ["address", "instance__hostname"]
    search_help_text = "Part of the address or of the hostname"
    ordering = ["address"]

    # --- reading

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        address = super().get_object(request, object_id, from_field)
        if address is not None:
            address.reader = Reader.of(request.user)
        return address

    def lock_record(self, pk: int) -> None:
        lock_links()

    def may_write(self, request: HttpRequest) -> bool:
        return not rules.current().NO_ADDRESSES and super().may_write(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        names = ["instance", "address"] if obj is None else ["shown_address", "instance_page"]
        more = [] if obj is None else ["dialled_by"]
        return [(None, {"fields": [*names, *SETTABLE, *more]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = [] if obj is None else ["instance", "address"]  # another address is another record
        return [*fixed, "shown_address", "instance_page", "dialled_by"]

    # --- what is shown

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
    def dialled_by(self, address: Any) -> SafeString | str:
        return show.links(address.peers_from.all().visible_to(address.reader).order_by("hostname"))

    # --- writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = form.values()
        if change:
            provisioning_addresses.change(obj.pk, values)
        else:
            node, address = values.pop("instance"), values.pop("address")
            provisioning_addresses.add(node.hostname, address, values)
            obj.pk = ReceptorAddress.objects.get(address=address).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        provisioning_addresses.remove(obj.address)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The names on the confirmation page: of the addresses, and of the links that are removed with them."""
        links = [link for each in objs for link in each.links.select_related("source", "target").order_by("pk")]
        return super().get_deleted_objects([*objs, *links], request)


def address_table(node: Instance) -> SafeString | str:
    """The addresses of a node, the canonical one first."""
    own = node.receptor_addresses.order_by("-canonical", "address")
    rows = ((show.link(each), each.get_protocol_display(), show.names(each.remarks)) for each in own)
    return show.table("Addresses", ("Address", "Protocol", "Remarks"), rows)
