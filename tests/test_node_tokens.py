"""The tokens of nodes, and ``manage.py issue_node_token``."""

import hashlib
import io

import pytest
from django.core.management import CommandError, call_command

from instances import node_tokens
from instances.models import Instance, NodeToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Instance:
    return Instance.objects.create(hostname="exec-1", node_type="execution")


@pytest.fixture
def other() -> Instance:
    return Instance.objects.create(hostname="exec-2", node_type="execution")


def issue_node_token(*arguments: str) -> tuple[str, str]:
    """What the command prints on standard output and on standard error."""
    stdout, stderr = io.StringIO(), io.StringIO()
    call_command("issue_node_token", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def test_only_the_checksum_of_a_token_is_stored(node: Instance) -> None:
    raw = node_tokens.issue(node)
    assert raw.startswith("node_")
    assert len(raw) > 40
    stored = NodeToken.objects.values().get()
    assert stored["checksum"] == hashlib.sha256(raw.encode()).hexdigest()
    assert raw not in map(str, stored.values())


def test_a_token_is_found_by_its_text_alone(node: Instance) -> None:
    raw = node_tokens.issue(node)
    found = node_tokens.find_by_secret(raw)
    assert found is not None
    assert found.instance == node
    for wrong in ("", "node_", raw[:-1], raw + " ", found.checksum, "node_\udcff", "\0"):
        assert node_tokens.find_by_secret(wrong) is None


def test_a_node_may_have_several_tokens_which_end_together(node: Instance, other: Instance) -> None:
    tokens = [node_tokens.issue(node) for _ in range(2)]
    kept = node_tokens.issue(other)
    assert len(set(tokens)) == 2
    assert node_tokens.revoke(node) == 2
    assert node_tokens.revoke(node) == 0
    assert [node_tokens.find_by_secret(raw) for raw in tokens] == [None, None]
    assert node_tokens.find_by_secret(kept) is not None


def test_a_replaced_token_ends(node: Instance, other: Instance) -> None:
    earlier, kept = node_tokens.issue(node), node_tokens.issue(other)
    raw = node_tokens.replace(node)
    assert node_tokens.find_by_secret(earlier) is None
    assert node_tokens.find_by_secret(raw) is not None
    assert node_tokens.find_by_secret(kept) is not None


def test_a_token_ends_with_its_node(node: Instance) -> None:
    raw = node_tokens.issue(node)
    node.delete()
    assert node_tokens.find_by_secret(raw) is None


# --- the command


def test_the_token_alone_goes_to_standard_output(node: Instance) -> None:
    earlier = node_tokens.issue(node)
    stdout, stderr = issue_node_token("exec-1")
    raw = stdout.removesuffix("\n")
    assert node_tokens.find_by_secret(raw) is not None
    assert node_tokens.find_by_secret(earlier) is not None
    assert "awx-node-report" in stderr
    assert raw not in stderr


def test_the_earlier_tokens_can_end_as_the_new_one_is_issued(node: Instance) -> None:
    earlier = node_tokens.issue(node)
    stdout, _ = issue_node_token("exec-1", "--revoke-earlier")
    assert node_tokens.find_by_secret(earlier) is None
    assert node_tokens.find_by_secret(stdout.strip()) is not None


def test_a_token_that_cannot_be_printed_ends_nothing(node: Instance) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    earlier = node_tokens.issue(node)
    with pytest.raises(OSError, match="No space left"):
        call_command("issue_node_token", "exec-1", "--revoke-earlier", stdout=Full(), stderr=io.StringIO())
    assert node_tokens.find_by_secret(earlier) is not None
    assert NodeToken.objects.count() == 1


def test_all_tokens_of_a_node_can_end(node: Instance) -> None:
    node_tokens.issue(node)
    stdout, stderr = issue_node_token("exec-1", "--revoke")
    assert stdout == ""
    assert "1 token(s) of exec-1" in stderr
    assert not NodeToken.objects.exists()


def test_an_unknown_hostname_is_one_line() -> None:
    with pytest.raises(CommandError, match=r"^No instance is named exec-9\.$"):
        issue_node_token("exec-9")


def test_the_ways_to_end_tokens_exclude_each_other(node: Instance) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        issue_node_token("exec-1", "--revoke", "--revoke-earlier")
