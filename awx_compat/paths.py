"""The paths of records, as AWX writes them into ``url`` and ``related``: absolute, without scheme and host."""

from urllib.parse import quote

API = "/api/"
ROOT = f"{API}v2/"
# A name in a path keeps every character but these, as AWX's named URLs do.
RESERVED_IN_NAMES = {ord(char): quote(char, safe="") for char in ";/?:@=&[]"} | {ord("+"): "[+]"}


def collection(name: str) -> str:
    return f"{ROOT}{name}/"


def record(collection_name: str, key: object, *sub: str) -> str:
    """``/api/v2/<collection>/<key>/`` and, with ``sub``, what lies below it."""
    return "/".join((f"{ROOT}{collection_name}", str(key), *sub, ""))


def name_in(path_segment: str) -> str:
    """The name that a path's segment, already percent-decoded, stands for."""
    return path_segment.replace("[+]", "+")
