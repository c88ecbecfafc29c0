"""The demonstration mesh: a snapshot whose times are shifted as if it had been taken now."""

import io
import re
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from instances.snapshot import Imported, import_snapshot

SNAPSHOT = Path(__file__).parent / "demo_mesh.json"
LOGINS = ("admin", "auditor", "operator", "visitor")  # whose passwords are their names
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def load() -> Imported:
    """Import the demonstration mesh; its latest time is now."""
    text = shift_times(SNAPSHOT.read_text(encoding="utf-8"), timezone.now())
    return import_snapshot(io.BytesIO(text.encode()))


def shift_times(snapshot: str, newest: datetime) -> str:
    """The snapshot's text with all its times shifted by the same amount, so that the latest of them is ``newest``."""
    by = newest - max(map(datetime.fromisoformat, TIME.findall(snapshot)))
    return TIME.sub(lambda found: (datetime.fromisoformat(found.group()) + by).isoformat(), snapshot)
