"""/api/v2/settings/: AWX's settings by category, with this service's values; none can be changed over the API."""

from typing import Any

import pytest
from pytest_django import Settings

from awx_compat.awx_settings import CATEGORIES, Category
from awx_compat.dialects import DIALECTS
from instances.models import User
from tests.conftest import client_of, speaking

pytestmark = pytest.mark.django_db
PATH = "/api/v2/settings/"
each_category = pytest.mark.parametrize("category", CATEGORIES.values(), ids=lambda category: category.slug)
NAMES = {name for category in CATEGORIES.values() for name in category.settings}
KINDS = {
    "boolean": bool,
    "integer": int,
    "string": str,
    "choice": str,
    "list": list,
    "nested object": dict,
    "datetime": str,
    "field": int,
}
# What pages of AWX's web interface read, each of them in the category and in OPTIONS of all; it fails where one lacks.
SHOWN = {
    "system": "ACTIVITY_STREAM_ENABLED ACTIVITY_STREAM_ENABLED_FOR_INVENTORY_SYNC AUTOMATION_ANALYTICS_GATHER_INTERVAL "
    "AUTOMATION_ANALYTICS_URL INSIGHTS_TRACKING_STATE MANAGE_ORGANIZATION_AUTH ORG_ADMINS_CAN_SEE_ALL_USERS "
    "REDHAT_USERNAME REDHAT_PASSWORD SUBSCRIPTIONS_USERNAME SUBSCRIPTIONS_PASSWORD INSTALL_UUID REMOTE_HOST_HEADERS "
    "TOWER_URL_BASE DEFAULT_EXECUTION_ENVIRONMENT PROXY_IP_ALLOWED_LIST AUTOMATION_ANALYTICS_LAST_GATHER "
    "AUTOMATION_ANALYTICS_LAST_ENTRIES UI_NEXT IS_K8S",
    "logging": "LOG_AGGREGATOR_ENABLED LOG_AGGREGATOR_HOST LOG_AGGREGATOR_INDIVIDUAL_FACTS LOG_AGGREGATOR_LEVEL "
    "LOG_AGGREGATOR_LOGGERS LOG_AGGREGATOR_PASSWORD LOG_AGGREGATOR_PORT LOG_AGGREGATOR_PROTOCOL "
    "LOG_AGGREGATOR_TCP_TIMEOUT LOG_AGGREGATOR_TYPE LOG_AGGREGATOR_USERNAME LOG_AGGREGATOR_VERIFY_CERT",
    "ui": "PENDO_TRACKING_STATE CUSTOM_LOGO CUSTOM_LOGIN_INFO",
    "authentication": "ALLOW_OAUTH2_FOR_EXTERNAL_USERS AUTH_BASIC_ENABLED LOGIN_REDIRECT_OVERRIDE DISABLE_LOCAL_AUTH "
    "OAUTH2_PROVIDER SESSIONS_PER_USER SESSION_COOKIE_AGE SOCIAL_AUTH_ORGANIZATION_MAP SOCIAL_AUTH_TEAM_MAP "
    "SOCIAL_AUTH_USER_FIELDS SOCIAL_AUTH_USERNAME_IS_FULL_EMAIL",
    "jobs": "ALLOW_JINJA_IN_EXTRA_VARS AD_HOC_COMMANDS AWX_TASK_ENV GALAXY_TASK_ENV MAX_FORKS SCHEDULE_MAX_JOBS",
    "debug": "AWX_CLEANUP_PATHS AWX_REQUEST_PROFILE RECEPTOR_RELEASE_WORK",
    "ldap": "AUTH_LDAP_SERVER_URI AUTH_LDAP_5_USER_FLAGS_BY_GROUP",
    "github-enterprise-team": "SOCIAL_AUTH_GITHUB_ENTERPRISE_TEAM_ID SOCIAL_AUTH_GITHUB_ENTERPRISE_TEAM_API_URL",
    "azuread-oauth2": "SOCIAL_AUTH_AZUREAD_OAUTH2_KEY",
    "google-oauth2": "SOCIAL_AUTH_GOOGLE_OAUTH2_WHITELISTED_DOMAINS",
    "oidc": "SOCIAL_AUTH_OIDC_OIDC_ENDPOINT",
    "radius": "RADIUS_PORT",
    "saml": "SOCIAL_AUTH_SAML_ENABLED_IDPS",
    "tacacsplus": "TACACSPLUS_AUTH_PROTOCOL",
}


@pytest.mark.parametrize(("who", "count"), [("admin", len(CATEGORIES)), ("auditor", len(CATEGORIES)), ("alice", 0)])
def test_the_categories_are_listed(who: str, count: int, request: pytest.FixtureRequest) -> None:
    client = client_of(request.getfixturevalue(who))
    listed = client.get(PATH).json()
    assert (listed["count"], len(listed["results"])) == (count, count)
    for category in listed["results"]:
        assert category["url"] == f"{PATH}{category['slug']}/"
        assert client.get(category["url"]).status_code == 200


