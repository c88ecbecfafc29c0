"""What the service concludes from the words of a real Receptor: every case of ``receptor_replay/``."""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from instances.health import checks, receptor, work
from instances.health.report import Check, ProbeError
from instances.models import Condition, Instance, NodeHealth
from tests.mesh import node
from tests.recorded_receptor import RecordedReceptor, exchanges, meaning, transcripts

RECEPTORCTL = Path(sys.executable).parent / "receptorctl"


@dataclass(frozen=True)
class Case:
    """A recorded health check: the node, the settings, and what becomes of the node that was ready."""

    node: str
    outcome: Check
    says: tuple[str, ...] = ()
    state: str = "unavailable"
    signs: bool = True
    tls: str = "tls_client"
    timeout: float = 2.0  # seconds; a tenth of the recorded one
    mesh: str = "status-healthy"  # the case that has the status at that time


VARIANTS = {"mesh": "status-variants"}
WELL: dict[str, Any] = {"outcome": Check.PASSED, "state": "ready"}
OURS: dict[str, Any] = {"outcome": Check.MISCONFIGURED, "state": "ready"}
CASES = {
    "check-passes": Case("exec-1", **WELL),
    "check-passes-behind-hop": Case("exec-2", **WELL),
    "check-passes-plain": Case("exec-4", **WELL, signs=False),
    "work-type-other-signed": Case("exec-6", Check.NO_WORK_TYPE, ("does not offer", "ansible-runner"), **VARIANTS),
    "work-type-missing-signed": Case("exec-5", Check.NO_WORK_TYPE, ("does not offer", "ansible-runner"), **VARIANTS),
    "work-type-other-unsigned": Case("exec-6", Check.NO_WORK_TYPE, ("does not offer",), signs=False, **VARIANTS),
    "work-type-missing-unsigned": Case("exec-5", Check.NO_WORK_TYPE, ("does not offer",), signs=False, **VARIANTS),
    "signed-unexpected": Case("exec-7", Check.REFUSED, ("RECEPTOR_SIGN_WORK", "verifysignature"), **VARIANTS),
    "signed-unexpected-plain": Case("exec-4", Check.REFUSED, ("RECEPTOR_SIGN_WORK", "verifysignature")),
    "unsigned-refused": Case("exec-1", **OURS, says=("RECEPTOR_SIGN_WORK is false",), signs=False),
    "tls-name-unknown": Case("exec-2", **OURS, says=("RECEPTOR_TLS_CLIENT is 'nope'",), tls="nope"),
    "tls-set-plain-node": Case("exec-4", **OURS, says=("RECEPTOR_TLS_CLIENT",), signs=False),
    "tls-unset": Case("exec-1", **OURS, says=("RECEPTOR_TLS_CLIENT", "wants TLS"), tls=""),
    "certificate-expired": Case(
        "exec-10", Check.TLS_FAILED, ("has expired or is not yet valid", "is after 2026-11-28T08:47:31Z."), **VARIANTS
    ),
    "certificate-other-node": Case("exec-9", Check.TLS_FAILED, ("is valid for", "exec-2.", "not exec-9."), **VARIANTS),
    "certificate-other-ca": Case(
        "exec-8", Check.TLS_FAILED, ("signed by unknown authority", '"Receptor mesh CA")'), **VARIANTS
    ),
    "runner-missing": Case("exec-1", Check.NO_RUNNER, ("executable file not found in $PATH",)),
    "runner-old": Case("exec-3", Check.OLD_RUNNER, ("too old",)),
    "runner-exit-3": Case("exec-1", Check.REFUSED, ("exit status 3", "boom on stdout boom on stderr")),
    "runner-killed": Case("exec-1", Check.REFUSED, ("signal: killed",)),
    "runner-slow": Case("exec-1", Check.TIMED_OUT, ("within 1 seconds",), timeout=0.8),
    "runner-hangs": Case("exec-2", Check.TIMED_OUT, ("within 1 seconds",), timeout=0.8),
    "runner-hangs-impatient": Case("exec-1", Check.TIMED_OUT, ("within 1 seconds",), timeout=0.8),
    "output-empty": Case("exec-2", Check.GARBAGE, ("nothing",)),
    "output-text": Case("exec-2", Check.GARBAGE, ("Welcome to exec!",)),
    "output-binary": Case("exec-2", Check.GARBAGE, (r"\u001b[31m",)),
    "output-errors": Case("exec-3", Check.NODE_ERRORS, ("Could not find memory\nsecond",)),
    "node-frozen": Case("exec-3", Check.TIMED_OUT, ("did not answer within 2 seconds",)),
}
COMMANDS = ("ping", "commands-unknown", "unit-unknown", "work-list-empty", "work-list-after-hang")


