"""Comparing an answer with the recorded one.

Fields of an exchange: what came back is its status (or several), the listed response_headers, response (JSON) or text.
``ignore`` names paths of the body that differ from run to run, with * for any key; ``subset`` compares only the keys
that are recorded; ``unordered`` sorts metric samples first, and ``any_order`` the records of a page, whose order AWX
leaves to the database; ``normalise`` puts {id} for the id of a record that the exchange itself makes.
"""

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import httpx

NEVER_UNLESS_RECORDED = ("x-api-product-version", "www-authenticate")
UNORDERED = ("actions",)  # of which AWX makes a set
# The collections of the records that the ids in a field lead to.
REFERENCES = {"peers": "receptor_addresses", "reverse_peers": "instances", "instance": "instances"}

Exchange = dict[str, Any]


class Renumbering:
    """The ids here of the records that a sequence of requests has made, by their ids in AWX.

    AWX draws ids for records too that it then refuses, so the two differ. They are learned by addresses and hostnames,
    from each answer that shows such a record.
    """

    def __init__(self) -> None:
        self.ids: dict[str, dict[int, int]] = {"receptor_addresses": {}, "instances": {}}

    def learn(self, wanted: Any, own: Any) -> None:
        """Take down the ids of the records that both bodies show."""
        shown = {_identity(record): record for record in _records(own)}
        for record in _records(wanted):
            if found := shown.get(_identity(record)):
                self.ids[_collection(record)][record["id"]] = found["id"]
                if "instance" in record:
                    self.ids["instances"][record["instance"]] = found["instance"]

    def translated(self, value: Any, key: str = "") -> Any:
        """The recorded ``value``, found below ``key``, with the ids that its records have here."""
        if isinstance(value, dict):
            ids = self.ids.get(_collection(value), {})
            return {
                name: ids.get(item, item) if name == "id" else self.translated(item, name)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.translated(item, key) for item in value]
        if type(value) is int and key in REFERENCES:
            return self.ids[REFERENCES[key]].get(value, value)
        if isinstance(value, str) and value.startswith("/api/v2/"):
            return re.sub(r"/(receptor_addresses|instances)/(\d+)/", self._translated_path, value)
        return value

    def _translated_path(self, match: re.Match[str]) -> str:
        collection, pk = match[1], int(match[2])
        return f"/{collection}/{self.ids[collection].get(pk, pk)}/"


def _collection(record: Any) -> str:
    """The collection of an instance or a receptor address, "" of anything else."""
    if "full_address" in record and "id" in record:
        return "receptor_addresses"
    return "instances" if "hostname" in record and "id" in record else ""


def _identity(record: Any) -> tuple[str, str]:
    collection = _collection(record)
    return collection, record["address" if collection == "receptor_addresses" else "hostname"]


def _records(body: Any) -> list[Any]:
    """The instances and receptor addresses that are the body, or on its page."""
    if not isinstance(body, dict):
        return []
    return [record for record in body.get("results", [body]) if isinstance(record, dict) and _collection(record)]


def differences(exchange: Exchange, answer: httpx.Response, ids: Renumbering | None = None) -> list[str]:
    """What is not as recorded, a line each; ``ids`` are those of the sequence that the exchange belongs to, if any."""
    return [*_status(exchange, answer), *_headers(exchange, answer), *_body(exchange, answer, ids)]


def _status(exchange: Exchange, answer: httpx.Response) -> Iterator[str]:
    wanted = exchange["status"] if isinstance(exchange["status"], list) else [exchange["status"]]
    if answer.status_code not in wanted:
        yield f"status {answer.status_code}, not {exchange['status']}: {answer.text[:200]}"


def _headers(exchange: Exchange, answer: httpx.Response) -> Iterator[str]:
    recorded = exchange.get("response_headers") or {}
    for name in NEVER_UNLESS_RECORDED if recorded else ():
        if name in answer.headers and name not in recorded:
            yield f"header {name}: {answer.headers[name]}, not recorded"
    for name, value in recorded.items():
        own = answer.headers.get(name)
        if name == "location" and exchange.get("normalise"):
            own, value = (re.sub(r"/\d+/$", "/{id}/", text or "") for text in (own, value))
        if own != value:
            yield f"header {name}: {own}, not {value}"