@each_category
@pytest.mark.parametrize("version", DIALECTS)
def test_a_setting_is_described_and_has_a_value_of_its_kind(category: Category, version: str, admin: User) -> None:
    with speaking(version):
        client = client_of(admin)
        values = client.get(f"{PATH}{category.slug}/").json()
        actions = client.options(f"{PATH}{category.slug}/").json()["actions"]
    assert list(actions) == ["GET", "PUT"]
    assert list(values) == list(actions["GET"])
    assert set(actions["PUT"]) == {name for name, setting in category.settings.items() if not setting.is_read_only}
    for name, field in actions["GET"].items():
        assert {"type", "label", "help_text", "category", "category_slug"} <= field.keys(), name
        assert values[name] is None or type(values[name]) is KINDS[field["type"]], name
        assert ("choices" in field) is (field["type"] == "choice"), name
        assert values[name] in [value for value, _ in field.get("choices", [[values[name], ""]])], name
        assert ("child" in field) is (field["type"] in ("list", "nested object")), name
        assert ("hidden" in field) is bool(DIALECTS[version].options_of_fields), name
    for name, field in actions["PUT"].items():
        assert {"required", "default"} <= field.keys(), name
        assert field | actions["GET"][name] == field | {"defined_in_file": True}, name


@pytest.mark.parametrize("slug", SHOWN)
def test_the_web_interface_finds_what_it_shows(slug: str, admin: User) -> None:
    client = client_of(admin)
    values, options = client.get(f"{PATH}{slug}/").json(), client.options(f"{PATH}all/").json()["actions"]["GET"]
    assert set(SHOWN[slug].split()) <= values.keys() <= options.keys()
    assert {options[name]["category_slug"] for name in values} == {slug}


def test_values_are_those_of_the_service(admin: User, settings: Settings) -> None:
    changed = {"SESSION_COOKIE_AGE": 77, "IS_K8S": True, "AWX_CONTROL_NODE_TASK_IMPACT": 3}
    settings.LOG_LEVEL, settings.TRUSTED_PROXIES = "WARNING", ["192.0.2.0/24"]
    for name, value in changed.items():
        setattr(settings, name, value)
    values = client_of(admin).get(f"{PATH}all/").json()
    assert changed.items() <= values.items()
    assert values["INSTALL_UUID"] == settings.INSTALL_UUID
    assert (values["LOG_AGGREGATOR_LEVEL"], values["PROXY_IP_ALLOWED_LIST"]) == ("WARNING", ["192.0.2.0/24"])
    lifetimes = values["OAUTH2_PROVIDER"]
    assert lifetimes["ACCESS_TOKEN_EXPIRE_SECONDS"] == settings.OAUTH2_PROVIDER["ACCESS_TOKEN_EXPIRE_SECONDS"]
    assert set(lifetimes) == {
        "ACCESS_TOKEN_EXPIRE_SECONDS",
        "AUTHORIZATION_CODE_EXPIRE_SECONDS",
        "REFRESH_TOKEN_EXPIRE_SECONDS",
    }


def test_no_value_is_a_secret(admin: User, settings: Settings) -> None:
    answer = client_of(admin).get(f"{PATH}all/")
    values = answer.json()
    secrets = [name for name in values if name.endswith(("PASSWORD", "SECRET", "_KEY"))]
    assert len(secrets) > 15
    assert {values[name] for name in secrets} == {""}
    assert settings.SECRET_KEY not in answer.content.decode()


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_setting_cannot_be_changed(method: str, admin: User) -> None:
    ask = getattr(client_of(admin), method)
    for name in sorted(NAMES):
        answer = ask(f"{PATH}all/", {"NO_SUCH_SETTING": 1, name: None, "MAX_FORKS": 1}, format="json")
        assert (answer.status_code, answer.json()) == (403, {"detail": f"{name} is set by the environment."})


@each_category
@pytest.mark.parametrize("body", [{}, None, {"NO_SUCH_SETTING": True, "is_k8s": True, "": {}}])
def test_a_change_of_nothing_is_answered_with_the_settings(category: Category, body: Any, admin: User) -> None:
    client = client_of(admin)
    before = client.get(f"{PATH}{category.slug}/").json()
    others = NAMES - category.settings.keys()
    for change in (client.put, client.patch):
        answer = change(f"{PATH}{category.slug}/", body and body | dict.fromkeys(others, 1), format="json")
        assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize("who", ["auditor", "alice"])
def test_who_may_not_change_settings_is_not_told_where_they_are_set(who: str, request: pytest.FixtureRequest) -> None:
    client = client_of(request.getfixturevalue(who))
    answer = client.patch(f"{PATH}all/", {"MAX_FORKS": 1}, format="json")
    assert (answer.status_code, "environment" in answer.json()["detail"]) == (403, False)
    assert client.options(f"{PATH}all/").status_code == 403


def test_there_are_no_other_categories(admin: User) -> None:
    client = client_of(admin)
    for accept in ("application/json", "text/html"):
        for ask in (client.get, client.options, client.put, client.patch):
            assert ask(f"{PATH}nothing/", HTTP_ACCEPT=accept).status_code == 404


def test_the_page_of_settings_offers_no_form(admin: User) -> None:
    page = client_of(admin).get(f"{PATH}jobs/", HTTP_ACCEPT="text/html").content.decode()
    assert "MAX_FORKS" in page
    assert 'data-method="P' not in page
