"""What the database refuses, whoever writes."""

from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from instances.models import Instance, InstanceGroup, InstanceGroupRole, ReceptorAddress, User
from tests.make import make_jobs, make_link, make_node

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "fields",
    [
        {"hostname": "taken"},
        {"hostname": ""},
        {"hostname": "x" * 251},
        {"ip_address": "10.0.0.1"},
        {"capacity": -1},
        {"capacity_adjustment": "-0.01"},
        {"cpu": "-1"},
        {"memory": -1},
    ],
)
def test_instance(fields: dict[str, Any]) -> None:
    Instance.objects.create(hostname="taken", ip_address="10.0.0.1")
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Instance.objects.create(**{"hostname": "new", **fields})
    assert Instance.objects.count() == 1


def test_many_instances_without_an_address() -> None:
    Instance.objects.create(hostname="a", ip_address="")
    Instance.objects.create(hostname="b", ip_address="")


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "taken"},
        {"address": ""},
        {"address": "x" * 256},
        {"port": 2**31},
        {"canonical": True},
        {"instance": None},
    ],
)
def test_address(fields: dict[str, Any]) -> None:
    node = make_node("taken", listener_port=27199)
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        ReceptorAddress.objects.create(**{"instance": node, "address": "new", **fields})
    assert ReceptorAddress.objects.create(instance=node, address="new", port=None).pk
    assert ReceptorAddress.objects.count() == 2


def test_an_address_does_not_go_to_a_node_that_dials_it() -> None:
    source, target = (Instance.objects.create(hostname=name) for name in "ab")
    link = make_link(source, target)
    ReceptorAddress.objects.update(canonical=False)

    def move() -> None:
        ReceptorAddress.objects.update(instance=source)
        connection.check_constraints()

    with pytest.raises(IntegrityError, match="own source"), transaction.atomic():
        move()
    with transaction.atomic():  # deferred: it may be mended
        ReceptorAddress.objects.update(instance=source)
        link.delete()
        connection.check_constraints()


def test_link() -> None:
    one, two = (Instance.objects.create(hostname=name) for name in "ab")
    make_link(source=one, target=two)
    make_link(source=two, target=one)
    for target in (one, two):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_link(source=one, target=target)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "taken"},
        {"name": ""},
        {"policy_instance_percentage": 101},
        {"policy_instance_percentage": -1},
        {"policy_instance_minimum": -1},
        {"max_forks": -1},
        {"max_concurrent_jobs": -1},
    ],
)
def test_group(fields: dict[str, Any]) -> None:
    InstanceGroup.objects.create(name="taken")
    with pytest.raises(IntegrityError), transaction.atomic():
        InstanceGroup.objects.create(**{"name": "new", **fields})


def test_role_is_given_once(bob: User, edge: InstanceGroup) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        InstanceGroupRole.objects.create(user=bob, instance_group=edge, role="use_role")


def test_job_impact_is_not_negative() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_jobs(1, task_impact=-1)
