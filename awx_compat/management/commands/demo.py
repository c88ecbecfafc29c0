"""``awx-instances demo``, or ``make run``: a demonstration with a small mesh, on this machine only."""

import contextlib
import signal
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from awx_compat import listening
from instances import demonstration
from instances.models import Instance, User
from instances.startup import positive, share_embedded_database
from settings.embedded.keeper import end_with_parent

HOST = "127.0.0.1"
WELCOME = """
  Dashboard         http://{0}:{1}/
  API               http://{0}:{1}/api/v2/instances/
  Documentation     http://{0}:{1}/api/docs/
  Administration    http://{0}:{1}/admin/
  {logins}
  Try it            curl -u admin:admin http://{0}:{1}/api/v2/instances/1/
  Ctrl-C stops the service; the data stay in {data_dir}.
"""
LOGINS = "Log in as         {} or {}; the password is the name".format(
    ", ".join(demonstration.LOGINS[:-1]), demonstration.LOGINS[-1]
)


class Command(BaseCommand):
    help = "Migrate the database, load the demonstration mesh if it is empty, and serve, on this machine only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=port_number, default=8000, metavar="PORT", help="port on 127.0.0.1 (default: 8000)"
        )

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not getattr(settings, "DEMO", False):
            raise CommandError(
                "The demonstration has known passwords and needs settings.demo: use 'awx-instances demo'."
            )
        self.refuse_used_port(port)
        call_command("migrate", verbosity=0)
        if not (Instance.objects.exists() or User.objects.exists()):
            imported = demonstration.load()
            self.stdout.write(f"Imported a mesh of {imported.instances} instances, with {imported.jobs} jobs.")
        is_demo = User.objects.filter(username="visitor").exists()
        logins = LOGINS if is_demo else "Log in with the users of your database"
        welcome = WELCOME.format(HOST, port, logins=logins, data_dir=settings.DATA_DIR)
        with worker():
            call_command("serve", bind=(HOST, port), welcome=welcome)

    def refuse_used_port(self, port: int) -> None:
        """Raise CommandError, before anything is printed, where another service would answer at the address."""
        try:
            listening.refuse_used_place((HOST, port))
        except CommandError as error:
            raise CommandError(f"{error}. Choose another port by --port, or 'make run PORT=…'.") from None


def port_number(text: str) -> int:
    """The type of an argument that is a port."""
    if positive(text) > 65535:
        raise ArgumentTypeError(f"{text} is above 65535, the last port")
    return int(text)


@contextlib.contextmanager
def worker() -> Iterator[None]:
    """Run ``manage.py worker`` as a child process, which ends before this process."""
    share_embedded_database()
    process = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, sys.argv[0], "worker"],
        preexec_fn=lambda: end_with_parent(signal.SIGTERM),
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
