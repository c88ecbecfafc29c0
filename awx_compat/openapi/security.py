"""The authentication schemes of the OpenAPI document."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "awx_compat.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An OAuth2 personal token, created by POST /api/v2/tokens/. "
            "A token with the scope `read` cannot change anything.",
        }


class BasicScheme(OpenApiAuthenticationExtension):
    target_class = "awx_compat.authentication.BasicAuthentication"
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "basic", "description": "Username and password."}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "awx_compat.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The session of a login by the form at /api/login/. A change also needs the header "
            "`X-CSRFToken` with the value of the cookie `csrftoken`.",
        }
