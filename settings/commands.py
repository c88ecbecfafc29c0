"""The command ``awx-instances``, which ``manage.py`` is too: it chooses the settings, and lists the commands in groups.

Django runs each command. Help needs no settings, as it is what an operator reads first.
"""

import errno
import os
import re
import signal
import sys
from importlib.metadata import version
from textwrap import wrap

from django.conf import settings
from django.core.management import ManagementUtility, get_commands, load_command_class
from setproctitle import setproctitle

from instances import database
from settings.env import DISTRIBUTION, SettingsError

GROUPS = {
    "Serving": ("serve", "worker", "check_worker", "demo"),
    "Copying an AWX": ("sync_awx", "import_awx", "export_awx"),
    "Nodes and groups": (
        *("list_instances", "list_groups", "list_jobs", "provision_instance", "deprovision_instance"),
        *("register_queue", "register_peers", "add_receptor_address", "remove_receptor_address"),
    ),
    "Planning": ("drain", "fit", "mesh_risk", "what_if"),
    "Keys and tokens of the mesh": ("create_mesh_ca", "create_node_certificate", "issue_node_token"),
    "Upkeep": ("cleanup", "verify_counters", "unlock_login", "configure_database"),
    "Django's own": ("migrate", "showmigrations", "check", "createsuperuser", "changepassword", "dbshell"),
}
NAMES, WIDTH = 26, 110  # columns: for the names of commands, and altogether


class Utility(ManagementUtility):
    def main_help_text(self, commands_only: bool = False) -> str:
        """The commands of GROUPS, each with what its help begins with; all that there are if ``commands_only``."""
        if commands_only:
            return super().main_help_text(commands_only)
        lines = [f"Usage: {self.prog_name} COMMAND [OPTIONS]", "", f"'{self.prog_name} COMMAND --help' describes one."]
        for group, names in GROUPS.items():
            lines += ["", f"{group}:", *(line for name in names for line in described(name))]
        return "\n".join([*lines, "", f"'{self.prog_name} help --commands' lists all, with those of other packages."])


def described(name: str) -> list[str]:
    """The lines of a command: its name, and how its help begins."""
    begins = re.split(r"[.:;](?: |$)", str(load_command_class(get_commands()[name], name).help))[0]
    return wrap(begins, WIDTH, initial_indent=f"  {name}".ljust(NAMES), subsequent_indent=" " * NAMES)


def choose_settings(arguments: list[str]) -> None:
    """Set in the environment which settings are read, and what help alone can do without."""
    if arguments[:1] in ([], ["help"]) or {"--help", "-h"} & set(arguments):
        if "SECRET_KEY_FILE" not in os.environ:
            os.environ.setdefault("SECRET_KEY", "signs nothing")
    elif arguments[0] == "demo":
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings.demo"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["version"], ["--version"]):
        print(version(DISTRIBUTION))
        return
    setproctitle(" ".join([DISTRIBUTION, *arguments]).encode("utf-8", "replace").decode())
    choose_settings(arguments)
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the environment
        Utility(sys.argv).execute()
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python writes the rest
        # Whoever reads the output, as head, has had enough.
        sys.exit(1 if error.errno == errno.EPIPE else f"{error.filename or 'The output'}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except SettingsError as error:  # also of the embedded database, which starts when first needed
        sys.exit(str(error))
    except Exception as error:
        if "--traceback" in arguments or not database.failed(error):
            raise
        sys.exit(f"The database {fault_of(error)}: {database.reason(error)}")


def fault_of(error: Exception) -> str:
    if database.is_full(error):
        return "has no space left"
    return "cannot be reached" if database.is_away(error) else "is too busy"
