"""AWX's settings as ``/api/v2/settings/`` has them, by category.

Where this service has the same setting, its value comes from there, and so from the environment. All others have the
value that is true of a service that starts no jobs, or else AWX's default. None is a secret, and none can be changed.
Sources: AWX's public documentation, and the settings that its web interfaces show.

kinds.py      the kinds of settings.
common.py     those of AWX itself.
providers.py  those of identity providers.
"""

from dataclasses import dataclass
from typing import Any

from awx_compat.awx_settings import common, providers
from awx_compat.awx_settings.kinds import Setting, Settings

__all__ = ["ALL", "CATEGORIES", "Category", "Setting", "Settings", "category_of"]


@dataclass(frozen=True, eq=False)
class Category:
    """Settings that AWX shows together."""

    slug: str  # in the path
    name: str
    settings: Settings

    def values(self, settings: Any) -> dict[str, Any]:
        """The value of each, where this service has these ``settings``."""
        return {name: setting.value(settings) for name, setting in self.settings.items()}


OWN = (
    Category("system", "System", common.SYSTEM),
    Category("jobs", "Jobs", common.JOBS),
    Category("logging", "Logging", common.LOGGING),
    Category("authentication", "Authentication", common.AUTHENTICATION),
    Category("ui", "UI", common.UI),
    Category("debug", "Debug", common.DEBUG),
    Category("azuread-oauth2", "Azure AD OAuth2", providers.oauth2("SOCIAL_AUTH_AZUREAD_OAUTH2")),
    Category("github", "GitHub OAuth2", providers.oauth2(providers.GITHUB)),
    Category("github-org", "GitHub Organization OAuth2", providers.oauth2(f"{providers.GITHUB}_ORG", "NAME")),
    Category("github-team", "GitHub Team OAuth2", providers.oauth2(f"{providers.GITHUB}_TEAM", "ID")),
    Category(
        "github-enterprise",
        "GitHub Enterprise OAuth2",
        providers.oauth2(f"{providers.GITHUB}_ENTERPRISE", "URL", "API_URL"),
    ),
    Category(
        "github-enterprise-org",
        "GitHub Enterprise Organization OAuth2",
        providers.oauth2(f"{providers.GITHUB}_ENTERPRISE_ORG", "URL", "API_URL", "NAME"),
    ),
    Category(
        "github-enterprise-team",
        "GitHub Enterprise Team OAuth2",
        providers.oauth2(f"{providers.GITHUB}_ENTERPRISE_TEAM", "URL", "API_URL", "ID"),
    ),
    Category("google-oauth2", "Google OAuth2", providers.GOOGLE),
    Category("ldap", "LDAP", providers.LDAP),
    Category("oidc", "Generic OIDC", providers.OIDC),
    Category("radius", "RADIUS", providers.RADIUS),
    Category("saml", "SAML", providers.SAML),
    Category("tacacsplus", "TACACS+", providers.TACACS),
)
ALL = Category("all", "All", {name: setting for each in OWN for name, setting in each.settings.items()})
CATEGORIES = {category.slug: category for category in (ALL, *OWN)}


def category_of(name: str) -> Category:
    """The category of a setting."""
    return next(category for category in OWN if name in category.settings)
