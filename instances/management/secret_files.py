"""New files with keys: never over existing ones, and with what is secret for their owner alone."""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from django.core.management.base import CommandError

SECRET, READABLE = 0o600, 0o644


def create(directory: Path, modes: Mapping[str, int], contents: Callable[[], Mapping[str, bytes]]) -> None:
    """Create the files that ``modes`` names in ``directory``, which is created if needed; all of them, or none.

    ``contents`` is called once none of them is found to exist, since making keys takes seconds.
    Raises CommandError.
    """
    try:
        for name in modes:
            if os.path.lexists(directory / name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(directory / name))
        made = contents()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_new({directory / name: (made[name], mode) for name, mode in modes.items()})
    except OSError as error:
        raise CommandError(f"{error.filename or directory}: {error.strerror}; nothing was written.") from None


def write_new(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write files that must not exist yet, each a content and the mode that it is created with."""
    written: list[Path] = []
    try:
        for path, (content, mode) in files.items():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(path)
            with open(descriptor, "wb") as file:
                file.write(content)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
