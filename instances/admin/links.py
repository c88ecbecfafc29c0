"""Links between instances, created and removed by the rules for the peers of their source."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances import lifecycle
from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.admin.forms import CheckedForm, choice_of
from instances.locking import lock_links
from instances.models import Instance, InstanceLink, ReceptorAddress
from instances.models.fields import Severity
from instances.reader import Reader

State = InstanceLink.State


class LinkForm(CheckedForm):
    source = choice_of(
        InstanceLink,
        "source",
        Instance.objects.all(),
        "An execution or hop node. The peers of control and hybrid nodes are set automatically.",
    )
    target = choice_of(
        InstanceLink, "target", ReceptorAddress.objects.select_related("instance"), "An address of another node."
    )

    def check_together(self, record: Any, values: dict[str, Any]) -> None:
        lifecycle.checked(values["source"], {"peers": [*values["source"].peers.all(), values["target"]]})


@admin.register(InstanceLink)
class LinkAdmin(MeshAdmin):
    plural = "Links"
    form = LinkForm
    list_display = ["shown_source", "shown_target", "shown_address", "shown_state"]
    list_filter = ["link_state"]
    list_select_related = ["source", "target__instance"]
    search_fields = ["source__hostname", "target__instance__hostname", "target__address"]
    search_help_text = "Part of the hostname of the source or target, or of the address"
    ordering = ["source__hostname", "target__instance__hostname", "target__address"]

    def get_queryset(self, request: HttpRequest) -> Any:
        links = InstanceLink.objects.select_related("source", "target__instance")
        reader = Reader.of(request.user)
        return links if reader.sees_everything else links.filter(both_ends_are_in(Instance.objects.visible_to(reader)))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["source", "target"] if obj is None else ["source_page", "target_page", "shown_address", "shown_state"]
        return [(None, {"fields": fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["source_page", "target_page", "shown_address", "shown_state"]

    def may_write(self, request: HttpRequest) -> bool:
        return settings.IS_K8S and super().may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a link between other nodes is another link

    @admin.display(description="from", ordering="source__hostname")
    def shown_source(self, link: InstanceLink) -> SafeString:
        return show.name(link.source)

    @admin.display(description="to", ordering="target__instance__hostname")
    def shown_target(self, link: InstanceLink) -> SafeString:
        return show.name(link.target.instance)

    @admin.display(description="address", ordering="target__address")
    def shown_address(self, link: InstanceLink) -> SafeString:
        return show.name(link.target)

    @admin.display(description="from")
    def source_page(self, link: InstanceLink) -> SafeString:
        return show.link(link.source)

    @admin.display(description="to")
    def target_page(self, link: InstanceLink) -> SafeString:
        return show.link(link.target.instance)

    @admin.display(description="state", ordering="link_state")
    def shown_state(self, link: InstanceLink) -> SafeString:
        return show.badge(State.severity_of(link.link_state, Severity.UNSURE), link.get_link_state_display())

    def lock_record(self, pk: int) -> None:
        lock_links()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        lifecycle.add_peer(obj.source_id, obj.target)
        obj.pk = InstanceLink.objects.get(source=obj.source_id, target=obj.target_id).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        lifecycle.remove_peer(obj.source_id, obj.target)


def both_ends_are_in(instances: Any) -> Q:
    """The condition that a link joins two of these instances."""
    return Q(source__in=instances, target__instance__in=instances)


def links_of(node: Any) -> list[tuple[bool, SafeString, SafeString, str]]:
    """For each link of the node: whether the node is its source, the other end, the address, and the state.

    Read once for a page. Only links of which the reader sees both ends.
    """
    if not hasattr(node, "visible_links"):
        links = InstanceLink.objects.filter(both_ends_are_in(Instance.objects.visible_to(node.reader)))
        own = links.filter(Q(source=node) | Q(target__instance=node)).select_related("source", "target__instance")
        node.visible_links = [
            (
                link.source_id == node.pk,
                show.link(link.target.instance if link.source_id == node.pk else link.source),
                show.name(link.target),
                link.get_link_state_display(),
            )
            for link in own.order_by("source__hostname", "target__instance__hostname", "target__address")
        ]
    found: list[tuple[bool, SafeString, SafeString, str]] = node.visible_links
    return found
