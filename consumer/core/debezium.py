"""Debezium's envelopes around rows of an outbox table, and what its outbox router leaves of them.

Three shapes occur. A change of the table (`op`, `before`, `after`, `source`), whose row holds the event in `payload`.
Any value inside Kafka Connect's `{"schema": …, "payload": …}`, which its JSON converter writes. And after the outbox
router the payload alone, as an object or as a text with JSON in it, and the event's id in the header `id`. Columns
have the router's default names: `id`, `aggregatetype`, `aggregateid`, `type`, `payload`.

Sources: https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html and
https://debezium.io/documentation/reference/stable/connectors/postgresql.html (create, update, delete events).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from consumer.core.decode import Undecodable, document_of
from consumer.core.envelopes import Contents, Document, identifier, misfit, without_prefix, word
from consumer.core.model import Ignored

Headers = tuple[tuple[str, bytes], ...]

_CONNECT = {"schema", "payload"}
_CHANGE = ("op", "after", "source")
# Rows of an outbox are written once: new ones, and those of a snapshot. What takes them away again says nothing.
_WRITTEN, _CLEARED = ("c", "r"), ("d", "t")
_TIMES = ("ts_ms", "ts_us", "ts_ns")
_PER_SECOND = {"ts_ms": 10**3, "ts_us": 10**6, "ts_ns": 10**9}
_YEAR_10000 = 253_402_300_800


def is_envelope(document: object) -> bool:
    """Whether a document is one of these shapes beyond doubt, so that it is read so without being told."""
    if isinstance(document, str):
        return document.startswith("{")
    if not isinstance(document, dict):
        return False
    return document.keys() == _CONNECT or all(name in document for name in _CHANGE)


def contents(document: Any, headers: Headers, bytes_limit: int, prefix: str) -> Contents | Undecodable | Ignored:
    """The event in one of these envelopes."""
    inner = document["payload"] if isinstance(document, dict) and document.keys() == _CONNECT else document
    if inner is None:
        return Ignored("tombstone")
    if isinstance(inner, dict) and all(name in inner for name in _CHANGE):
        return _change(inner, bytes_limit, prefix)
    body = _object(inner, bytes_limit)
    return body if isinstance(body, Undecodable) else Contents(body, _router_says(headers, prefix))


def _object(value: Any, bytes_limit: int) -> Document | Undecodable:
    """A payload, which may be a text with JSON in it."""
    found = document_of(value.encode("utf-8", "surrogatepass"), bytes_limit) if isinstance(value, str) else value
    if isinstance(found, dict | Undecodable):
        return found
    return misfit("Debezium: the payload is no JSON object")


def _change(change: Document, bytes_limit: int, prefix: str) -> Contents | Undecodable | Ignored:
    operation = change["op"]
    if operation in _CLEARED:
        return Ignored("tombstone")
    if operation not in _WRITTEN:
        return misfit("Debezium: a row of the outbox was changed (op is neither c, r, d nor t)")
    row = change["after"]
    if not isinstance(row, dict) or "payload" not in row:
        return misfit("Debezium: the row in after has no payload")
    body = _object(row["payload"], bytes_limit)
    if isinstance(body, Undecodable):
        return body
    said = _row_says(row, prefix)
    moment = _moment(change["source"]) or _moment(change)
    return Contents(body, said | {"occurred_at": moment} if moment else said)


def _row_says(row: Mapping[str, Any], prefix: str) -> dict[str, str]:
    said: dict[str, str] = {}
    if isinstance(row.get("type"), str):
        said["type"] = without_prefix(row["type"], prefix)
    if isinstance(row.get("id"), str | int):
        said["event_id"] = identifier(str(row["id"]))
    if isinstance(row.get("aggregatetype"), str):
        said["source"] = word(row["aggregatetype"])
    return said


def _moment(part: Any) -> str | None:
    """When the row was written, as the database said it."""
    for name in _TIMES if isinstance(part, dict) else ():
        count = part.get(name)
        if isinstance(count, int) and 0 < count // _PER_SECOND[name] < _YEAR_10000:
            seconds, rest = divmod(count, _PER_SECOND[name])
            microseconds = rest * 10**6 // _PER_SECOND[name]
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds).isoformat()
    return None


def _router_says(headers: Headers, prefix: str) -> dict[str, str]:
    """The router's header `id`, and `eventType` where somebody has it put there."""
    said: dict[str, str] = {}
    for name, value in headers:
        text = value.decode("utf-8", "replace").strip('"')
        if name == "id" and text:
            said["event_id"] = identifier(text)
        elif name in ("eventType", "type") and text:
            said["type"] = without_prefix(text, prefix)
    return said
