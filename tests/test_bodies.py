"""What AWX makes of odd bodies: JSON that is no object, values of a wrong type, and what is looked at first."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from awx_compat.dialects.awx23_instances import ListeningInstanceSerializer
from awx_compat.serializers.group import InstanceGroupSerializer
from awx_compat.serializers.token import TokenSerializer
from instances import tokens
from instances.addresses import links_to
from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, User
from tests.conftest import client_of
from tests.make import make_link, make_node

INSTANCES = "/api/v2/instances/"
GROUPS = "/api/v2/instance_groups/"
NULL = {"__all__": ["This field may not be null."]}
MISSING = {"msg": "Instance 'id' field is missing."}
NO_INTEGER = {"msg": '"id" field must be an integer.'}


def send(client: APIClient, method: str, path: str, text: str) -> Any:
    return client.generic(method, path, text, content_type="application/json")


def writes(edge: InstanceGroup, token_pk: int) -> list[tuple[str, str]]:
    """Every kind of request that reads a body."""
    node = edge.instances.get()
    return [
        ("POST", INSTANCES),
        ("PATCH", f"{INSTANCES}{node.pk}/"),
        ("PUT", f"{INSTANCES}{node.pk}/"),
        ("PATCH", f"{INSTANCES}{node.hostname}/"),
        ("POST", f"{INSTANCES}{node.pk}/instance_groups/"),
        ("POST", f"{INSTANCES}{node.pk}/health_check/"),
        ("POST", GROUPS),
        ("PATCH", f"{GROUPS}{edge.pk}/"),
        ("PUT", f"{GROUPS}{edge.pk}/"),
        ("POST", f"{GROUPS}{edge.pk}/instances/"),
        ("POST", "/api/v2/tokens/"),
        ("PATCH", f"/api/v2/tokens/{token_pk}/"),
        ("POST", "/api/v2/users/admin/personal_tokens/"),
    ]


@pytest.mark.parametrize("text", ['{"enabled": tru', "[1]", "1", '"text"'])
def test_a_body_that_is_no_object_is_refused_before_rights_and_methods(
    admin: User, alice: User, edge: InstanceGroup, text: str
) -> None:
    token, _ = tokens.issue(admin)
    for user in (admin, alice):
        client = client_of(user)
        for method, path in [*writes(edge, token.pk), ("PATCH", INSTANCES), ("PUT", f"{INSTANCES}999999/")]:
            answer = send(client, method, path, text)
            assert answer.status_code == 400, (method, path)
            assert answer.json()["detail"].startswith("JSON parse error"), (method, path)
            assert "X-API-Product-Version" not in answer


def test_without_credentials_no_body_is_read(admin: User, edge: InstanceGroup) -> None:
    token, _ = tokens.issue(admin)
    for method, path in writes(edge, token.pk):
        assert send(client_of(None), method, path, "[1]").status_code == 401


def test_null_is_no_record(admin: User, alice: User, edge: InstanceGroup) -> None:
    node = edge.instances.get()
    client = client_of(admin)
    for method, path in [("POST", INSTANCES), ("PATCH", f"{INSTANCES}{node.pk}/"), ("PUT", f"{GROUPS}{edge.pk}/")]:
        answer = send(client, method, path, "null")
        assert (answer.status_code, answer.json()) == (400, NULL)
    assert send(client, "POST", f"{GROUPS}{edge.pk}/instances/", "null").json() == MISSING
    assert send(client, "POST", "/api/v2/tokens/", "null").json() == NULL
    assert send(client_of(alice), "POST", INSTANCES, "null").status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("capacity_adjustment", "NaN", "A valid number is required."),
        ("capacity_adjustment", "-Infinity", "A valid number is required."),
        ("capacity_adjustment", "1e999", "A valid number is required."),
        ("listener_port", "NaN", "A valid integer is required."),
        ("enabled", "NaN", "Must be a valid boolean."),
        ("enabled", "[]", "Must be a valid boolean."),
        ("enabled", "{}", "Must be a valid boolean."),
        ("node_state", "NaN", '"nan" is not a valid choice.'),
        ("node_state", "[]", '"" is not a valid choice.'),
        ("hostname", "NaN", "Cannot change hostname."),
        ("peers", '{"a": 1}', 'Expected a list of items but got type "OrderedDict".'),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_at_its_field(
    admin: User, edge: InstanceGroup, field: str, value: str, message: str
) -> None:
    answer = send(client_of(admin), "PATCH", f"{INSTANCES}{edge.instances.get().pk}/", f'{{"{field}": {value}}}')
    assert (answer.status_code, answer.json()) == (400, {field: [message]})


@pytest.mark.parametrize("field", ["enabled", "managed_by_policy"])
@pytest.mark.parametrize("value", ["null", '""', "0", '"false"'])
def test_an_empty_boolean_of_an_instance_is_false(admin: User, edge: InstanceGroup, field: str, value: str) -> None:
    answer = send(client_of(admin), "PATCH", f"{INSTANCES}{edge.instances.get().pk}/", f'{{"{field}": {value}}}')
    assert (answer.status_code, answer.json()[field]) == (200, False)


@pytest.mark.parametrize("value", ["null", '""', "[]"])
def test_an_empty_boolean_of_a_group_is_refused(admin: User, edge: InstanceGroup, value: str) -> None:
    answer = send(client_of(admin), "PATCH", f"{GROUPS}{edge.pk}/", f'{{"is_container_group": {value}}}')
    assert (answer.status_code, list(answer.json())) == (400, ["is_container_group"])


# --- membership


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": 0}, {"id": ""}, {"id": []}, {"id": None, "disassociate": 1}])
def test_a_membership_needs_an_id(admin: User, edge: InstanceGroup, body: dict[str, Any]) -> None:
    answer = client_of(admin).post(f"{GROUPS}{edge.pk}/instances/", body, format="json")
    assert (answer.status_code, answer.json()) == (400, MISSING)


@pytest.mark.parametrize("pk", ["1", 1.0, [1], {"a": 1}, "x"])
def test_an_id_of_another_type_is_refused_before_rights_and_kinds(
    admin: User, bob: User, edge: InstanceGroup, pk: Any
) -> None:
    hop = Instance.objects.create(hostname="hop", node_type="hop")
    node = edge.instances.get()
    for user, path in [
        (admin, f"{INSTANCES}{hop.pk}/instance_groups/"),
        (bob, f"{INSTANCES}{node.pk}/instance_groups/"),
        (bob, f"{GROUPS}{edge.pk}/instances/"),
    ]:
        for key in ({}, {"disassociate": True}):
            answer = client_of(user).post(path, {"id": pk, **key}, format="json")
            assert (answer.status_code, answer.json()) == (400, NO_INTEGER)


def test_what_the_reader_may_not_move_is_refused(bob: User, edge: InstanceGroup) -> None:
    """First whether the record exists, then the rights; to a group's administrator a hidden instance is forbidden."""
    hidden = Instance.objects.create(hostname="hidden")
    path = f"{GROUPS}{edge.pk}/instances/"
    assert client_of(bob).post(path, {"id": 10**30}, format="json").json() == {
        "detail": "Instance matching query does not exist."
    }
    assert client_of(bob).post(path, {"id": hidden.pk}, format="json").status_code == 403
    InstanceGroupRole.objects.create(user=bob, instance_group=edge, role="admin_role")
    assert client_of(bob).post(path, {"id": hidden.pk}, format="json").status_code == 403
    assert client_of(bob).post(path, {"id": edge.instances.get().pk}, format="json").status_code == 204


