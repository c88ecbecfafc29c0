"""``manage.py check_worker``: whether a worker runs, for the probes of containers and for monitoring."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from instances import tasks
from instances.startup import refuse_unmigrated_database


class Command(BaseCommand):
    help = "Exit with 0 if any worker has sent a heartbeat lately, and with 1 and the reason otherwise."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unmigrated_database()
        silence = tasks.current_silence()
        if fault := tasks.worker_fault(silence):
            raise CommandError(fault)
        self.stdout.write(f"The last heartbeat of a worker was {silence:.0f} seconds ago.")
