"""A service that mirrors another one, in this process, for tests."""

import threading
from typing import Any

from awx_compat.awx_client.client import Access
from awx_compat.awx_client.syncing import Sync
from instances.mirror.writing import Counts, Plan
from tests.service import connected_to

PAUSE = 0.001  # seconds before a request is tried again, so that tests need not wait


def unheard(name: str, done: int, of: int) -> None:
    """Nobody looks on."""


def sync(mirror_url: str, address: str, token: str, **options: Any) -> Counts:
    """Let the database at ``mirror_url`` mirror the service at ``address``."""
    concurrency = options.pop("concurrency", 1)
    stopping = options.pop("stopping", threading.Event())
    plan = Plan(options.pop("url", address), **options)
    with connected_to(mirror_url):
        return Sync(Access(address, token=token), plan, stopping, unheard, concurrency, PAUSE).run()
