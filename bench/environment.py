"""The environment of a run: that of a service in production, whatever the shell has set for another."""

import os
from pathlib import Path

# What would make another service of it, or let it wait for another time.
UNSET = (
    "DATABASE_CONNECT_TIMEOUT",
    "STATEMENT_TIMEOUT",
    "HTTPS",
    "DEBUG",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "ACCESS_LOG",
    "HEALTH_PROBE",
    "SECRET_KEY_FILE",
)
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "settings.base",
    "SECRET_KEY": "only-for-measurements-" + "x" * 50,
    "ALLOWED_HOSTS": "127.0.0.1",
    "CLUSTER_HOST_ID": "control-0000.example.org",
}


def prepare() -> None:
    """Set the environment of this process, and with it that of the servers that it starts."""
    for name in UNSET:
        os.environ.pop(name, None)
    if "DATABASE_URL_FILE" in os.environ:  # the servers are told a database each by DATABASE_URL
        os.environ["DATABASE_URL"] = Path(os.environ.pop("DATABASE_URL_FILE")).read_text().strip()
    os.environ.update(SETTINGS)
