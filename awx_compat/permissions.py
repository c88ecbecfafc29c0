from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class IsSuperuserOrAuditor(BasePermission):
    """Superusers, and system auditors where they only GET. AWX does not count HEAD and OPTIONS as reading here."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        return user.is_superuser or (user.is_system_auditor and request.method == "GET")
