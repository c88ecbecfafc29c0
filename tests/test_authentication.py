"""Who may ask, and how: bearer tokens, HTTP basic, sessions."""

import time
from base64 import b64encode
from datetime import timedelta

import pytest
import requests
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken
from pytest_django import Settings
from rest_framework.test import APIClient

from awx_compat import authentication
from instances.models import User
from tests.conftest import token_for

pytestmark = pytest.mark.django_db
ME = "/api/v2/me/"
REFUSED = {"detail": "Authentication credentials were not provided. To establish a login session, visit /api/login/."}


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


def status(authorization: str) -> int:
    return int(APIClient().get(ME, HTTP_AUTHORIZATION=authorization).status_code)


def test_a_token_is_accepted_and_not_stored(admin: User) -> None:
    token = token_for(admin)
    assert status(f"Bearer {token}") == 200
    assert status(f"bearer {token}") == 200
    assert token not in str(AccessToken.objects.values())


@pytest.mark.parametrize("changes", [{"expires": timezone.now() - timedelta(seconds=1)}])
def test_an_expired_token_is_refused(admin: User, changes: dict[str, object]) -> None:
    assert status(f"Bearer {token_for(admin, **changes)}") == 401


def test_a_deactivated_user_is_refused(admin: User) -> None:
    token = token_for(admin)
    admin.is_active = False
    admin.save()
    assert status(f"Bearer {token}") == 401
    assert status(basic("admin:admin")) == 401


def test_basic_is_accepted(admin: User) -> None:
    assert status(basic("admin:admin")) == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nope",
        "Bearer " + "x" * 8000,
        "Bearer \u00e9\u00e9",
        "Bearer a b",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        basic("admin"),
        basic("admin:wrong"),
        basic(":"),
        basic("admin\0:admin"),
        basic("nobody:\0"),
        "Digest x",
        "Token x",
        "\0",
    ],
)
def test_anything_else_is_no_credentials(authorization: str, admin: User) -> None:
    answer = APIClient().get(ME, HTTP_AUTHORIZATION=authorization)
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert answer["WWW-Authenticate"].startswith("Bearer ")


