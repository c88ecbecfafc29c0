"""The output of a sync while it runs."""

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
    """Progress output: a bar and sentences on a terminal, otherwise one JSON object per line.

    A record left out by several syncs in a row is named once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.named: set[LeftOut] = set()
        self.named_now: set[LeftOut] = set()
        self.reported_once: set[str] = set()
        self.bar = tqdm(
            desc="reading", file=stream, leave=False, disable=None, bar_format="{desc}: {n_fmt}/{total_fmt} {bar}"
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
        self.named_now.add(left_out)

    def report_once(self, message: str) -> None:
        if message not in self.reported_once:
            self.reported_once.add(message)
            self.report("warning", message)

    @contextmanager
    def collect_names(self) -> Iterator[None]:
        """Remember the records left out by the sync within; after a failed sync the earlier ones stay remembered."""
        self.named_now = set()
        try:
            yield
        except BaseException:
            self.named |= self.named_now
            raise
        self.named = self.named_now

    def show_read(self, name: str, done: int, of: int) -> None:
        """Show that ``done`` of the ``of`` records of a list are read."""
        if not self.is_log:
            self.bar.set_description_str(name, refresh=False)
            self.bar.total, self.bar.n = of, done
            self.bar.refresh()
        elif done == of:
            self.report("read", f"{of} {name} read", list=name, records=of)

    @property
    def is_log(self) -> bool:
        """Whether the output is not a terminal."""
        return bool(self.bar.disable)

    def report(self, event: str, message: str, **figures: Any) -> None:
        """Write one event; ``figures`` are further members of its JSON object."""
        message = escaped(message)
        if self.is_log:
            line = {"time": timezone.now(), "event": event, "message": message, **figures}
            print(orjson.dumps(line).decode(), file=self.stream, flush=True)
        else:
            self.bar.clear()
            print(message, file=sys.stdout, flush=True)
