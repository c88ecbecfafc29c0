"""What serializers render by functions made once for their class: the same as DRF renders field by field."""

from dataclasses import astuple
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers

from awx_compat.dialects import awx23_instances, awx24_instances
from awx_compat.serializers.address import ReceptorAddressSerializer
from awx_compat.serializers.base import CompiledSerializer
from awx_compat.serializers.group import InstanceGroupDetailSerializer, InstanceGroupSerializer
from awx_compat.serializers.instance import HealthCheckSerializer
from awx_compat.serializers.token import TokenSerializer
from awx_compat.serializers.user import UserDetailSerializer, UserSerializer
from instances import tokens
from instances.capacity import Load
from instances.models import Instance, InstanceGroup, ReceptorAddress, User
from instances.reader import Reader
from tests.make import make_link, make_node

pytestmark = pytest.mark.django_db

INSTANCE_SERIALIZERS = [
    serializer for dialect in (awx23_instances, awx24_instances) for serializer in astuple(dialect.SERIALIZERS)
]
NOW = datetime(2026, 2, 3, 4, 5, 6, 70, tzinfo=UTC)


@pytest.fixture
def records(admin: User, alice: User, edge: InstanceGroup) -> dict[str, list[Any]]:
    node = edge.instances.get()
    odd = make_node(
        hostname='é😀\u2028<&>"\\',
        errors="line\nline\x7f",
        node_type=Instance.NodeType.HOP,
        node_state=Instance.NodeState.UNAVAILABLE,
        last_seen=NOW,
        last_health_check=NOW.replace(microsecond=0),
        health_check_started=datetime(2026, 2, 3, 4, 5, 6, 70, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        cpu=Decimal("0.5"),
        capacity_adjustment=Decimal("0.25"),
        memory=2**62,
        listener_port=27199,
        enabled=False,
    )
    make_link(source=odd, target=node)
    InstanceGroup.objects.create(name="pods", is_container_group=True, credential=3, policy_instance_list=["a", "b"])
    tokens.issue(admin, "read", "for a script")
    return {
        "instances": [*Instance.objects.with_load().with_peers().with_addresses().with_links(), odd_unsaved(odd)],
        "addresses": list(ReceptorAddress.objects.all()),
        "groups": list(InstanceGroup.objects.with_load().with_administration_by(alice.reader)),
        "users": list(User.objects.with_rights()),
        "tokens": list(tokens.every()),
    }


def odd_unsaved(instance: Instance) -> Instance:
    """A record that does not come from the database as it is, as an answer to a change may be."""
    odd = Instance.objects.with_load().with_peers().with_addresses().with_links().get(pk=instance.pk)
    odd.capacity = Decimal("12.75")  # type: ignore[assignment]
    odd.last_seen = NOW.astimezone(timezone(timedelta(hours=-8)))
    return odd


@pytest.mark.parametrize(
    ("serializer", "kind"),
    [
        *((each, "instances") for each in INSTANCE_SERIALIZERS),
        (ReceptorAddressSerializer, "addresses"),
        (HealthCheckSerializer, "instances"),
        (InstanceGroupSerializer, "groups"),
        (InstanceGroupDetailSerializer, "groups"),
        (UserSerializer, "users"),
        (UserDetailSerializer, "users"),
        (TokenSerializer, "tokens"),
    ],
)
def test_every_serializer_tells_what_drf_would(
    serializer: type[CompiledSerializer], kind: str, records: dict[str, list[Any]], admin: User, alice: User
) -> None:
    assert records[kind]
    for reader in (admin, alice):
        telling = serializer(context={"view": SimpleNamespace(reader=Reader.of(reader))})
        for record in records[kind]:
            told = telling.to_representation(record)
            expected = serializers.ModelSerializer.to_representation(telling, record)
            assert list(told.items()) == list(expected.items())
            assert [type(value) for value in told.values()] == [type(value) for value in expected.values()]


class PlainSerializer(CompiledSerializer):
    optional = serializers.CharField(required=False)
    fallback = serializers.IntegerField(default=7)

    class Meta:
        model = Instance
        fields = ("hostname", "optional", "fallback")


def test_a_value_that_is_missing_is_left_to_drf() -> None:
    told = PlainSerializer().to_representation(Instance(hostname="exec-1"))
    assert told == {"hostname": "exec-1", "fallback": 7}
    assert PlainSerializer().to_representation({"hostname": "exec-1", "optional": "a"}) == {
        "hostname": "exec-1",
        "optional": "a",
        "fallback": 7,
    }


def test_a_method_of_the_record_is_called() -> None:
    class NamedSerializer(CompiledSerializer):
        name = serializers.ReadOnlyField(source="__str__")

        class Meta:
            model = Instance
            fields = ("name",)

    assert NamedSerializer().to_representation(Instance(hostname="exec-1")) == {"name": "exec-1"}


@pytest.mark.parametrize(
    "serializer",
    [
        awx23_instances.SERIALIZERS.detailed,
        awx24_instances.SERIALIZERS.detailed,
        InstanceGroupDetailSerializer,
        UserDetailSerializer,
    ],
)
def test_hardly_any_field_needs_drf(serializer: type[CompiledSerializer]) -> None:
    """A serializer makes its fields only when one of them is asked."""
    telling: Any = serializer(context={"view": SimpleNamespace(reader=Reader.of(User(is_superuser=True)))})
    record = serializer.Meta.model(pk=1)
    record.load = record.own_load = record.load_in_service = Load()
    record.peer_hostnames, record.peer_ids, record.reverse_peer_ids, record.outgoing_links = [], [], [], []
    record.members = record.capacity_in_service = 0
    record.is_administered = record.has_more_than_read = True
    telling.to_representation(record)
    assert "fields" not in vars(telling)
