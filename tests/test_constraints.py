"""What the database refuses, whoever writes."""

from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction

from instances.models import Instance, InstanceGroup, InstanceGroupRole, InstanceLink, User
from tests.make import make_jobs

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
        {"listener_port": 65536},
        {"listener_port": -1},
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


def test_link() -> None:
    one, two = (Instance.objects.create(hostname=name) for name in "ab")
    InstanceLink.objects.create(source=one, target=two)
    InstanceLink.objects.create(source=two, target=one)
    for target in (one, two):
        with pytest.raises(IntegrityError), transaction.atomic():
            InstanceLink.objects.create(source=one, target=target)


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