def host(name: str) -> str:
    return f"{name}.example.org"


def test_every_recorded_case_has_its_meaning() -> None:
    statuses = {case for case in transcripts() if case.startswith("status-")}  # test_mesh_status.py has those
    assert statuses | CASES.keys() | set(COMMANDS) == transcripts().keys()


@pytest.mark.django_db
@pytest.mark.parametrize("mesh", ["known", "unknown"])
@pytest.mark.parametrize("case", CASES)
def test_a_recorded_check_has_its_meaning(case: str, mesh: str, settings: Settings) -> None:
    """Also where Receptor does not answer ``status``, and so much is not known."""
    expected = CASES[case]
    own = checked(case, settings, (case, expected.mesh) if mesh == "known" else (case,))
    health = NodeHealth.objects.get(instance=own)
    outcome, says = expected.outcome, expected.says
    if mesh == "unknown" and case.startswith("signed-unexpected"):  # what Receptor says of a missing work type, too
        outcome, says = Check.NO_WORK_TYPE, ("does not offer", "or its work-command lacks verifysignature")
    assert (health.check_outcome, own.node_state) == (outcome, expected.state), meaning(case)
    assert all(part in own.errors for part in says), own.errors
    assert (own.capacity > 0) is (expected.state == "ready")
    condition = Condition.objects.get(instance=own, type="HealthChecked")
    assert (condition.status, condition.reason) == ("True" if outcome == Check.PASSED else "False", outcome)


def checked(case: str, settings: Settings, cases: tuple[str, ...]) -> Instance:
    """The node as it is after its health check."""
    expected = CASES[case]
    own = node(host(expected.node))
    settings.HEALTH_PROBE, settings.RECEPTOR_TLS_CLIENT, settings.RECEPTOR_SIGN_WORK = (
        "receptor",
        expected.tls,
        expected.signs,
    )
    settings.HEALTH_CHECK_TIMEOUT = expected.timeout * 4 / 3  # a quarter is left for recording a failure
    with RecordedReceptor(cases) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        checks.run(own.pk)
        release = [command for command in recorded.asked() if command.startswith("work release")]
        assert len(release) == (0 if case == "tls-name-unknown" else 1)  # nothing was created there
    stored = Instance.objects.get(pk=own.pk)
    assert not stored.health_check_pending
    return stored


