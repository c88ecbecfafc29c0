"""Links between instances. They are made and ended with the rules for the peers of their source."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from instances import lifecycle
from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.admin.forms import CheckedForm
from instances.locking import lock_links
from instances.models import Instance, InstanceLink
from instances.models.fields import Severity
from instances.reader import Reader

State = InstanceLink.State


def end(name: str, help_text: str) -> forms.ModelChoiceField:
    widget = AutocompleteSelect(InstanceLink._meta.get_field(name), admin.site)
    return forms.ModelChoiceField(queryset=Instance.objects.all(), widget=widget, help_text=help_text)


class LinkForm(CheckedForm):
    source = end("source", "An execution or hop node: what control and hybrid nodes connect to follows from the nodes.")
    target = end("target", "It needs a listener port.")

    def check_together(self, record: Any, values: dict[str, Any]) -> None:
        lifecycle.checked(values["source"], {"peers": [*values["source"].peers.all(), values["target"]]})


@admin.register(InstanceLink)
class LinkAdmin(MeshAdmin):
    plural = "Links"
    form = LinkForm
    list_display = ["shown_source", "shown_target", "shown_state"]
    list_filter = ["link_state"]
    list_select_related = ["source", "target"]
    search_fields = ["source__hostname", "target__hostname"]
    search_help_text = "A part of the hostname of either end"
    ordering = ["source__hostname", "target__hostname"]

    def get_queryset(self, request: HttpRequest) -> Any:
        links = InstanceLink.objects.select_related("source", "target")
        seen = Instance.objects.visible_to(Reader.of(request.user))
        return links if request.user.sees_everything else links.filter(source__in=seen, target__in=seen)  # type: ignore[union-attr]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["source", "target"] if obj is None else ["source_page", "target_page", "shown_state"]
        return [(None, {"fields": fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["source_page", "target_page", "shown_state"]

    def may_write(self, request: HttpRequest) -> bool:
        return settings.IS_K8S and super().may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a link is another one where it joins others

    @admin.display(description="from", ordering="source__hostname")
    def shown_source(self, link: InstanceLink) -> SafeString:
        return show.name(link.source)

    @admin.display(description="to", ordering="target__hostname")
    def shown_target(self, link: InstanceLink) -> SafeString:
        return show.name(link.target)

    @admin.display(description="from")
    def source_page(self, link: InstanceLink) -> SafeString:
        return show.link(link.source)

    @admin.display(description="to")
    def target_page(self, link: InstanceLink) -> SafeString:
        return show.link(link.target)

    @admin.display(description="state", ordering="link_state")
    def shown_state(self, link: InstanceLink) -> SafeString:
        return show.badge(State.severity_of(link.link_state, Severity.UNSURE), link.get_link_state_display())

    def hold(self, pk: int) -> None:
        lock_links()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        lifecycle.add_peer(obj.source_id, obj.target)
        obj.pk = InstanceLink.objects.get(source=obj.source_id, target=obj.target_id).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        lifecycle.remove_peer(obj.source_id, obj.target)


def links_of(node: Any) -> list[tuple[bool, SafeString, str]]:
    """For each link of the node: whether it starts there, the other end, and the state; read once for a page.

    Only those are told of which the reader sees both ends.
    """
    if not hasattr(node, "told_links"):
        seen = Instance.objects.visible_to(node.reader)
        links = InstanceLink.objects.filter(Q(source=node, target__in=seen) | Q(target=node, source__in=seen))
        both = links.select_related("source", "target").order_by("source__hostname", "target__hostname")
        node.told_links = [
            (
                link.source_id == node.pk,
                show.link(link.target if link.source_id == node.pk else link.source),
                link.get_link_state_display(),
            )
            for link in both
        ]
    told: list[tuple[bool, SafeString, str]] = node.told_links
    return told
