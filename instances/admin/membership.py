"""Instance groups with their members, and users with their roles on groups."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances import accounts, groups
from instances.admin import show
from instances.admin.base import MeshAdmin, mirror_of
from instances.admin.forms import CheckedForm, LinesField, ManyPicker, UserPasswordForm
from instances.locking import lock_record
from instances.models import Instance, InstanceGroup, InstanceGroupRole, User
from instances.reader import Reader


class GroupForm(CheckedForm):
    checks = {
        "name": groups.checked_name,
        "is_container_group": groups.checked_is_container_group,
        "policy_instance_list": groups.checked_policy_list,
        "policy_instance_percentage": groups.checked_percentage,
        "policy_instance_minimum": groups.checked_policy,
    }
    policy_instance_list = LinesField(
        required=False, help_text="Hostnames of nodes that are always members, one per line."
    )
    instances = forms.ModelMultipleChoiceField(
        label="Members",
        queryset=Instance.objects.all(),
        required=False,
        help_text="Adding or removing a node here also adds or removes its hostname in the policy instance list.",
        widget=ManyPicker(InstanceGroup, "instances"),
    )
    reader: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "instances" in self.fields:
            self.fields["instances"].queryset = Instance.objects.visible_to(self.reader)  # type: ignore[attr-defined]


@admin.register(InstanceGroup)
class InstanceGroupAdmin(MeshAdmin):
    form = GroupForm
    list_display = ["shown_name", "kind", "members_in_service", "shown_load", "jobs", "policies"]
    list_filter = ["is_container_group"]
    search_fields = ["name"]
    ordering = ["name"]

    shown = ["kind", "members_in_service", "shown_load", "jobs"]
    settings = ["name", "is_container_group", "max_concurrent_jobs", "max_forks", "pod_spec_override"]
    policy = ["policy_instance_percentage", "policy_instance_minimum", "policy_instance_list"]

    # --- reading

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).with_load().with_administration_by(Reader.of(request.user))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": self.settings}), ("Policies", {"fields": self.policy})]
        return [
            ("Figures", {"fields": self.shown}),
            (None, {"fields": self.settings}),
            ("Members", {"fields": ["instances"]}),
            ("Policies", {"fields": self.policy}),
            ("Roles", {"fields": ["roles"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.shown, "roles", *([] if groups.may_set_policies(request.user) else groups.OF_THE_MESH)]

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.reader = Reader.of(request.user)
        return form

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return self.may_write(request)
        return mirror_of(request) is None and bool(obj.is_administered)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request) and not (obj is not None and obj.is_protected)

    # --- what is shown

    @admin.display(description="name", ordering="name")
    def shown_name(self, group: InstanceGroup) -> SafeString:
        return show.name(group.name)

    @admin.display(description="kind", ordering="is_container_group")
    def kind(self, group: InstanceGroup) -> str:
        return "containers" if group.is_container_group else "instances"

    @admin.display(description="members in service")
    def members_in_service(self, group: InstanceGroup) -> str:
        return show.NOTHING if group.is_container_group else str(group.members)

    @admin.display(description="capacity in use")
    def shown_load(self, group: InstanceGroup) -> SafeString:
        return show.share(group.consumed_capacity, group.capacity, group.name)

    @admin.display(description="jobs")
    def jobs(self, group: InstanceGroup) -> str:
        return f"{group.jobs_running} running, {group.jobs_total} in total"

    @admin.display(description="policies")
    def policies(self, group: InstanceGroup) -> str:
        wanted = [
            f"at least {group.policy_instance_percentage} %" if group.policy_instance_percentage else "",
            f"at least {group.policy_instance_minimum}" if group.policy_instance_minimum else "",
            f"{len(group.policy_instance_list)} listed" if group.policy_instance_list else "",
        ]
        return ", ".join(filter(None, wanted)) or show.NOTHING

    @admin.display(description="users with roles")
    def roles(self, group: InstanceGroup) -> SafeString | str:
        held = group.user_roles.select_related("user").order_by("user__username", "role")
        rows = ((show.name(role.user.username), role.get_role_display()) for role in held)
        return show.table("Users with roles", ("User", "Role"), rows)

    # --- writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = form.values()
        members = values.pop("instances", None)
        if not change:
            obj.pk, obj.is_administered = groups.create(values).pk, True
        elif values:
            groups.change(lock_record(InstanceGroup, obj.pk), values)
        if members is not None:
            move(obj, set(members))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        groups.refuse_deletion(obj)
        groups.delete(obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names = [
            format_html("{}: {} roles of users are removed; members and jobs stay", show.name(group), number)
            for group, number in ((group, group.user_roles.count()) for group in objs)
        ]
        return names, {}, set(), []


def move(group: InstanceGroup, members: set[Instance]) -> None:
    """Add and remove instances so that the group has exactly these members."""
    present = set(group.instances.all())
    for instance in sorted(members - present, key=lambda one: one.hostname):
        groups.associate(group.pk, instance)
    for instance in sorted(present - members, key=lambda one: one.hostname):
        groups.disassociate(group.pk, instance)


admin.site.unregister(Group)  # registered by django.contrib.auth.admin; Django's permissions are not used here


class ReadOnlyWidget(forms.Widget):
    """A widget that shows a value without an input field."""

    def __init__(self, shown: object) -> None:
        super().__init__()
        self.shown = shown

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return show.name(self.shown)


class RoleForm(forms.ModelForm):
    """A role of a user. The group of an existing role cannot be changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "instance_group" in self.fields:
            self.fields["instance_group"].disabled = True
            self.fields["instance_group"].widget = ReadOnlyWidget(self.instance.instance_group)


