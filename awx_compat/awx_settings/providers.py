"""The settings of identity providers, of which this service has none: all of them are as AWX has them at first."""

from awx_compat.awx_settings.kinds import Setting, Settings, flag, items, mapping, number, one_of, seconds, text

UNUSED = "Of no effect: users log in with passwords and tokens only."
EMPTY, UNSET, LIST, OBJECT = text(UNUSED), text(UNUSED, None), items(UNUSED, []), mapping(UNUSED, {})
MAP = mapping(UNUSED, None)
CALLBACK = text(UNUSED, is_read_only=True)


def each(setting: Setting, *names: str) -> Settings:
    """The same setting under each of these names."""
    return dict.fromkeys(names, setting)


def oauth2(prefix: str, *more: str) -> Settings:
    """The settings of a provider that speaks OAuth2."""
    return {
        f"{prefix}_CALLBACK_URL": CALLBACK,
        **{f"{prefix}_{name}": EMPTY for name in (*more, "KEY", "SECRET")},
        **{f"{prefix}_{name}": MAP for name in ("ORGANIZATION_MAP", "TEAM_MAP")},
    }


def ldap(prefix: str) -> Settings:
    """The settings of one of AWX's six LDAP servers."""
    of_server = {
        **each(EMPTY, "SERVER_URI", "BIND_DN", "BIND_PASSWORD"),
        "START_TLS": flag(UNUSED),
        "CONNECTION_OPTIONS": mapping(UNUSED, {"OPT_REFERRALS": 0, "OPT_NETWORK_TIMEOUT": 30}),
        **each(LIST, "USER_SEARCH", "GROUP_SEARCH"),
        "GROUP_TYPE": one_of(UNUSED, "MemberDNGroupType", {"MemberDNGroupType": "MemberDNGroupType"}),
        "GROUP_TYPE_PARAMS": mapping(UNUSED, {"member_attr": "member", "name_attr": "cn"}),
        **each(UNSET, "USER_DN_TEMPLATE", "REQUIRE_GROUP", "DENY_GROUP"),
        **each(OBJECT, "USER_ATTR_MAP", "USER_FLAGS_BY_GROUP", "ORGANIZATION_MAP", "TEAM_MAP"),
    }
    return {f"{prefix}_{name}": setting for name, setting in of_server.items()}


GITHUB = "SOCIAL_AUTH_GITHUB"
LDAP = {
    name: setting
    for prefix in ("AUTH_LDAP", *(f"AUTH_LDAP_{server}" for server in range(1, 6)))
    for name, setting in ldap(prefix).items()
}
RADIUS = {**each(EMPTY, "RADIUS_SERVER", "RADIUS_SECRET"), "RADIUS_PORT": number(UNUSED, 1812)}
TACACS = {
    **each(EMPTY, "TACACSPLUS_HOST", "TACACSPLUS_SECRET"),
    "TACACSPLUS_PORT": number(UNUSED, 49),
    "TACACSPLUS_SESSION_TIMEOUT": seconds(UNUSED, 5),
    "TACACSPLUS_AUTH_PROTOCOL": one_of(UNUSED, "ascii", {"ascii": "ascii", "pap": "pap"}),
    "TACACSPLUS_REM_ADDR": flag(UNUSED),
}
GOOGLE = {
    **oauth2("SOCIAL_AUTH_GOOGLE_OAUTH2"),
    "SOCIAL_AUTH_GOOGLE_OAUTH2_WHITELISTED_DOMAINS": LIST,
    "SOCIAL_AUTH_GOOGLE_OAUTH2_AUTH_EXTRA_ARGUMENTS": OBJECT,
}
OIDC = {
    **{f"SOCIAL_AUTH_OIDC_{name}": EMPTY for name in ("KEY", "SECRET", "OIDC_ENDPOINT")},
    "SOCIAL_AUTH_OIDC_VERIFY_SSL": flag(UNUSED, True),
}
SAML = {
    "SAML_AUTO_CREATE_OBJECTS": flag(UNUSED, True),
    **each(CALLBACK, "SOCIAL_AUTH_SAML_CALLBACK_URL", "SOCIAL_AUTH_SAML_METADATA_URL"),
    **{f"SOCIAL_AUTH_SAML_{name}": EMPTY for name in ("SP_ENTITY_ID", "SP_PUBLIC_CERT", "SP_PRIVATE_KEY")},
    **{
        f"SOCIAL_AUTH_SAML_{name}": OBJECT
        for name in ("ORG_INFO", "TECHNICAL_CONTACT", "SUPPORT_CONTACT", "ENABLED_IDPS")
    },
    "SOCIAL_AUTH_SAML_SECURITY_CONFIG": mapping(UNUSED, {"requestedAuthnContext": False}),
    "SOCIAL_AUTH_SAML_SP_EXTRA": MAP,
    "SOCIAL_AUTH_SAML_EXTRA_DATA": items(UNUSED, None),
    **{f"SOCIAL_AUTH_SAML_{name}": MAP for name in ("ORGANIZATION_MAP", "TEAM_MAP")},
    **{f"SOCIAL_AUTH_SAML_{name}": OBJECT for name in ("ORGANIZATION_ATTR", "TEAM_ATTR", "USER_FLAGS_BY_ATTR")},
}
