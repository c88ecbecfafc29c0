"""A node that is being deprovisioned goes, with its links, once no job needs it."""

import pytest
from django.db import OperationalError, connection

from instances import deprovisioning
from instances.deprovisioning import StillActiveError, deprovision
from instances.models import Instance, InstanceGroup, InstanceLink, UnifiedJob
from tests.make import make_jobs, make_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Instance:
    """A node that is being deprovisioned, that peers to a hop node, that a control node peers to, in a group."""
    node = Instance.objects.create(hostname="exec-1", node_type="execution", node_state="deprovisioning")
    hop = Instance.objects.create(hostname="hop-1", node_type="hop")
    control = Instance.objects.create(hostname="control-1", node_type="control")
    for source, target in ((node, hop), (control, node), (control, hop)):
        make_link(source=source, target=target, link_state="established")
    InstanceGroup.objects.create(name="edge").instances.add(node)
    return node


def links() -> list[str]:
    return [f"{link} {link.link_state}" for link in InstanceLink.objects.order_by("pk")]


def test_the_record_goes_with_its_links_and_memberships(node: Instance) -> None:
    make_jobs(1, execution_node="exec-1")
    assert deprovision(node.pk)
    assert not Instance.objects.filter(hostname="exec-1").exists()
    assert links() == ["control-1 → hop-1 established"]
    assert not InstanceGroup.objects.get().instances.exists()
    assert UnifiedJob.objects.get().execution_node == "exec-1"


@pytest.mark.parametrize("status", ["running", "waiting"])
def test_while_jobs_are_active_nothing_changes(node: Instance, status: str) -> None:
    make_jobs(1, execution_node="exec-1", status=status)
    with pytest.raises(StillActiveError):
        deprovision(node.pk)
    assert Instance.objects.get(pk=node.pk).node_state == "deprovisioning"
    assert "removing" not in " ".join(links())
    UnifiedJob.objects.update(status="successful")
    assert deprovision(node.pk)


@pytest.mark.parametrize("fields", [{"execution_node": "exec-2"}, {"controller_node": "exec-1"}], ids=str)
def test_jobs_of_other_nodes_do_not_matter(node: Instance, fields: dict[str, str]) -> None:
    make_jobs(1, status="running", **fields)
    assert deprovision(node.pk)


@pytest.mark.parametrize("state", sorted(set(Instance.NodeState.values) - {"deprovisioning"}))
def test_a_node_in_another_state_is_left_alone(node: Instance, state: str) -> None:
    Instance.objects.filter(pk=node.pk).update(node_state=state)
    assert not deprovision(node.pk)
    assert Instance.objects.filter(pk=node.pk).exists()
    assert "removing" not in " ".join(links())


def test_what_was_cut_off_between_the_steps_is_finished(node: Instance) -> None:
    assert deprovisioning.begin_removal(node.pk)
    assert links() == ["exec-1 → hop-1 removing", "control-1 → exec-1 removing", "control-1 → hop-1 established"]
    assert deprovision(node.pk)
    assert not deprovision(node.pk)


def refuse_deletion(code: str) -> None:
    """Let the database refuse to delete instances, with an error of this code."""
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'the archive refers to it' USING ERRCODE = '{code}'; END $$;
            CREATE TRIGGER refuse BEFORE DELETE ON instances_instance FOR EACH ROW EXECUTE FUNCTION refuse();
        """)


def test_an_error_of_the_database_is_told_and_the_removal_can_be_asked_for_again(node: Instance) -> None:
    refuse_deletion("foreign_key_violation")
    assert not deprovision(node.pk)
    node.refresh_from_db()
    assert node.node_state == "deprovision-fail"
    assert node.errors == "The node could not be removed: the archive refers to it"
    assert "control-1 → exec-1 removing" in links()


def test_a_passing_error_leaves_the_node_to_the_next_try(node: Instance) -> None:
    refuse_deletion("deadlock_detected")
    with pytest.raises(OperationalError):
        deprovision(node.pk)
    node.refresh_from_db()
    assert node.node_state == "deprovisioning"