def test_true_is_the_id_one(admin: User, edge: InstanceGroup) -> None:
    Instance.objects.filter(pk=1).delete()
    Instance.objects.create(pk=1, hostname="first", node_type="execution")
    assert client_of(admin).post(f"{GROUPS}{edge.pk}/instances/", {"id": True}, format="json").status_code == 204
    assert edge.instances.filter(pk=1).exists()


@pytest.mark.parametrize("value", [True, False, None, 0, "", "x", []])
@pytest.mark.parametrize("by_group", [True, False])
def test_the_key_disassociate_counts_whatever_its_value(
    admin: User, edge: InstanceGroup, value: Any, by_group: bool
) -> None:
    node = edge.instances.get()
    modified = edge.modified
    path, pk = (
        (f"{GROUPS}{edge.pk}/instances/", node.pk) if by_group else (f"{INSTANCES}{node.pk}/instance_groups/", edge.pk)
    )
    assert client_of(admin).post(path, {"id": pk, "disassociate": value}, format="json").status_code == 204
    assert not edge.instances.exists()
    assert client_of(admin).post(path, {"id": pk}, format="json").status_code == 204
    edge.refresh_from_db()
    assert (edge.policy_instance_list, edge.modified) == ([node.hostname], modified)


@pytest.mark.parametrize(
    ("node_type", "body", "answer"),
    [
        ("execution", {}, {"name": ["This field is required."]}),
        ("execution", {"id": None, "name": "new"}, {"detail": "InstanceGroup matching query does not exist."}),
        ("hop", {"name": "new"}, {"msg": "Cannot change instance group membership of hop node : node."}),
        ("execution", {"disassociate": True}, {"msg": '"id" is required to disassociate'}),
    ],
)
def test_an_instance_is_put_into_no_group_without_an_id(
    admin: User, node_type: str, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    node = Instance.objects.create(hostname="node", node_type=node_type)
    got = client_of(admin).post(f"{INSTANCES}{node.pk}/instance_groups/", body, format="json")
    assert (got.status_code, got.json()) == (400, answer)
    assert not InstanceGroup.objects.exists()


# --- who may what, by name


def test_what_is_forbidden_by_id_does_not_exist_by_name(admin: User, bob: User, edge: InstanceGroup) -> None:
    node = edge.instances.get()
    for method, collection, record, below in [
        ("PATCH", INSTANCES, node, ""),
        ("PUT", INSTANCES, node, ""),
        ("POST", INSTANCES, node, "health_check/"),
        ("POST", INSTANCES, node, "instance_groups/"),
        ("PATCH", GROUPS, edge, ""),
        ("DELETE", GROUPS, edge, ""),
        ("POST", GROUPS, edge, "instances/"),
    ]:
        body = f'{{"id": {node.pk if collection == GROUPS else edge.pk}}}'
        name = getattr(record, "hostname", None) or record.name
        by_id = send(client_of(bob), method, f"{collection}{record.pk}/{below}", body)
        by_name = send(client_of(bob), method, f"{collection}{name}/{below}", body)
        assert (by_id.status_code, by_id["X-API-Product-Version"]) == (403, "23.6.0"), (method, collection, below)
        assert (by_name.status_code, by_name.json()) == (404, {"detail": "Not found."})
        assert not {"X-API-Product-Version", "X-API-Product-Name", "Allow"} & by_name.headers.keys()
    default = InstanceGroup.objects.create(name="default")
    assert client_of(admin).delete(f"{GROUPS}{default.pk}/").status_code == 403
    assert client_of(admin).delete(f"{GROUPS}default/").status_code == 404


# --- links of control nodes


@pytest.mark.parametrize("node_type", ["execution", "hop"])
def test_control_nodes_peer_as_the_node_says_after_each_change(admin: User, settings: Any, node_type: str) -> None:
    settings.IS_K8S = True
    node = make_node(hostname="node", node_type=node_type, node_state="ready", listener_port=27199)
    control = Instance.objects.create(hostname="control", node_type="control")
    other = Instance.objects.create(hostname="other", node_type="execution")
    for source in (control, other):
        make_link(source=source, target=node)

    def sources_after(**changes: Any) -> set[str]:
        assert client_of(admin).patch(f"{INSTANCES}{node.pk}/", changes, format="json").status_code == 200
        return set(links_to(node).values_list("source__hostname", flat=True))

    assert sources_after(managed_by_policy=True) == {"other"}
    assert sources_after(peers_from_control_nodes=True) == {"control", "other"}
    InstanceLink.objects.filter(source=control).delete()
    assert sources_after(enabled=True) == {"control", "other"}
    assert sources_after(node_state="deprovisioning", peers_from_control_nodes=False) == {"control", "other"}
    assert sources_after(enabled=True) == {"control", "other"}


# --- anything


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", " ", "0", "true", "null", "read", "exec-1", "a\0b", "x" * 300, "\u202e", "\u0661"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
FIELDS = {
    name
    for serializer in (ListeningInstanceSerializer, InstanceGroupSerializer, TokenSerializer)
    for name in serializer.Meta.fields
} | {"disassociate", "associate", "bogus"}


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(sorted(FIELDS)), ODD, max_size=4), which=st.integers(0, 12))
def test_no_value_of_any_field_is_an_error_of_the_service(
    admin: User, edge: InstanceGroup, body: dict[str, Any], which: int
) -> None:
    token, _ = tokens.issue(admin)
    method, path = writes(edge, token.pk)[which]
    answer = send(client_of(admin), method, path, json.dumps(body))
    assert answer.status_code < 500, answer.content
    if answer.content:
        answer.json()
