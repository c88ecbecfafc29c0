"""The administration with transactions as a server has them: each page opens its own, or none."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib import admin as administration
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken

from instances import accounts, node_tokens, tokens
from instances.models import (
    InstanceGroup,
    InstanceGroupRole,
    MeshInspection,
    User,
)
from tests.make import make_jobs, make_link, make_node
from tests.routes import filled_in, routes
from tests.test_admin import USERS, browser_of, change, filled, form_at, page_of

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD, NEW = "a-long-Passw0rd", "another-long-Passw0rd"
READERS = ["superuser", "auditor", "group admin", "group user", "without rights"]


@pytest.fixture
def mesh() -> InstanceGroup:
    """One record of each kind that has a page, but a mirror, which refuses all changes."""
    group = InstanceGroup.objects.create(name="edge")
    one, other = (
        make_node(hostname=name, node_type="execution", node_state="ready", listener_port=27199)
        for name in ("exec-1", "exec-2")
    )
    group.instances.add(one)
    make_link(source=one, target=other)
    make_jobs(1, execution_node="exec-1", instance_group=group)
    tokens.issue(User.objects.create_user("somebody"))
    node_tokens.issue(one)
    now = timezone.now()
    MeshInspection.objects.create(inspector="c-1", began=now, watching_since=now)
    return group


@pytest.fixture
def reader(request: pytest.FixtureRequest, mesh: InstanceGroup) -> User:
    """Somebody who is staff, with the rights that the test names."""
    kind = request.param
    ranks = {"is_superuser": kind == "superuser", "is_system_auditor": kind == "auditor"}
    user = User.objects.create_user("reader", password=PASSWORD, is_staff=True, **ranks)
    if kind.startswith("group"):
        role = "admin_role" if kind == "group admin" else "use_role"
        InstanceGroupRole.objects.create(user=user, instance_group=mesh, role=role)
    tokens.issue(user)
    return user


every_reader = pytest.mark.parametrize("reader", READERS, indirect=True)


def pages() -> list[str]:
    """A path for each route; those that take something away come last."""
    of_model = {f"/admin/{m._meta.app_label}/{m._meta.model_name}/": m for m in administration.site._registry}
    paths = []
    for route in routes(administration.site.get_urls(), "/admin/"):
        model = of_model.get("/".join(route.split("/")[:4]) + "/")
        record = model._default_manager.first() if model else None
        pk = str(record.pk if record else 1)
        names = {"object_id": pk, "id": pk, "content_type_id": "1", "app_label": "instances", "url": "no-such-page/"}
        paths.append(filled_in(route, **names))
    return sorted(paths, key=lambda path: ("logout" in path, "delete" in path, path))


def bodies(browser: Client, path: str) -> Iterator[dict[str, Any]]:
    """What is posted to a page: nothing, a confirmation, and its own form as it is."""
    yield {}
    yield {"post": "yes"}
    context = browser.get(path).context or {}
    form = context["adminform"].form if "adminform" in context else None
    if form is not None:
        inlines = context.get("inline_admin_formsets", ())
        management = [filled(inline.formset.management_form) for inline in inlines]
        yield {name: value for data in (filled(form), *management) for name, value in data.items()}


@pytest.mark.slow
@every_reader
def test_no_page_fails(reader: User) -> None:
    """Of every route, shown and posted to."""
    browser = browser_of(reader)
    browser.raise_request_exception = False
    paths = pages()
    assert f"{USERS}{User.objects.first().pk}/password/" in paths
    failed = [("GET", path) for path in paths if "logout" not in path and browser.get(path).status_code >= 500]
    for path in paths:
        sent = bodies(browser, path) if "logout" not in path else [{}]
        failed += [("POST", path, data) for data in sent if browser.post(path, data).status_code >= 500]
    assert failed == []


# --- passwords


@every_reader
def test_superusers_set_the_passwords_of_others(reader: User) -> None:
    somebody = User.objects.get(username="somebody")
    form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true", "set-password": "Change password"}
    answer = browser_of(reader).post(f"{USERS}{somebody.pk}/password/", form)
    somebody.refresh_from_db()
    # Who does not see the user is told that there is none.
    assert answer.status_code == 302 if reader.is_superuser else answer.status_code in (403, 404)
    assert somebody.check_password(PASSWORD) == reader.is_superuser


@pytest.mark.parametrize("revokes", [True, False])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_new_password_may_end_the_tokens(only: User, is_own: bool, revokes: bool) -> None:
    somebody, other = User.objects.get(username="somebody"), User.objects.create_user("other")
    user = only if is_own else somebody
    for owner in (user, user, other):
        tokens.issue(owner)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW} if is_own else {}
    form |= {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "Change password"}
    path = "/admin/password_change/" if is_own else f"{USERS}{user.pk}/password/"
    browser = browser_of(only)
    page = browser.get(path).content.decode()
    assert re.search(r'<input type="checkbox" name="revoke_tokens"[^>]* checked', page)
    wrong = {**form, "new_password2": "x", "password2": "x", "revoke_tokens": "on"}
    assert browser.post(path, wrong).status_code == 200
    before = AccessToken.objects.filter(user=user).count()
    assert before >= 2
    assert browser.post(path, form | ({"revoke_tokens": "on"} if revokes else {})).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert AccessToken.objects.filter(user=user).count() == (0 if revokes else before)
    assert AccessToken.objects.filter(user=other).count() == 1


@pytest.mark.parametrize("reader", ["group admin"], indirect=True)
@pytest.mark.parametrize("may_set", [True, False])
def test_policies_are_no_fields_for_who_may_not_set_them(reader: User, may_set: bool, settings: Any) -> None:
    settings.GROUP_ADMINS_SET_POLICIES = may_set
    group = InstanceGroup.objects.get()
    browser, path = browser_of(reader), f"/admin/instances/instancegroup/{group.pk}/change/"
    page = browser.get(path).content.decode()
    for name in ("policy_instance_percentage", "policy_instance_minimum", "policy_instance_list", "pod_spec_override"):
        assert (f'name="{name}"' in page) == may_set
    change(browser, path, max_forks="7", policy_instance_percentage="50")
    group.refresh_from_db()
    assert (group.max_forks, group.policy_instance_percentage) == (7, 50 if may_set else 0)


# --- the only superuser


@pytest.fixture
def only(mesh: InstanceGroup) -> User:
    return User.objects.create_superuser("only", password=PASSWORD)


LOSSES = [{"is_superuser": None}, {"is_active": None}, {"is_superuser": None, "is_active": None}]


@pytest.mark.parametrize("changes", LOSSES)
def test_the_only_superuser_stays_one(changes: dict[str, Any], only: User) -> None:
    User.objects.create_superuser("retired", is_active=False)
    answer = change(browser_of(only), page_of(only), **changes)
    assert "This is the only active superuser" in str(answer.content)
    only.refresh_from_db()
    assert (only.is_superuser, only.is_active) == (True, True)


@pytest.mark.parametrize("changes", LOSSES)
def test_one_of_two_superusers_may_go(changes: dict[str, Any], only: User) -> None:
    User.objects.create_superuser("second")
    assert change(browser_of(only), page_of(only), **changes).status_code == 302
    only.refresh_from_db()
    assert not (only.is_superuser and only.is_active)


def test_the_only_superuser_is_not_deleted(only: User) -> None:
    """No page lets superusers delete their own account; the domain holds it for all other ways."""
    assert browser_of(only).post(f"{USERS}{only.pk}/delete/", {"post": "yes"}).status_code == 403
    with pytest.raises(ValidationError, match="only active superuser"), transaction.atomic():
        accounts.refuse_loss_of_last_superuser(only)


def test_of_two_superusers_who_end_each_other_one_stays(only: User) -> None:
    second = User.objects.create_superuser("second", password=PASSWORD)
    asked = [(browser_of(only), page_of(second)), (browser_of(second), page_of(only))]
    forms = [{**form_at(browser, path)} for browser, path in asked]
    ready = threading.Barrier(2)

    def end(n: int) -> None:
        ready.wait()
        browser, path = asked[n]
        browser.post(path, {name: value for name, value in forms[n].items() if name != "is_superuser"})
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(end, range(2)))
    assert User.objects.filter(is_superuser=True).count() == 1
