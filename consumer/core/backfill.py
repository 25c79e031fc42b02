"""Old records on their way to a lane once more: what `vestnik replay` and redrives write into its backfill topic.

The record is as the original was, byte for byte; where and when it first stood, and what is asked of it, stands in
headers of ours. Only the lane's own backfill topic is read this way: a shop's topic cannot carry them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import isfinite
from typing import TypeVar

from consumer.core.model import Position, Record
from schemas.dead_letter import HEADER_PREFIX

Headers = tuple[tuple[str, bytes], ...]
T = TypeVar("T")

BACKFILL_PREFIX = "vestnik.backfill."
"""A lane's backfill topic is this and the lane's id."""

ID_BYTES = 12
_REPLAY = HEADER_PREFIX + "replay"
_TOPIC = HEADER_PREFIX + "topic"
_PARTITION = HEADER_PREFIX + "partition"
_OFFSET = HEADER_PREFIX + "offset"
_TIMESTAMP = HEADER_PREFIX + "timestamp"
_ROUTES = HEADER_PREFIX + "routes"
_AGAIN = HEADER_PREFIX + "again"
_EXTEND_TTL = HEADER_PREFIX + "extend-ttl"
_REVIVE = HEADER_PREFIX + "revive"
_REDRIVES = HEADER_PREFIX + "redrives"
_LETTER = HEADER_PREFIX + "letter"


@dataclass(frozen=True, slots=True)
class Backfilled:
    """An old record, and what is asked of it.

    `record`    as it first stood: its own position, timestamp in seconds, key, value and headers.
    `replay`    the id of the replay or redrive that brings it.
    `routes`    only these tell anybody; empty is all.
    `again`     also who was told: the replay's id is mixed into the command ids, so that they are new ones.
    `extend_ttl_seconds`  is added to every ttl; the lane's memory bounds the deadline all the same.
    `revive`    ids of commands that have ended without telling anybody (expired, refused) and may try once more. Each
                becomes the command `next_life(id)`, whoever revives it, so that two replays tell nobody twice.
    `redrives`  how often it came out of the dead letters.
    `letter`    the id of the dead letter that it was, so that nobody redrives that one again.
    """

    record: Record
    replay: str
    routes: frozenset[str] = frozenset()
    again: bool = False
    extend_ttl_seconds: float = 0.0
    revive: frozenset[bytes] = frozenset()
    redrives: int = 0
    letter: str = ""

    def to_headers(self) -> Headers:
        """The headers of its record in the backfill topic; those of the original that are not ours come first."""
        position = self.record.position
        texts = {
            _REPLAY: self.replay,
            _TOPIC: position.topic,
            _PARTITION: str(position.partition),
            _OFFSET: str(position.offset),
            _TIMESTAMP: repr(self.record.timestamp),
            _ROUTES: ",".join(sorted(self.routes)),
            _AGAIN: "1" if self.again else "",
            _EXTEND_TTL: repr(self.extend_ttl_seconds) if self.extend_ttl_seconds else "",
            _REVIVE: ",".join(sorted(id_.hex() for id_ in self.revive)),
            _REDRIVES: str(self.redrives) if self.redrives else "",
            _LETTER: self.letter,
        }
        own = tuple((name, text.encode()) for name, text in texts.items() if text)
        return _foreign(self.record.headers) + own

    def settled_id(self, id_: bytes) -> bytes:
        """The id that a command of this record goes by: its own, or that of its next life."""
        for _ in self.revive:
            if id_ not in self.revive:
                break
            id_ = next_life(id_)
        return id_


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record of a backfill topic whose headers make no sense; `detail` names the header."""

    detail: str


def next_life(id_: bytes) -> bytes:
    """The command that a command becomes which has ended without telling anybody, and may try once more."""
    return blake2b(id_, digest_size=ID_BYTES, person=b"next life").digest()


def is_backfilled(record: Record) -> bool:
    """Whether a record *of a backfill topic* is an old one, not a message of `vestnik send` or a note of ours."""
    return any(name == _OFFSET for name, _ in record.headers)


def backfilled_of(record: Record) -> Backfilled | Malformed:
    """What stands in a record of a backfill topic for which `is_backfilled` holds."""
    headers = dict(record.headers)
    try:
        position = Position(_read(headers, _TOPIC, str), _read(headers, _PARTITION, int), _read(headers, _OFFSET, int))
        timestamp = _read(headers, _TIMESTAMP, _seconds)
        extend_ttl_seconds = _read(headers, _EXTEND_TTL, _seconds, "0")
        revive = _read(headers, _REVIVE, _ids, "")
        redrives = _read(headers, _REDRIVES, int, "0")
        routes = _read(headers, _ROUTES, _words, "")
        replay = _read(headers, _REPLAY, str)
        letter = _read(headers, _LETTER, str, "")
    except _MalformedError as error:
        return Malformed(error.args[0])
    original = replace(record, position=position, timestamp=timestamp, headers=_foreign(record.headers))
    return Backfilled(original, replay, routes, _AGAIN in headers, extend_ttl_seconds, revive, redrives, letter)


def original_of(record: Record, backfill: str) -> Record:
    """The record as it first stood, where it comes from the topic `backfill` and is an old one; else itself. Its
    headers keep the count of redrives, so that a dead letter has it."""
    if record.position.topic != backfill or not is_backfilled(record):
        return record
    found = backfilled_of(record)
    if isinstance(found, Malformed):
        return record
    counted = tuple(pair for pair in record.headers if pair[0] == _REDRIVES)
    return replace(found.record, headers=found.record.headers + counted)


class _MalformedError(Exception):
    """Which header makes no sense."""


def _read(headers: Mapping[str, bytes], name: str, reader: Callable[[str], T], default: str | None = None) -> T:
    value = headers.get(name)
    text = default if value is None else value.decode("utf-8", "replace")
    if text is None:
        raise _MalformedError(f"{name} is missing")
    try:
        return reader(text)
    except ValueError:
        raise _MalformedError(f"{name} makes no sense") from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not isfinite(seconds) or seconds < 0:
        raise ValueError
    return seconds


def _ids(text: str) -> frozenset[bytes]:
    ids = frozenset(bytes.fromhex(each) for each in text.split(",") if each)
    if any(len(id_) != ID_BYTES for id_ in ids):
        raise ValueError
    return ids


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) - {""}


def _foreign(headers: Iterable[tuple[str, bytes]]) -> Headers:
    return tuple(pair for pair in headers if not pair[0].startswith(HEADER_PREFIX))
