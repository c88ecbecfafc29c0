"""``awx-node-report``: a node reports its version, CPUs and memory to the service, once or periodically.

For nodes that the service cannot check through the mesh. Needs Python 3.9 and ansible-runner, and no other file of the
service: this file can be copied to a node and run with ``python3 node_report.py --help``.

Exit codes: 0 the report was accepted, 1 it was refused or could not be sent, 2 the arguments are invalid.
"""

from __future__ import annotations

import argparse
import contextlib
import email.utils
import http.client
import importlib
import importlib.metadata
import ipaddress
import json
import os
import random
import re
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

OK, FAILED, USAGE = 0, 1, 2
TOKEN_VARIABLE = "AWX_NODE_TOKEN"  # noqa: S105 - the name of a variable
MOST_CPU = 999.9  # what the service can store
LONGEST_UUID = 40  # characters that the service can store
LONGEST_ERROR = 2_000  # characters
LARGEST_RESPONSE = 2**20  # bytes
LONGEST_TIME = 1e6  # seconds; the maximum of all options
LONGEST_BACKOFF = 60.0  # seconds
LONGEST_RETRY_AFTER = 3600.0  # seconds that a service may make a node wait by Retry-After


class ReportRefusedError(Exception):
    """The report cannot be sent, and retries would fail too."""


class UnsentError(Exception):
    """The report may be sent later. ``pause``: the seconds to wait that the service requests."""

    def __init__(self, text: str, pause: float = 0) -> None:
        super().__init__(text)
        self.pause = pause


# --- the report


def report() -> dict[str, Any]:
    """The body of a report: version, cpu, memory in bytes and uuid, and ``errors`` if one cannot be determined."""
    try:
        version = importlib.metadata.version("ansible-runner")
        capacity = importlib.import_module("ansible_runner.utils.capacity")
    except Exception as error:  # a broken installation can raise anything
        return {"errors": [f"ansible-runner cannot be used: {message_of(error)}"]}
    body: dict[str, Any] = {"version": version}
    errors = []
    for name, measure in (("cpu", capacity.get_cpu_count), ("memory", capacity.get_mem_in_bytes)):
        try:
            body[name] = positive(measure())
        except Exception as error:
            errors.append(f"ansible-runner cannot determine {name}: {message_of(error)}")
    if "cpu" in body:
        body["cpu"] = min(body["cpu"], MOST_CPU)
    return {**body, **identity(capacity), **({"errors": errors} if errors else {})}


def positive(value: Any) -> int:
    """``value``, which must be a whole number above 0; ansible-runner may return the text of an error instead."""
    if isinstance(value, int) and value > 0:
        return value
    raise ValueError(str(value))


def identity(capacity: Any) -> dict[str, str]:
    """The node's uuid, if ansible-runner can store one: nodes with a read-only home run jobs without."""
    try:
        uuid = str(capacity.ensure_uuid())
    except Exception as error:
        log(f"The node has no uuid: {message_of(error)}")
        return {}
    return {"uuid": uuid} if 0 < len(uuid) <= LONGEST_UUID else {}


def message_of(error: Exception) -> str:
    """Type and message of the error, on one line."""
    return one_line(f"{type(error).__name__}: {error}")[:LONGEST_ERROR]


