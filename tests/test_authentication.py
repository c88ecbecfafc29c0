"""Who may ask, and how: bearer tokens, HTTP basic, sessions."""

from base64 import b64encode
from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

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
    def session(self, own_service: str) -> requests.Session:
        session = requests.Session()
        session.get(f"{own_service}/api/")
        return session

    def log_in(self, session: requests.Session, own_service: str, password: str) -> requests.Response:
        return session.post(
            f"{own_service}/api/login/",
            data={"username": "admin", "password": password, "next": "/api/"},
            headers={"X-CSRFToken": session.cookies["csrftoken"], "Referer": f"{own_service}/api/login/"},
            allow_redirects=False,
        )

    def test_login_begins_it_and_logout_ends_it(self, session: requests.Session, own_service: str) -> None:
        answer = self.log_in(session, own_service, "admin")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/api/")
        assert answer.headers["X-API-Session-Cookie-Name"] == "awx_sessionid"
        assert answer.headers["Session-Timeout"] == "1800"
        assert "userLoggedIn=true; Path=/" in answer.headers["Set-Cookie"]
        assert "HttpOnly; Max-Age=1800; Path=/; SameSite=Lax" in answer.headers["Set-Cookie"]

        me = session.get(f"{own_service}{ME}")
        assert me.json()["results"][0]["username"] == "admin"
        assert me.headers["Vary"] == "Accept, Accept-Language, Origin, Cookie"
        assert me.headers["Session-Timeout"] == "1800"
        assert "awx_sessionid=" in me.headers["Set-Cookie"]

        out = session.get(f"{own_service}/api/logout/", allow_redirects=False)
        assert (out.status_code, out.headers["Location"]) == (302, "/api/")
        assert "userLoggedIn=false; Path=/" in out.headers["Set-Cookie"]
        assert session.get(f"{own_service}{ME}").status_code == 401

    def test_a_wrong_password_is_401(self, session: requests.Session, own_service: str) -> None:
        answer = self.log_in(session, own_service, "wrong")
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert session.get(f"{own_service}{ME}").status_code == 401

    def test_login_without_a_csrf_token_is_403(self, own_service: str) -> None:
        assert (
            requests.post(f"{own_service}/api/login/", data={"username": "admin", "password": "admin"}).status_code
            == 403
        )

    def test_a_change_without_a_csrf_token_is_403(self, session: requests.Session, own_service: str) -> None:
        self.log_in(session, own_service, "admin")
        answer = session.patch(f"{own_service}/api/v2/instances/1/", json={"enabled": False})
        assert (answer.status_code, answer.json()) == (403, {"detail": "CSRF Failed: CSRF token missing."})

    def test_login_leads_nowhere_else(self, session: requests.Session, own_service: str) -> None:
        answer = session.post(
            f"{own_service}/api/login/",
            data={"username": "admin", "password": "admin", "next": "https://evil.example/"},
            headers={"X-CSRFToken": session.cookies["csrftoken"], "Referer": f"{own_service}/api/login/"},
            allow_redirects=False,
        )
        assert answer.headers["Location"] == "/api/"
