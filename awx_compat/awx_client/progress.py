"""The progress output of a sync."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import orjson
from django.utils import timezone
from tqdm import tqdm

from instances.mirror.left_out import LeftOut
from instances.text import escaped

LOGGERS = [logging.getLogger(name) for name in ("awx_compat.awx_client", "instances.mirror")]


class Progress(logging.Handler):
    """What happens, for who looks at a terminal a bar and sentences, and otherwise a JSON object in each line.

    A record that is left out is named once, and again once it was mirrored meanwhile, however often it is synced.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.named: set[LeftOut] = set()
        self.naming_now: set[LeftOut] = set()
        self.reported_once: set[str] = set()
        self.bar = tqdm(
            desc="asking", file=stream, leave=False, disable=None, bar_format="{desc}: {n_fmt}/{total_fmt} {bar}"
        )

    def __enter__(self) -> "Progress":
        for logger in LOGGERS:
            logger.addHandler(self)
            logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        for logger in LOGGERS:
            logger.removeHandler(self)
            logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "once", False):
            self.report_once(record.getMessage())
            return
        left_out: LeftOut | None = getattr(record, "left_out", None)
        if left_out is None:
            self.report("waiting", record.getMessage())
            return
        if left_out not in self.named:
            self.report("left out", record.getMessage(), kind=left_out.kind)
        self.naming_now.add(left_out)

    def report_once(self, message: str) -> None:
        if message not in self.reported_once:
            self.reported_once.add(message)
            self.report("warning", message)

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Remember which records the sync within names; one that fails may not have come to all of them."""
        self.naming_now = set()
        try:
            yield
        except BaseException:
            self.named |= self.naming_now
            raise
        self.named = self.naming_now

    def read(self, name: str, done: int, of: int) -> None:
        """``done`` of the ``of`` records of a list are read."""
        if not self.is_log:
            self.bar.set_description_str(name, refresh=False)
            self.bar.total, self.bar.n = of, done
            self.bar.refresh()
        elif done == of:
            self.report("read", f"{of} {name} read", list=name, records=of)

    @property
    def is_log(self) -> bool:
        """Whether nobody looks at a terminal."""
        return bool(self.bar.disable)

    def report(self, event: str, message: str, **figures: Any) -> None:
        message = escaped(message)
        if self.is_log:
            line = {"time": timezone.now(), "event": event, "message": message, **figures}
            print(orjson.dumps(line).decode(), file=self.stream, flush=True)
        else:
            self.bar.clear()
            print(message, file=sys.stdout, flush=True)
