"""Instances: the nodes of the mesh, and the actions of operators."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from instances import lifecycle, overview, rules
from instances.addresses import INSTALLABLE, LISTENER
from instances.admin import show
from instances.admin.addresses import address_table
from instances.admin.drains import DrainActions
from instances.admin.forms import CheckedForm, ManyPicker, ReasonForm
from instances.admin.links import links_of
from instances.admin.lists import CapacityLeftFilter, ErrorsFilter, GroupFilter, LastContactFilter, StandingFilter
from instances.admin.removal import RemovalAdmin, may_be_removed, node_table
from instances.health import conditions, reasons, start
from instances.messages import NO_PROBE
from instances.models import Condition, Instance, ReceptorAddress
from instances.models.fields import Severity
from instances.reader import Reader
from instances.text import gibibytes

State, Status = Instance.NodeState, Condition.Status
REASONS = dict(reasons.REASONS)
LATEST = 5  # entries of the history on a node's page


class InstanceForm(CheckedForm):
    listener_port = forms.IntegerField(
        required=False,
        help_text="Port that Receptor will listen for incoming connections on.",
    )
    peers_from_control_nodes = forms.BooleanField(
        required=False, help_text="If True, control plane cluster nodes should automatically peer to it."
    )
    peers = forms.ModelMultipleChoiceField(
        queryset=ReceptorAddress.objects.select_related("instance"),
        required=False,
        help_text="The addresses to which this node connects.",
        widget=ManyPicker(Instance, "peers"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        node = kwargs.get("instance")
        listener = {name: getattr(node, name) for name in LISTENER} if node else {}
        kwargs["initial"] = {**listener, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        self.checks = rules.current().CHECKS
        if "hostname" in self.fields:
            self.fields["hostname"].validators.extend(lifecycle.HOSTNAME_RULES)
        if "node_type" in self.fields:
            self.fields["node_type"].choices = [  # type: ignore[attr-defined]
                choice for choice in Instance.NodeType.choices if choice[0] in INSTALLABLE
            ]
            self.fields["node_type"].initial = Instance.NodeType.EXECUTION

    def values(self) -> dict[str, Any]:
        values = super().values()
        if "peers" in values:
            values["peers"] = list(values["peers"])
        return values if self.is_change else {"node_state": State.INSTALLED, **values}

    def check_together(self, record: Instance | None, values: dict[str, Any]) -> None:
        rules.current().check_together(record, values)


@admin.register(Instance)
class InstanceAdmin(DrainActions, RemovalAdmin):
    form = InstanceForm
    list_display = ["shown_hostname", "kind", "shown_state", "shown_load", "jobs", "seen", "shown_errors"]
    list_filter = [
        StandingFilter,
        "node_state",
        "node_type",
        "enabled",
        LastContactFilter,
        ErrorsFilter,
        CapacityLeftFilter,
        GroupFilter,
    ]
    search_fields = ["hostname", "ip_address"]
    search_help_text = "Part of the hostname or of the IP address"
    ordering = ["hostname"]
    actions = [
        *("enable", "disable", "drain", "undo_drain", "check_health"),
        *("deprovision", "undo_deprovisioning", "force_removal"),
    ]
    change_form_template = "admin/instances/instance_form.html"

    reported = ["shown_version", "shown_uuid", "shown_address"]
    figures = ["shown_load", "jobs", "shown_capacities", "shown_cpu", "shown_memory", *reported]
    health = ["shown_conditions", "seen", "check_started", "last_check", "all_errors"]
    mesh = ["addresses", "links_from", "links_to", "groups"]

    # --- reading

    def get_queryset(self, request: HttpRequest) -> Any:
        nodes = super().get_queryset(request).with_load().with_mirror().sortable_by_load()
        return nodes.select_related("health", "issued_bundle", "canonical_address")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        node = super().get_object(request, object_id, from_field)
        if node is not None:
            node.reader = Reader.of(request.user)
        return node

    def lock_record(self, pk: int) -> None:
        lifecycle.lock_instance(pk)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        settled = ["enabled", "capacity_adjustment", "managed_by_policy"]
        wired = ["listener_port", "peers_from_control_nodes", "peers"]
        if obj is None:
            return [(None, {"fields": ["hostname", "node_type", *settled, *wired]})]
        return [
            (None, {"fields": ["shown_name", "shown_type", "shown_state", "shown_managed", "created", "modified"]}),
            ("Health", {"fields": self.health}),
            ("Capacity and load", {"fields": self.figures}),
            ("Mesh", {"fields": self.mesh}),
            ("Settings", {"fields": settled + wired}),
            ("Latest changes in the administration", {"fields": ["latest_changes"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        shown = ["shown_name", "shown_type", "shown_state", "shown_managed", "created", "modified", "latest_changes"]
        wired = ["peers"] if not settings.IS_K8S or rules.current().has_automatic_peers(obj) else []
        return [*shown, *self.health, *self.figures, *self.mesh, *wired]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return settings.IS_K8S and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a node leaves the mesh by being deprovisioned

    # --- what is shown

    @admin.display(description="hostname", ordering="hostname")
    def shown_hostname(self, node: Instance) -> SafeString:
        return show.name(node.hostname)

    shown_name = admin.display(description="hostname")(lambda self, node: show.name(node.hostname))

    @admin.display(description="type", ordering="node_type")
    def kind(self, node: Instance) -> str:
        return node.node_type

    @admin.display(description="node type")
    def shown_type(self, node: Instance) -> str:
        return node.get_node_type_display()

    @admin.display(description="state", ordering="node_state")
    def shown_state(self, node: Instance) -> SafeString:
        state = show.badge(State.severity_of(node.node_state, Severity.BAD), node.get_node_state_display())
        more = [] if node.enabled else [show.badge("unsure", "Disabled")]
        more += [show.badge("unsure", "Draining")] if node.is_draining else []
        more += [show.badge("bad", "Errors")] if node.errors else []
        more += [show.badge("bad", "Over capacity")] if overview.is_overloaded(node) else []
        return format_html_join(" ", "{}", ((badge,) for badge in (state, *more)))

    @admin.display(description="capacity in use", ordering="share_in_use")
    def shown_load(self, node: Instance) -> SafeString | str:
        if node.node_type == Instance.NodeType.HOP:
            return show.NOTHING
        if not node.capacity:
            return f"{node.consumed_capacity} in use; {overview.no_capacity_in_words(node)}"
        return show.share(node.consumed_capacity, node.capacity, node.hostname)

    @admin.display(description="jobs", ordering="jobs_running")
    def jobs(self, node: Instance) -> SafeString:
        query = urlencode({"execution_node": node.hostname})
        url = f"{reverse('admin:instances_unifiedjob_changelist')}?{query}"
        return format_html(
            '<a href="{}">{} running<br>{} in total</a>', url, node.load.jobs_running, node.load.jobs_total
        )

    @admin.display(description="last seen", ordering="last_seen")
    def seen(self, node: Instance) -> SafeString | str:
        return show.when_exactly(node.last_seen)

    @admin.display(description="errors")
    def shown_errors(self, node: Instance) -> SafeString | str:
        return show.brief(node.errors)

    addresses = admin.display(description="addresses")(lambda self, node: address_table(node))
    shown_managed = admin.display(description="managed")(lambda self, node: "yes" if node.managed else "no")
    shown_version = admin.display(description="version")(lambda self, node: show.reported(node.version))
    shown_uuid = admin.display(description="UUID")(lambda self, node: show.reported(node.uuid))
    shown_address = admin.display(description="IP address")(lambda self, node: show.reported(node.ip_address))
    all_errors = admin.display(description="errors")(lambda self, node: show.verbatim(node.errors))

    @admin.display(description="conditions")
    def shown_conditions(self, node: Instance) -> SafeString | str:
        rows = (
            (
                condition.get_type_display(),
                show.badge(condition.severity, condition.get_status_display()),
                format_html("{}. {}", REASONS.get(condition.reason, condition.reason), show.name(condition.message)),
                show.when(condition.last_transition) if condition.last_transition else "not known",
            )
            for condition in conditions.current(node)
        )
        return show.table("Conditions", ("Condition", "Status", "Reason", "Since"), rows)

    @admin.display(description="health check started")
    def check_started(self, node: Instance) -> SafeString | str:
        began = show.when_exactly(node.health_check_started)
        return format_html("{}, running", began) if node.health_check_pending else began

    last_check = admin.display(description="last health check")(
        lambda self, node: show.when_exactly(node.last_health_check)
    )

    @admin.display(description="capacity by CPU and by memory")
    def shown_capacities(self, node: Instance) -> str:
        return f"{node.cpu_capacity} and {node.mem_capacity} forks"

    @admin.display(description="CPUs")
    def shown_cpu(self, node: Instance) -> str:
        return f"{node.cpu}" if node.cpu else "not reported"

    @admin.display(description="memory")
    def shown_memory(self, node: Instance) -> str:
        return gibibytes(node.memory) if node.memory else "not reported"

    @admin.display(description="connects to")
    def links_from(self, node: Any) -> SafeString | str:
        return show.table(
            "Connects to", ("Peer", "Address", "State"), [other for starts, *other in links_of(node) if starts]
        )

    @admin.display(description="connected from")
    def links_to(self, node: Any) -> SafeString | str:
        rows = [other for starts, *other in links_of(node) if not starts]
        return show.table("Connected from", ("Node", "Address", "State"), rows)

    @admin.display(description="instance groups")
    def groups(self, node: Any) -> SafeString | str:
        return show.links(node.rampart_groups.all().visible_to(node.reader).order_by("name"))

    @admin.display(description="changes")
    def latest_changes(self, node: Instance) -> SafeString | str:
        kind = ContentType.objects.get_for_model(Instance)
        entries = LogEntry.objects.filter(content_type=kind, object_id=str(node.pk)).select_related("user")
        rows = (
            (show.when(entry.action_time), show.name(entry.user), show.name(entry.get_change_message()))
            for entry in entries.order_by("-action_time")[:LATEST]
        )
        return show.table("Changes", ("Time", "User", "Change"), rows)

    # --- writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = form.values()
        if not change:
            obj.pk = lifecycle.create_checked(values).pk
        elif values:
            lifecycle.change(lifecycle.lock_instance(obj.pk), values)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        node = context.get("original")
        if node is not None and self.has_change_permission(request, node):
            context["offered"] = [(name, label) for name, label, applies in page_actions(node) if applies]
            context["changelist"] = self.url_of("changelist")
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: Any) -> Any:
        nodes = self.selected(request, queryset)
        return self.run_action(
            request, nodes, lambda node: lifecycle.change_checked(node.pk, {"enabled": True}), "enabled", "Enabled."
        )

    @admin.action(description="Disable …", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: Any) -> Any:
        nodes = self.selected(request, queryset)
        form = ReasonForm(request.POST if self.is_confirmed(request) else None)
        if nodes and not form.is_valid():
            return self.confirmation_page(
                request,
                nodes,
                title="Disable nodes",
                explanation="A disabled node has no capacity and gets no jobs. Running jobs continue.",
                details=node_table(nodes),
                button="Disable",
                form=form,
            )
        return self.run_action(
            request,
            nodes,
            lambda node: lifecycle.change_checked(node.pk, {"enabled": False}, reason=form.cleaned_data["reason"]),
            "disabled",
            f"Disabled: {form.cleaned_data['reason']}" if nodes else "",
        )

    @admin.action(description="Check health", permissions=["change"])
    def check_health(self, request: HttpRequest, queryset: Any) -> Any:
        if not settings.HEALTH_PROBE:
            return self.message_user(request, NO_PROBE, messages.ERROR)
        nodes = self.selected(request, queryset)
        return self.run_action(request, nodes, begin_check, "queued for a health check", "Health check started.")


def page_actions(node: Instance) -> list[tuple[str, str, bool]]:
    """The actions on the page of a node: name, label, and whether the action is applicable."""
    is_leaving = node.node_state == State.DEPROVISIONING
    return [
        ("enable", "Enable", not node.enabled),
        ("disable", "Disable …", node.enabled),
        ("undo_drain", "Undo drain", True) if node.is_draining else ("drain", "Drain …", True),
        ("check_health", "Check health", bool(settings.HEALTH_PROBE) and start.is_checked_on_demand(node)),
        ("deprovision", "Deprovision …", not is_leaving and may_be_removed(node)),
        ("undo_deprovisioning", "Undo deprovisioning", is_leaving),
        ("force_removal", "Force removal …", is_leaving),
    ]


def begin_check(node: Instance) -> None:
    if not start.is_checked_on_demand(node):
        raise ValidationError("Health checks can be started only for execution nodes.")
    if not start.start(node.pk):
        raise ValidationError("A health check is already in progress.")