class TestSession:
    """Over HTTP, as AWX's web interface does it."""

    @pytest.fixture
    def session(self, module_service: str) -> requests.Session:
        session = requests.Session()
        session.get(f"{module_service}/api/")
        return session

    def log_in(self, session: requests.Session, module_service: str, password: str) -> requests.Response:
        return session.post(
            f"{module_service}/api/login/",
            data={"username": "admin", "password": password, "next": "/api/"},
            headers={"X-CSRFToken": session.cookies["csrftoken"], "Referer": f"{module_service}/api/login/"},
            allow_redirects=False,
        )

    def test_login_begins_it_and_logout_ends_it(self, session: requests.Session, module_service: str) -> None:
        answer = self.log_in(session, module_service, "admin")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/api/")
        assert answer.headers["X-API-Session-Cookie-Name"] == "awx_sessionid"
        assert answer.headers["Session-Timeout"] == "1800"
        assert "userLoggedIn=true; Path=/; SameSite=Lax" in answer.headers["Set-Cookie"]
        assert "HttpOnly; Max-Age=1800; Path=/; SameSite=Lax" in answer.headers["Set-Cookie"]

        me = session.get(f"{module_service}{ME}")
        assert me.json()["results"][0]["username"] == "admin"
        assert me.headers["Vary"] == "Accept, Accept-Language, Origin, Cookie"
        assert me.headers["Session-Timeout"] == "1800"
        assert "awx_sessionid=" in me.headers["Set-Cookie"]

        out = session.get(f"{module_service}/api/logout/", allow_redirects=False)
        assert (out.status_code, out.headers["Location"]) == (302, "/api/")
        assert "userLoggedIn=false; Path=/; SameSite=Lax" in out.headers["Set-Cookie"]
        assert session.get(f"{module_service}{ME}").status_code == 401

    @pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/plain, */*"])
    def test_clients_of_awx_are_led_where_awx_leads_them(self, accept: str | None, module_service: str) -> None:
        out = requests.get(f"{module_service}/api/logout/", headers={"Accept": accept}, allow_redirects=False)
        assert (out.status_code, out.headers["Location"]) == (302, "/api/")
        assert "userLoggedIn=false; Path=/; SameSite=Lax" in out.headers["Set-Cookie"]

    @pytest.mark.parametrize(
        ("asked", "target"),
        [
            ("", "/"),
            ("?next=/nodes/5/%3Fstate%3Dfault", "/nodes/5/?state=fault"),
            ("?next=https://elsewhere.example.org/", "/"),
            ("?next=//elsewhere.example.org/", "/"),
            ("?next=javascript:alert(1)", "/"),
        ],
    )
    def test_browsers_are_led_to_a_page_of_this_service(self, asked: str, target: str, module_service: str) -> None:
        browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
        out = requests.get(f"{module_service}/api/logout/{asked}", headers=browser, allow_redirects=False)
        assert (out.status_code, out.headers["Location"]) == (302, target)

    def test_a_wrong_password_is_401(self, session: requests.Session, module_service: str) -> None:
        answer = self.log_in(session, module_service, "wrong")
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert session.get(f"{module_service}{ME}").status_code == 401

    def test_login_without_a_csrf_token_is_403(self, module_service: str) -> None:
        assert (
            requests.post(f"{module_service}/api/login/", data={"username": "admin", "password": "admin"}).status_code
            == 403
        )

    def test_a_change_without_a_csrf_token_is_403(self, session: requests.Session, module_service: str) -> None:
        self.log_in(session, module_service, "admin")
        answer = session.patch(f"{module_service}/api/v2/instances/1/", json={"enabled": False})
        assert (answer.status_code, answer.json()) == (403, {"detail": "CSRF Failed: CSRF token missing."})

    def test_login_leads_nowhere_else(self, session: requests.Session, module_service: str) -> None:
        answer = session.post(
            f"{module_service}/api/login/",
            data={"username": "admin", "password": "admin", "next": "https://evil.example/"},
            headers={"X-CSRFToken": session.cookies["csrftoken"], "Referer": f"{module_service}/api/login/"},
            allow_redirects=False,
        )
        assert answer.headers["Location"] == "/api/"


class TestRepeatedBasic:
    """The slow hash of a password is worked out once a minute, and nothing else is taken for granted."""

    @pytest.fixture(autouse=True)
    def hashes(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The passwords that were hashed and compared."""
        compared: list[str] = []
        check = User.check_password

        def counted(user: User, password: str) -> bool:
            compared.append(password)
            return check(user, password)

        monkeypatch.setattr(User, "check_password", counted)
        monkeypatch.setattr(authentication, "verified", authentication.VerifiedCredentials())
        return compared

    def test_the_password_is_compared_once(self, admin: User, hashes: list[str]) -> None:
        for _ in range(3):
            assert status(basic("admin:admin")) == 200
        assert hashes == ["admin"]

    def test_a_wrong_password_is_compared_each_time(self, admin: User, hashes: list[str]) -> None:
        assert status(basic("admin:admin")) == 200
        for _ in range(2):
            assert status(basic("admin:wrong")) == 401
        assert hashes == ["admin", "wrong", "wrong"]

    def test_a_changed_password_counts_at_once(self, admin: User) -> None:
        assert status(basic("admin:admin")) == 200
        admin.set_password("new")
        admin.save()
        assert status(basic("admin:admin")) == 401
        assert status(basic("admin:new")) == 200

    def test_a_changed_name_counts_at_once(self, admin: User) -> None:
        assert status(basic("admin:admin")) == 200
        User.objects.update(username="root")
        assert status(basic("admin:admin")) == 401
        assert status(basic("root:admin")) == 200

    def test_a_deactivated_user_is_refused_at_once(self, admin: User) -> None:
        assert status(basic("admin:admin")) == 200
        User.objects.update(is_active=False)
        assert status(basic("admin:admin")) == 401

    def test_after_a_minute_it_is_compared_again(
        self, admin: User, hashes: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert status(basic("admin:admin")) == 200
        now = time.monotonic()
        monkeypatch.setattr(authentication.time, "monotonic", lambda: now + 61)
        assert status(basic("admin:admin")) == 200
        assert hashes == ["admin", "admin"]

    def test_where_a_name_ends_matters(self, admin: User) -> None:
        User.objects.create_user("ad", password="min:admin")
        assert status(basic("admin:admin")) == 200
        assert status(basic("ad:min:admin")) == 200
        assert status(basic("ad:minadmin")) == 401

    def test_no_password_is_kept(self, admin: User) -> None:
        assert status(basic("admin:admin")) == 200
        kept = authentication.verified.known
        assert len(kept) == 1
        assert b"admin" not in next(iter(kept))


@pytest.mark.parametrize(("earlier", "expected"), [(["the first key" * 5], 200), ([], 401)])
def test_sessions_outlive_a_key_that_is_named_as_earlier(
    earlier: list[str], expected: int, admin: User, settings: Settings
) -> None:
    settings.SECRET_KEY = "the first key" * 5
    browser = Client()
    browser.force_login(admin)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key" * 5, earlier
    assert [browser.get(ME).status_code for _ in range(2)] == [expected] * 2
