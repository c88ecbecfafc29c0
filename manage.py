#!/usr/bin/env python
"""Run the service's commands: ``python manage.py help`` lists them."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from setproctitle import setproctitle

from instances import database
from settings.env import SettingsError


def main() -> None:
    setproctitle(" ".join(["awx-instance-service", *sys.argv[1:]]).encode("utf-8", "replace").decode())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the environment
    except SettingsError as error:
        sys.exit(str(error))
    try:
        execute_from_command_line(sys.argv)
    except SettingsError as error:  # of the embedded database, which starts when first needed
        sys.exit(str(error))
    except Exception as error:
        if "--traceback" in sys.argv or not database.failed(error):
            raise
        sys.exit(f"The database {fault_of(error)}: {database.reason(error)}")


def fault_of(error: Exception) -> str:
    if database.is_full(error):
        return "has no space left"
    return "cannot be reached" if database.is_away(error) else "is too busy"


if __name__ == "__main__":
    main()
