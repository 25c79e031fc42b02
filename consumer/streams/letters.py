"""Dead letters as records: the original byte for byte, and what Vestnik adds in headers of its own."""

import hashlib
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from consumer.core.backfill import BACKFILL_PREFIX, original_of
from consumer.core.model import Record
from consumer.core.ports import DeadLetter
from schemas.dead_letter import HEADER_PREFIX, DeadLetterHeaders

Headers = tuple[tuple[str, bytes], ...]

DETAIL_BYTES = 1024
PREFIX_BYTES = 64 * 1024
ORIGINAL_HEADERS = 64
ORIGINAL_HEADERS_BYTES = 64 * 1024

_NUMBERS: dict[str, type[int] | type[float]] = {
    "partition": int,
    "offset": int,
    "timestamp": float,
    "redrives": int,
}


def letter_headers(letter: DeadLetter) -> Headers:
    """The original's headers, capped in number and bytes, then Vestnik's own.

    Headers of an original that begin with `vestnik-` are those of an earlier life: they give way, but for the count of
    redrives. A record that a replay or a redrive brought is told by where and when it first stood.
    """
    record = original_of(letter.record, f"{BACKFILL_PREFIX}{letter.lane}")
    position = record.position
    ours: dict[str, str | None] = {
        "id": letter.rejection.id,
        "lane": letter.lane,
        "reason": letter.rejection.reason,
        "detail": _capped(letter.rejection.detail, DETAIL_BYTES),
        "route": letter.rejection.route,
        "command": letter.command,
        "topic": position.topic,
        "partition": str(position.partition),
        "offset": str(position.offset),
        "timestamp": repr(record.timestamp),
        "redrives": str(_redrives(record.headers)),
        "version": "1",
    }
    return original_headers(record.headers) + _own(ours)


def original_headers(headers: Headers) -> Headers:
    """Those that are not ours, as long as they are few and small; the rest is left out."""
    kept: list[tuple[str, bytes]] = []
    room = ORIGINAL_HEADERS_BYTES
    for name, value in headers:
        room -= len(name.encode()) + len(value or b"")
        if name.startswith(HEADER_PREFIX):
            continue
        if room < 0 or len(kept) == ORIGINAL_HEADERS:
            break
        kept.append((name, value))
    return tuple(kept)


def cut(headers: Headers, value: bytes) -> tuple[Headers, bytes]:
    """The form of a letter whose value no topic takes: its first 64 KiB, its size and its SHA-256; the reason becomes
    `oversize` and the first one stands at the head of the detail."""
    was = {name: value for name, value in headers if name.startswith(HEADER_PREFIX)}
    reason = was.get(f"{HEADER_PREFIX}reason", b"").decode()
    detail = was.get(f"{HEADER_PREFIX}detail", b"").decode()
    changed = {
        "reason": "oversize",
        "detail": _capped(f"{reason}: {detail}" if detail else reason, DETAIL_BYTES),
        "size": str(len(value)),
        "sha256": hashlib.sha256(value).hexdigest(),
    }
    kept = tuple(pair for pair in headers if pair[0].removeprefix(HEADER_PREFIX) not in changed)
    return kept + _own(changed), value[:PREFIX_BYTES]


def read_headers(record: Record) -> DeadLetterHeaders | None:
    """Vestnik's headers of a record in the dead-letter topic; None where it is not a letter of ours."""
    found: dict[str, object] = {}
    for name, value in record.headers:
        if name.startswith(HEADER_PREFIX):
            found[name.removeprefix(HEADER_PREFIX)] = value.decode("utf-8", "replace")
    try:
        for name in _NUMBERS.keys() & found.keys():
            found[name] = _NUMBERS[name](str(found[name]))
        return DeadLetterHeaders.model_validate(found, strict=False)
    except (ValueError, ValidationError):
        return None


def _own(texts: Mapping[str, str | None]) -> Headers:
    return tuple((HEADER_PREFIX + name, text.encode()) for name, text in texts.items() if text)


def _redrives(headers: Iterable[tuple[str, bytes]]) -> int:
    for name, value in headers:
        if name == f"{HEADER_PREFIX}redrives" and value.isdigit():
            return int(value[:9])
    return 0


def _capped(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode("utf-8", "ignore")
