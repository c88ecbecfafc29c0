"""Recorded exchanges with a real AWX 23.6.0: sending one again, and comparing the answer.

An exchange's fields: user, method, path, headers, body or raw, and what came back: status (or several), the listed
response_headers, response (JSON) or text. ``ignore`` names paths of the body that differ from run to run, with * for
any key; ``subset`` compares only the keys that are recorded; ``unordered`` sorts metric samples; ``normalise`` puts
{id} for the id of a record that the exchange itself makes.
"""

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parent
NEVER_UNLESS_RECORDED = ("x-api-product-version", "www-authenticate")

Exchange = dict[str, Any]


def exchanges(name: str) -> list[Exchange]:
    with (FOLDER / name).open() as lines:
        return [json.loads(line) for line in lines]


def send(client: httpx.Client, exchange: Exchange) -> httpx.Response:
    headers = {"Accept": "application/json", "Host": "awx.example.org", **(exchange.get("headers") or {})}
    if exchange.get("user"):
        headers["Authorization"] = f"Bearer oracle-{exchange['user']}-token"
    body = None
    if exchange.get("raw") is not None:
        body = exchange["raw"].encode()
    elif exchange.get("body") is not None:
        body = json.dumps(exchange["body"]).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    return client.request(exchange["method"], exchange["path"], headers=headers, content=body, timeout=60)


def differences(exchange: Exchange, answer: httpx.Response) -> list[str]:
    """What is not as recorded, a line each."""
    return [*_status(exchange, answer), *_headers(exchange, answer), *_body(exchange, answer)]


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


def _body(exchange: Exchange, answer: httpx.Response) -> Iterator[str]:
    kind, own = _decoded(answer)
    if not {"response", "text"} & exchange.keys():
        return
    if kind not in exchange:
        yield f"the body is {kind}: {answer.text[:200]}"
        return
    wanted = exchange[kind]
    if exchange.get("unordered"):
        wanted, own = _with_sorted_samples(wanted), _with_sorted_samples(own)
    if exchange.get("normalise"):
        wanted, own = _normalised(wanted), _normalised(own)
    yield from _compare(wanted, own, "", exchange.get("ignore") or [], bool(exchange.get("subset")))


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
        if missing if subset else list(wanted) != told:
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


def _ignored(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, f"{pattern}.*") for pattern in patterns)


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