def _body(exchange: Exchange, answer: httpx.Response, ids: Renumbering | None) -> Iterator[str]:
    kind, own = _decoded(answer)
    if not {"response", "text"} & exchange.keys():
        return
    if kind not in exchange:
        yield f"the body is {kind}: {answer.text[:200]}"
        return
    wanted = exchange[kind]
    if ids is not None:
        ids.learn(wanted, own)
        wanted = ids.translated(wanted)
    for change in _changes(exchange, in_sequence=ids is not None):
        wanted, own = change(wanted), change(own)
    yield from _compare(wanted, own, "", exchange.get("ignore") or [], bool(exchange.get("subset")))


def _changes(exchange: Exchange, *, in_sequence: bool) -> Iterator[Callable[[Any], Any]]:
    """What is done to both bodies before they are compared."""
    if in_sequence:
        yield _with_sorted_peers
    if exchange.get("unordered"):
        yield _with_sorted_samples
    if exchange.get("any_order"):
        yield _by_id
    if exchange.get("normalise"):
        yield _normalised


def _decoded(answer: httpx.Response) -> tuple[str, Any]:
    try:
        return "response", json.loads(answer.content)
    except ValueError:
        return "text", answer.content.decode("utf-8", "replace")


def _compare(wanted: Any, own: Any, path: str, ignore: list[str], subset: bool) -> Iterator[str]:
    if _ignored(path, ignore):
        if wanted is not None and own is not None and type(wanted) is not type(own):
            yield f"{path}: {own!r:.80} is of another type than {wanted!r:.80}"
    elif isinstance(wanted, dict) and isinstance(own, dict):
        missing = wanted.keys() - own.keys()
        told = [key for key in own if key in wanted or not _ignored(f"{path}.{key}".lstrip("."), ignore)]
        if missing if subset else _ordered(path, wanted) != _ordered(path, told):
            yield f"{path or 'body'}: keys {list(own)}, not {list(wanted)}"
        for key in wanted.keys() & own.keys():
            yield from _compare(wanted[key], own[key], f"{path}.{key}".lstrip("."), ignore, subset)
    elif isinstance(wanted, list) and isinstance(own, list):
        if len(wanted) != len(own):
            yield f"{path}: {len(own)} items, not {len(wanted)}"
        for index, pair in enumerate(zip(wanted, own, strict=False)):
            yield from _compare(*pair, f"{path}.{index}".lstrip("."), ignore, subset)
    elif type(wanted) is not type(own) or wanted != own:
        yield f"{path or 'body'}: {own!r:.200}, not {wanted!r:.200}"


def _ordered(path: str, keys: Iterable[str]) -> list[str]:
    """The keys as they come; sorted where AWX gives them in no order."""
    return sorted(keys) if path in UNORDERED else list(keys)


def _ignored(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, f"{pattern}.*") for pattern in patterns)


def _with_sorted_peers(value: Any, key: str = "") -> Any:
    """With each list of the ids of peers sorted: once links have changed, AWX leaves their order to the database."""
    if isinstance(value, dict):
        return {name: _with_sorted_peers(item, name) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    if key == "peers" and all(type(item) is int for item in value):
        return sorted(value)
    return [_with_sorted_peers(item) for item in value]


def _by_id(page: Any) -> Any:
    if not isinstance(page, dict) or "results" not in page:
        return page
    return {**page, "results": sorted(page["results"], key=itemgetter("id"))}


def _with_sorted_samples(metrics: Any) -> Any:
    if not isinstance(metrics, dict):
        return metrics
    return {
        name: {
            **metric,
            "samples": sorted(metric["samples"], key=lambda s: json.dumps(s["labels"], sort_keys=True)),
        }
        if "samples" in metric
        else metric
        for name, metric in metrics.items()
    }


def _normalised(record: Any) -> Any:
    if isinstance(record, dict) and isinstance(record.get("results"), list):
        return {**record, "results": [_normalised(item) for item in record["results"]]}
    if not isinstance(record, dict) or "id" not in record:
        return record
    own_path = f"/{record['id']}/"

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(own_path, "/{id}/")
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return {**walk(record), "id": "{id}"}