@pytest.mark.django_db
@pytest.mark.parametrize("case", ["runner-slow", "runner-hangs", "runner-hangs-impatient"])
def test_a_result_is_recorded_before_the_node_is_waited_for(case: str, settings: Settings) -> None:
    """Receptor answers ``work cancel`` when the process has ended, so the check would expire by then."""
    expected = CASES[case]
    own = node(host(expected.node))
    settings.HEALTH_PROBE, settings.HEALTH_CHECK_TIMEOUT = "receptor", expected.timeout * 4 / 3
    with RecordedReceptor((case,)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        checks.run(own.pk)
        cancelled = next(at for at, command in recorded.commands if command.startswith("work cancel"))
    recorded_at = Instance.objects.get(pk=own.pk).last_health_check
    assert recorded_at is not None
    assert recorded_at.timestamp() <= cancelled


@pytest.mark.parametrize("case", CASES)
def test_tls_is_used_only_where_the_node_wants_it(case: str, settings: Settings) -> None:
    """As the recorded client did, but for the cases in which the settings were wrong on purpose."""
    expected = CASES[case]
    settings.RECEPTOR_TLS_CLIENT = expected.tls
    with RecordedReceptor((expected.mesh,)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        view = work.current_view(time.monotonic() + 10)
    sent = json.loads(next(line for line in transcripts()[case][0]["events"] if line["from"] == "client")["text"])
    wanted = None if case == "tls-set-plain-node" else sent.get("tlsclient")
    assert work.tls_client(host(expected.node), view) == wanted


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "name"),
    [("status-node-frozen-later", "exec-3"), ("status-unknown-node-gone", "rogue"), ("status-healthy", "exec-5")],
)
def test_a_check_of_a_node_without_a_route_ends_at_once(status: str, name: str, settings: Settings) -> None:
    """Advertised before or not."""
    own = node(host(name))
    settings.HEALTH_PROBE = "receptor"
    with RecordedReceptor((status,)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        checks.run(own.pk)
        assert recorded.asked() == ["status"]
    stored = Instance.objects.get(pk=own.pk)
    assert (stored.node_state, "knows no route" in stored.errors) == ("unavailable", True)
    assert NodeHealth.objects.get(instance=own).check_outcome == Check.UNREACHABLE


# --- the other commands


@pytest.mark.parametrize(
    ("case", "connection", "exchange"),
    [
        (case, number, exchange.command)
        for case in COMMANDS
        for number, connection in enumerate(transcripts()[case])
        for exchange in exchanges(connection)
        if exchange.command
    ],
)
def test_a_recorded_command_is_answered_or_refused(
    case: str, connection: int, exchange: str, settings: Settings
) -> None:
    said = transcripts()[case][connection]["events"][2]["text"]
    with RecordedReceptor((case,)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        if said.startswith("ERROR:"):
            with pytest.raises(receptor.ReceptorRefusedError, match=re.escape(said.splitlines()[0][7:])):
                receptor.send_command(exchange, time.monotonic() + 10)
        else:
            assert receptor.send_command(exchange, time.monotonic() + 10) == json.loads(said)


def test_an_empty_command_is_answered_by_silence(settings: Settings) -> None:
    with RecordedReceptor(("commands-unknown",)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        with pytest.raises((ConnectionError, TimeoutError)):
            receptor.send_command("", time.monotonic() + 0.5)


def test_a_status_that_is_cut_short_is_a_fault_of_receptor(settings: Settings) -> None:
    with RecordedReceptor(("status-cut-short",)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        with pytest.raises(ProbeError) as caught:
            receptor.status()
    assert caught.value.outcome == Check.NO_RECEPTOR


@pytest.mark.parametrize("case", [case for case in transcripts() if case.startswith("status-") and "cut" not in case])
def test_receptorctl_reads_the_recorded_status(case: str, settings: Settings) -> None:
    """Receptor's own command line says that the recordings are what Receptor writes."""
    with RecordedReceptor((case, "status-healthy-cli")) as recorded:
        command = [RECEPTORCTL, "--socket", recorded.path, "status", "--json"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert "status" in recorded.asked()
    assert json.loads(printed)["NodeID"] == host("control-1")


# --- units that nobody knows


@pytest.mark.django_db
@pytest.mark.parametrize("case", ["work-list-empty", "work-list-after-hang"])
def test_a_recorded_list_without_units_has_no_orphans(case: str, settings: Settings) -> None:
    with RecordedReceptor((case,)) as recorded:
        settings.RECEPTOR_SOCKET = recorded.path
        assert work.release_orphans(timezone.now()) == 0