class RoleInline(admin.StackedInline):
    """The user's roles on groups. Superusers change them; for mirrored users, only a sync does."""

    model = InstanceGroupRole
    form = RoleForm
    extra = 0
    autocomplete_fields = ["instance_group"]

    def may_write(self, request: HttpRequest, user: Any) -> bool:
        return bool(request.user.is_superuser) and not (user is not None and user.mirrored)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request, obj)

    def get_queryset(self, request: HttpRequest) -> Any:
        roles = super().get_queryset(request).select_related("instance_group", "user")
        seen = InstanceGroup.objects.visible_to(Reader.of(request.user))
        return roles if request.user.sees_everything else roles.filter(instance_group__in=seen)  # type: ignore[union-attr]


class UserForm(UserChangeForm):
    def clean(self) -> Any:
        cleaned: Any = super().clean()
        rank = {name: (cleaned or {}).get(name, getattr(self.instance, name)) for name in ("is_superuser", "is_active")}
        accounts.refuse_loss_of_last_superuser(self.instance, **rank)
        return cleaned


@admin.register(User)
class MeshUserAdmin(MeshAdmin, UserAdmin):
    """Users. Names and ranks of mirrored users are changed in the mirrored AWX, password and access here."""

    form = UserForm
    change_password_form = UserPasswordForm
    change_user_password_template = "admin/instances/user_password.html"  # noqa: S105
    list_display = ["shown_name", "email", "rank", "is_staff", "is_active", "last_login"]
    list_filter = ["is_superuser", "is_system_auditor", "is_staff", "is_active"]
    filter_horizontal = ()
    inlines = [RoleInline]
    person = ["username", "first_name", "last_name", "email"]
    ranks = ["is_superuser", "is_system_auditor"]

    def may_write(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request) and not (obj is not None and (obj.mirrored or obj == request.user))

    def lock_record(self, pk: int) -> None:
        accounts.lock_superusers()
        super().lock_record(pk)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().user_change_password(request, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        accounts.delete(obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        access = [*self.ranks, "is_staff", "is_active"]
        if not self.may_write(request):
            return [(None, {"fields": [*self.person, *self.ranks]})]
        return [
            (None, {"fields": [*self.person, "password"]}),
            (
                "Access",
                {"fields": access, "description": "Staff may log in here, with the same rights as over the API."},
            ),
            ("Dates", {"fields": ["last_login", "date_joined"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        dates = ["last_login", "date_joined"]
        return [*dates, *self.person, *self.ranks] if obj is not None and obj.mirrored else dates

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is None else self.inlines

    @admin.display(description="username", ordering="username")
    def shown_name(self, user: User) -> SafeString:
        return show.name(user.username)

    @admin.display(description="rank")
    def rank(self, user: User) -> str:
        if user.is_superuser:
            return "superuser"
        return "system auditor" if user.is_system_auditor else show.NOTHING
