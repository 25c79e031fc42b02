"""One record as one line of JSON: {"topic","partition","offset","timestamp","key","value","headers"}."""

import base64
import json
from typing import Any

from consumer.core.model import Position, Record

_REQUIRED = {"topic", "partition", "offset", "value"}


def line_of(record: Record) -> bytes:
    """The record as a line with its end. Bytes that are no UTF-8 stand as {"hex": "…"}."""
    position = record.position
    fields = {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def record_of(line: bytes, following: Position, now: float) -> Record:
    """The line as a record. A line that is none in our form is the value of a record at the position `following`, as
    an event in plain JSON is, whatever its bytes."""
    plain = Record(following, now, None, line)
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or not fields.keys() >= _REQUIRED:
            return plain
        return _record(fields, now)
    except (ValueError, TypeError, RecursionError):
        return plain


def _record(fields: dict[str, Any], now: float) -> Record:
    position = Position(_kind(fields["topic"], str), _kind(fields["partition"], int), _kind(fields["offset"], int))
    if position.partition < 0 or position.offset < 0:
        raise ValueError("negative")
    headers = tuple((_kind(name, str), _bytes(value) or b"") for name, value in fields.get("headers") or ())
    timestamp = fields.get("timestamp")
    seconds = now if timestamp is None else float(timestamp)
    return Record(position, seconds, _bytes(fields.get("key")), _bytes(fields["value"]), headers)


def _kind(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError("not of that kind")
    return value


def _text(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"hex": value.hex()}


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"hex"}:
        return bytes.fromhex(_kind(value["hex"], str))
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return base64.b64decode(_kind(value["base64"], str), validate=True)
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