# --- sending the report


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirects: the token must not be sent to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass(frozen=True)
class ReportTarget:
    """The service that gets the reports, with timeout and retries. Times are in seconds."""

    url: str
    hostname: str
    timeout: float
    retries: int
    backoff: float
    tls: ssl.SSLContext

    @property
    def address(self) -> str:
        return f"{self.url.rstrip('/')}/api/fleet/v1/instances/{urllib.parse.quote(self.hostname, safe='')}/report/"

    def send(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        """Send the report, return the answer. Raises ReportRefusedError, or UnsentError after all retries."""
        for attempt in range(self.retries):
            try:
                return self.post(body, token)
            except UnsentError as error:
                pause = self.pause(attempt, error.pause)
                log(f"{error} Trying again in {pause:.1f} s.")
                time.sleep(pause)
        return self.post(body, token)

    def pause(self, attempt: int, requested: float) -> float:
        """The seconds before the next attempt: doubled each time, with jitter so that nodes do not retry at once."""
        longest = min(LONGEST_BACKOFF, self.backoff * 2 ** min(attempt, 16))
        return max(requested, random.uniform(longest / 2, longest))  # noqa: S311 - no secret

    def post(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        """Send the report once, return the answer. Raises ReportRefusedError or UnsentError."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self.address,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with self.opener().open(request, timeout=self.timeout) as response:
                return parse(response.status, read_whole(response))
        except urllib.error.HTTPError as error:
            with error:
                raise failure(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise ReportRefusedError(f"The service's certificate is not valid: {reason.verify_message}.") from None
            raise UnsentError(f"The service cannot be reached: {one_line(reason) or type(error).__name__}.") from None

    def opener(self) -> urllib.request.OpenerDirector:
        handlers: list[Any] = [NoRedirects(), urllib.request.HTTPSHandler(context=self.tls)]
        if is_loopback(self.url):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy has loopback addresses of its own
        return urllib.request.build_opener(*handlers)


def read_whole(response: http.client.HTTPResponse) -> bytes:
    """The body. Raises IncompleteRead if the connection was cut, or if it is longer than LARGEST_RESPONSE."""
    content = response.read(LARGEST_RESPONSE)
    if response.length:
        raise http.client.IncompleteRead(content, response.length)
    return content


def parse(status: int, content: bytes) -> dict[str, Any]:
    """The service's answer to a report. Raises ReportRefusedError if another program answered."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if status != http.HTTPStatus.OK or not isinstance(body, dict) or "node_state" not in body:
        raise ReportRefusedError(f"The answer (status {status}) does not come from the service; check --url.")
    return body


def failure(error: urllib.error.HTTPError) -> Exception:
    """The error for an answer with another status than 200."""
    if 300 <= error.code < 400:
        target = one_line(error.headers.get("Location", "nowhere"))
        return ReportRefusedError(f"The service redirects to {target}, which is not followed; check --url.")
    text = f"The service answered {error.code}: {reason_in(error)}"
    if error.code == http.HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500:
        return UnsentError(text, retry_after(error.headers.get("Retry-After", "")))
    return ReportRefusedError(text)


def reason_in(error: urllib.error.HTTPError) -> str:
    """The reason why the service refused the report, on one line."""
    try:
        body = json.loads(error.read(LARGEST_RESPONSE))
    except (OSError, http.client.HTTPException, ValueError):
        body = None
    if not isinstance(body, dict):
        return f"{one_line(error.reason)}."
    return one_line(body.get("detail") or json.dumps(body))


def retry_after(header: str) -> float:
    """The seconds in ``Retry-After`` (RFC 9110, 10.2.3: seconds or a date); 0 without a valid value."""
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        seconds = float(header)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            seconds = 0
    return min(max(seconds, 0), LONGEST_RETRY_AFTER)


# --- arguments


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="awx-node-report",
        description="Report this node's version, CPUs and memory to the service, with a token from "
        '"awx-instances issue_node_token HOSTNAME".',
        epilog=f"Without --token-file the token is read from the environment variable {TOKEN_VARIABLE}. "
        "Exit codes: 0 the report was accepted, 1 it was refused or could not be sent, 2 the arguments are invalid.",
    )
    parser.add_argument(
        "--url", required=True, type=service_url, help="address of the service, as https://awx.example.org"
    )
    parser.add_argument(
        "--hostname", default=socket.gethostname(), help="hostname of the instance (default: %(default)s)"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="file with the token, read for each report so that it can be replaced"
    )
    parser.add_argument("--every", type=seconds, metavar="SECONDS", help="period of reports (default: report once)")
    parser.add_argument(
        "--retries", type=count, default=5, metavar="N", help="number of retries of each report (default: %(default)s)"
    )
    parser.add_argument(
        "--backoff",
        type=seconds,
        default=1.0,
        metavar="SECONDS",
        help="pause before the first retry, doubled each time (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="timeout of each attempt (default: %(default)s)",
    )
    parser.add_argument("--ca-file", metavar="FILE", help="PEM file with the CAs to trust in place of the system's")
    return parser


def service_url(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or not re.fullmatch("[!-~]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as https://awx.example.org")
    return text


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= LONGEST_TIME:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {LONGEST_TIME:.0f}")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def read_token(file: str | None) -> str:
    """The token. Raises ValueError with a message for users if it cannot be read."""
    if file is None:
        source, text = f"The variable {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE, "")
    else:
        source = f"The file {file}"
        try:
            with open(file, encoding="ascii") as stream:
                text = stream.read(10_000)
        except OSError as error:
            raise ValueError(f"{source} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            text = ""
    if not re.fullmatch("[!-~]+", text.strip()):
        raise ValueError(f"{source} does not contain a token.")
    return text.strip()


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies certificates. Raises ValueError with a message for users if ``ca_file`` is invalid."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ValueError(f"The file {ca_file} cannot be used: {error.strerror or error}.") from None


def is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- running


def report_once(service: ReportTarget, token_file: str | None) -> bool:
    """Send one report and print its result. Returns whether it was accepted."""
    try:
        body = report()
        answer = service.send(body, read_token(token_file))
    except (ReportRefusedError, UnsentError, ValueError) as error:
        log(f"Not reported: {error}")
        return False
    for problem in body.get("errors", []):
        log(problem)
    log(f"Reported {service.hostname}: {one_line(answer['node_state'])}, capacity {one_line(answer.get('capacity'))}.")
    return True


def report_every(period: float, once: Callable[[], bool]) -> NoReturn:
    """Report every ``period`` seconds, also after failures."""
    while True:
        began = time.monotonic()
        once()
        time.sleep(max(0.0, began + period - time.monotonic()))


def log(text: str) -> None:
    print(f"awx-node-report: {text}", file=sys.stderr, flush=True)


def one_line(value: object) -> str:
    """A text from outside for the log: short, without line breaks and control characters."""
    text = " ".join(str(value).split())
    return "".join(char if char.isprintable() else "?" for char in text)[:LONGEST_ERROR]


@contextlib.contextmanager
def end_on_signals(status: int) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the process with this status at once, even while it waits.

    A signal handler in Python would run only after a blocking call that has just begun.
    """
    signals = {signal.SIGTERM, signal.SIGINT}
    blocked_before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def end() -> NoReturn:
        log(f"Ended by {signal.Signals(signal.sigwait(signals)).name}.")
        os._exit(status)

    threading.Thread(target=end, daemon=True).start()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked_before)


def main(argv: Sequence[str] | None = None) -> int:
    parser = arguments()
    options = parser.parse_args(argv)
    try:
        tls = tls_context(options.ca_file)
        read_token(options.token_file)
    except ValueError as error:
        parser.error(str(error))
    if options.url.startswith("http:") and not is_loopback(options.url):
        log("Warning: the token is sent unencrypted; use https.")
    service = ReportTarget(options.url, options.hostname, options.timeout, options.retries, options.backoff, tls)
    with end_on_signals(FAILED if options.every is None else OK):
        if options.every is None:
            return OK if report_once(service, options.token_file) else FAILED
        report_every(options.every, lambda: report_once(service, options.token_file))


if __name__ == "__main__":
    sys.exit(main())
