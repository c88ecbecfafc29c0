"""Static files, served from the installed packages: nothing is collected.

Pages name each file with a hash of its content, as ``pages.0123456789ab.css``, so browsers keep it for a year.
"""

import gzip
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

from awx_compat.compression import LEAST, is_compressed

YEAR = 365 * 24 * 60 * 60  # seconds


@cache
def hashed_name(name: str) -> str:
    """The name with a hash of the file's content. Raises ValueError where no package has such a file."""
    path = finders.find(name)
    if not path:
        raise ValueError(f"No package has the static file {name!r}.")
    digest = hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
    stem, extension = os.path.splitext(name)
    return f"{stem}.{digest[:12]}{extension}"


class PackagedStorage(StaticFilesStorage):
    """The static files of the installed packages, with URLs that have their hashes."""

    def url(self, name: str | None) -> str:
        return super().url(hashed_name(name or ""))


@cache
def compressed(path: str) -> bytes:
    return gzip.compress(Path(path).read_bytes(), mtime=0)


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serve each file under its name, for a minute, and under that with its hash, for a year."""

    FOREVER = YEAR

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        super().add_file_to_dictionary(url, path, stat_cache)
        hashed = self.static_prefix + hashed_name(url.removeprefix(self.static_prefix))
        super().add_file_to_dictionary(hashed, path, stat_cache)

    def serve(self, static_file: Any, request: HttpRequest) -> Any:
        response = super().serve(static_file, request)
        path, _ = static_file.get_path_and_headers({})
        if response.status_code != 200 or not is_compressed(request, response) or Path(path).stat().st_size < LEAST:
            return response
        if file := getattr(response, "file_to_stream", None):  # none is opened for HEAD
            file.close()  # not the response: for Django that is the end of the request, whose id is yet to be sent
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "Content-Length": str(len(compressed(path)))}
        return HttpResponse(compressed(path), headers={**response.headers, **headers})
