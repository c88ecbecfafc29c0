from typing import Any

from django.conf import settings
from rest_framework import permissions
from rest_framework.request import Request

from awx_compat import dialects


class IsAuthenticated(permissions.IsAuthenticated):
    """Whoever is known; a token with the scope "read" alone changes nothing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        scope = getattr(request.auth, "scope", None)
        return scope is None or request.method in permissions.SAFE_METHODS or "write" in scope.split()


class ReadingNeedsWrite(IsAuthenticated):
    """For a GET that creates a secret: needs a token with the scope "write"."""

    def has_permission(self, request: Request, view: Any) -> bool:
        scope = getattr(request.auth, "scope", None)
        may_get = scope is None or request.method == "OPTIONS" or "write" in scope.split()
        return super().has_permission(request, view) and may_get


class MayFetchBundle(ReadingNeedsWrite):
    """Superusers; auditors where ``AUDITORS_FETCH_BUNDLES`` says so, or else the AWX that the service speaks as.

    Only GET asks for it: OPTIONS describes the view to everybody who sees the instance.
    """

    def has_object_permission(self, request: Request, view: Any, instance: Any) -> bool:
        user: Any = request.user
        lets_auditors = settings.AUDITORS_FETCH_BUNDLES
        if lets_auditors is None:
            lets_auditors = dialects.current().auditors_fetch_bundles
        return bool(user.is_superuser or (lets_auditors and user.is_system_auditor))


class ChangesNeedSuperuser(IsAuthenticated):
    """Every user may read; only superusers may change. Methods that the view lacks stay 405."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        reads = request.method in permissions.SAFE_METHODS or request.method not in view.allowed_methods
        return reads or bool(request.user.is_superuser)


class MovesNeedSuperuser(IsAuthenticated):
    """The groups of an instance: superusers associate and disassociate. Checked after the body was validated."""

    def has_object_permission(self, request: Request, view: Any, instance: Any) -> bool:
        return request.method in permissions.SAFE_METHODS or bool(request.user.is_superuser)


class ChangesNeedAdministrator(IsAuthenticated):
    """An instance group and its members: its administrators change them; superusers delete what is not protected."""

    def has_object_permission(self, request: Request, view: Any, group: Any) -> bool:
        if request.method == "DELETE":
            return bool(request.user.is_superuser and not group.is_protected)
        return request.method in permissions.SAFE_METHODS or bool(group.is_administered)


class ChangesNeedOwner(IsAuthenticated):
    """A token: its owner and superusers change it; auditors read it."""

    def has_object_permission(self, request: Request, view: Any, token: Any) -> bool:
        user: Any = request.user
        reads = request.method in permissions.SAFE_METHODS
        return token.user_id == user.pk or bool(user.is_superuser or (reads and user.sees_everything))


class ChangesNeedSelf(IsAuthenticated):
    """A user: superusers change and delete others; everybody changes, and nobody deletes, the own account."""

    def has_object_permission(self, request: Request, view: Any, user: Any) -> bool:
        requester: Any = request.user
        if request.method == "DELETE":
            return bool(requester.is_superuser) and user.pk != requester.pk
        return request.method in permissions.SAFE_METHODS or bool(requester.is_superuser) or user.pk == requester.pk


class GrantsNeedAdministrator(IsAuthenticated):
    """The roles of users: who administers one of the groups, a queryset, gives and takes the roles on it."""

    def has_object_permission(self, request: Request, view: Any, groups: Any) -> bool:
        return request.method in permissions.SAFE_METHODS or bool(groups.exists())


class IsSuperuserOrAuditor(IsAuthenticated):
    """Superusers, and system auditors where they only GET. AWX does not count HEAD and OPTIONS as reading here."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        user: Any = request.user
        return bool(user.is_superuser or (user.is_system_auditor and request.method == "GET"))
