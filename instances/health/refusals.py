"""The faults behind Receptor's words: why it refused a health check, or why the work unit of one failed.

Source: the words of Receptor 1.4.3 to 1.4.9, recorded in tests/receptor_replay.
"""

import re
from dataclasses import dataclass

from django.conf import settings

from instances.health.mesh_view import ControlService, View
from instances.health.report import LACKS_WORKER_INFO, Check, ProbeError, excerpt, old_runner

RUNNER = "ansible-runner"
BEFORE_THE_ESSENTIAL = re.compile(r"ERROR:|CRYPTO_ERROR \w+ \((?:local|remote)\):")
BY_ANOTHER_CA = re.compile(r"certificate signed by unknown authority$")
UNEXPECTED_SIGNATURE = re.compile("did not expect a signature")
# In this order: Receptor's words, the outcome, and what an operator should know; Receptor's words are appended.
MEANINGS = tuple(
    (re.compile(words, re.IGNORECASE), outcome, text)
    for words, outcome, text in (
        (
            "unknown tls config",
            Check.MISCONFIGURED,
            "RECEPTOR_TLS_CLIENT is {tls_client!r}, and the Receptor of this service has no tls-client of that name",
        ),
        (
            "insecure connection to secure service",
            Check.MISCONFIGURED,
            "{node} wants TLS, which the check did not use; RECEPTOR_TLS_CLIENT is {tls_client!r}",
        ),
        (
            "signature is empty",
            Check.MISCONFIGURED,
            "{node} wants signed work, and RECEPTOR_SIGN_WORK is {sign_work}",
        ),
        (
            "cannot sign work|signing key is empty",
            Check.MISCONFIGURED,
            "RECEPTOR_SIGN_WORK is {sign_work}, and the Receptor of this service has no key for signing work",
        ),
        ("unknown work type", Check.NO_WORK_TYPE, "{node} does not offer the work type " + RUNNER),
        ("tls error|x509|crypto_error", Check.TLS_FAILED, "The TLS connection to {node} failed"),
        ("^(fork/exec |exec: )", Check.NO_RUNNER, RUNNER + " cannot be started on {node}"),
        (
            "no route|unreachable|service unknown|message expired|blocked by firewall|work unit expired"
            "|error connecting|no recent network activity|connection refused|connection reset|connection closed"
            "|i/o timeout",
            Check.UNREACHABLE,
            "The mesh does not reach {node}",
        ),
    )
)


@dataclass(frozen=True)
class Refusal:
    """Receptor's ``detail`` about a check of ``node``; ``printed`` is the output of the node until then.

    ``view``: Receptor's view of the mesh when the check began, or None.
    """

    node: str
    detail: str
    view: View | None = None
    printed: str = ""

    def error(self) -> ProbeError:
        """The ProbeError for it."""
        if UNEXPECTED_SIGNATURE.search(self.detail):
            return self.unexpected_signature()
        if BY_ANOTHER_CA.search(self.detail) and (self.service is None or self.service.is_plain):
            return self.other_authority()
        if LACKS_WORKER_INFO in self.printed:
            return old_runner()
        for words, outcome, text in MEANINGS:
            if words.search(self.detail):
                return self.because(outcome, text)
        output = f" It printed: {excerpt(self.printed)}" if self.printed else ""
        return ProbeError(Check.REFUSED, f"The health check failed on {self.node}: {self.reason}.{output}")

    @property
    def reason(self) -> str:
        """The essential words of Receptor's."""
        return excerpt(BEFORE_THE_ESSENTIAL.split(self.detail)[-1].strip() or self.detail)

    @property
    def service(self) -> ControlService | None:
        return self.view.services.get(self.node) if self.view else None

    def because(self, outcome: Check, text: str) -> ProbeError:
        cause = text.format(
            node=self.node, tls_client=settings.RECEPTOR_TLS_CLIENT, sign_work=str(settings.RECEPTOR_SIGN_WORK).lower()
        )
        return ProbeError(outcome, f"{cause}: {self.reason}.")

    def unexpected_signature(self) -> ProbeError:
        """Receptor answers the same where the work type is missing, and where it takes unsigned work."""
        types = self.service.work_types if self.service else None
        if types is None or RUNNER not in types:
            doubt = ", or its work-command lacks verifysignature" if types is None else ""
            return self.because(Check.NO_WORK_TYPE, f"{{node}} does not offer the work type {RUNNER}{doubt}")
        return self.because(
            Check.REFUSED,
            "The work-command of {node} lacks verifysignature, and RECEPTOR_SIGN_WORK is {sign_work}",
        )

    def other_authority(self) -> ProbeError:
        """The certificate of the node is not by the mesh CA, or it has none and uses one that Receptor made up."""
        return self.because(
            Check.MISCONFIGURED,
            "The control service of {node} has no certificate of the mesh CA; if it uses no TLS, RECEPTOR_TLS_CLIENT "
            "must not be used for it",
        )


def no_route(node: str) -> ProbeError:
    return ProbeError(Check.UNREACHABLE, f"The mesh does not reach {node}: it knows no route to it.")
