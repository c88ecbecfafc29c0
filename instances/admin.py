from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from instances.mirror import guard
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, UnifiedJob, User


class VisibleAdmin(admin.ModelAdmin):
    """Shows staff only what the API shows them."""

    def get_queryset(self, request: HttpRequest) -> Any:
        records: Any = super().get_queryset(request)
        return records.visible_to(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and guard.current() is None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and guard.current() is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and guard.current() is None


class LinkInline(admin.TabularInline):
    model = InstanceLink
    fk_name = "source"
    autocomplete_fields = ["target"]
    extra = 0


@admin.register(Instance)
class InstanceAdmin(VisibleAdmin):
    list_display = ["hostname", "node_type", "node_state", "enabled", "capacity", "last_seen"]
    list_filter = ["node_type", "node_state", "enabled", "rampart_groups"]
    search_fields = ["hostname", "ip_address"]
    ordering = ["hostname"]
    inlines = [LinkInline]
    readonly_fields = [
        "capacity",
        "cpu",
        "memory",
        "cpu_capacity",
        "mem_capacity",
        "last_seen",
        "health_check_started",
        "last_health_check",
        "errors",
    ]


@admin.register(InstanceGroup)
class InstanceGroupAdmin(VisibleAdmin):
    list_display = ["name", "is_container_group", "policy_instance_percentage", "policy_instance_minimum"]
    search_fields = ["name"]
    ordering = ["name"]
    filter_horizontal = ["instances"]


@admin.register(UnifiedJob)
class UnifiedJobAdmin(VisibleAdmin):
    list_display = ["id", "type", "name", "status", "execution_node", "controller_node", "task_impact"]
    list_filter = ["status", "type"]
    search_fields = ["=id", "=execution_node"]
    ordering = ["-id"]
    show_full_result_count = False

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False


class RoleInline(admin.TabularInline):
    model = InstanceGroupRole
    extra = 0


@admin.register(User)
class MeshUserAdmin(UserAdmin):
    list_display = ["username", "email", "is_superuser", "is_system_auditor", "is_active"]
    fieldsets = [*(UserAdmin.fieldsets or ()), ("Automation mesh", {"fields": ["is_system_auditor"]})]
    inlines = [RoleInline]
