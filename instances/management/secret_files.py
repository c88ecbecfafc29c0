"""New files with keys, never over existing ones, and files that are there as a whole; secrets for their owner alone."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Context manager: a file for its owner alone, which is at ``path`` once the block has ended without an error.

    Until then it is beside it, under another name.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".unfinished-", delete=False) as file:
        try:
            yield file  # type: ignore[misc]
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
