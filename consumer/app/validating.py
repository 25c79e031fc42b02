"""Events looked at as a lane would look at them, for those who publish them: what is wrong, and where."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from consumer.app.sources import Sources
from consumer.core.confluent import MAGIC
from consumer.core.decode import Undecodable
from consumer.core.formats import PLAIN, Formats
from consumer.core.mapping import UNMAPPED
from consumer.core.model import Ignored, Position, Record, Trouble
from consumer.core.templates import nearest
from schemas.dead_letter import DeadReason

if TYPE_CHECKING:
    from consumer.streams.settings import KafkaSettings

FILE_BYTES = 256 * 1024 * 1024
_POSITION = re.compile(r"([A-Za-z0-9._-]+):(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `place` as in order.delivery.title, or "" for the whole."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a lane would say of one event. `reason`: that of the dead letter or of passing over; "" when it is sound."""

    name: str
    event_type: str
    reason: str
    faults: tuple[Fault, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that should be an event, and where they stand; of a topic the whole record, with its headers."""

    name: str
    value: bytes | None
    record: Record | None = None

    def as_record(self, topic: str) -> Record:
        """The record; of a file one that might stand in that topic."""
        return self.record or Record(Position(topic, 0, 0), 0.0, None, self.value)


def position_of(source: str) -> Position | None:
    """topic:partition:offset, where the words are one and no file is called like that."""
    found = _POSITION.fullmatch(source)
    return Position(found[1], int(found[2]), int(found[3])) if found and not Path(source).exists() else None


def pieces(name: str, data: bytes) -> list[Piece]:
    """The events of a file: one as a whole, or one a line where every line by itself looks like one."""
    if data.startswith(MAGIC):
        # Confluent's wire format: its last byte may look like a line's end.
        return [Piece(name, data)]
    lines = [line for line in data.split(b"\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines):
        numbered = enumerate(data.split(b"\n"), 1)
        return [Piece(f"{name}:{number}", line.strip()) for number, line in numbered if line.strip()]
    # A line's end behind the event is the file's and not the event's.
    return [Piece(name, data.rstrip(b"\r\n"))]


async def fetched(settings: "KafkaSettings", position: Position, sources: Sources) -> Piece | Trouble:
    """The record at a position of a topic, and its schema where it needs one."""
    from consumer.streams.reading import read_one  # noqa: PLC0415

    record = await read_one(settings, position)
    if isinstance(record, Trouble):
        return record
    name = f"{position.topic}:{position.partition}:{position.offset}"
    return await sources.learn([record]) or Piece(name, record.value, record)


def judged(piece: Piece, bytes_limit: int, formats: Formats = PLAIN, topic: str = "") -> Verdict:
    """What a lane would say of it, with the formats and mappings of its sources."""
    opened = formats.read(piece.as_record(topic), bytes_limit)
    made, value = opened.event, opened.record.value
    if isinstance(made, Ignored):
        return _passed_over(piece, made, value, formats)
    if isinstance(made, Undecodable):
        asked = made.reason in (DeadReason.SCHEMA, DeadReason.UNKNOWN_VERSION)
        faults = tuple(_faults(value or b"", formats)) if asked else (Fault("", made.detail),)
        return Verdict(piece.name, _type_of(value), made.reason.value, faults)
    return Verdict(piece.name, made.type, "")


def _passed_over(piece: Piece, made: Ignored, value: bytes | None, formats: Formats) -> Verdict:
    if made.reason == "unknown_type":
        return _unknown(piece.name, value, formats)
    return Verdict(piece.name, "", made.reason, _UNMAPPED if made.reason == UNMAPPED else _TOMBSTONE)


_TOMBSTONE = (Fault("", "no value: a tombstone, which lanes pass over"),)
_UNMAPPED = (Fault("", "the mapping of its source has nothing for it, so that lanes pass over it"),)


def _unknown(place: str, value: bytes | None, formats: Formats) -> Verdict:
    name = _type_of(value)
    hint = nearest(name, list(formats.types.models))
    return Verdict(place, name, "unknown_type", (Fault("type", f'there is no event "{name}"; {hint}'),))


def _type_of(value: bytes | None) -> str:
    """The type as it stands there; only to name it."""
    try:
        document = json.loads(value or b"")
    except (ValueError, RecursionError):
        return ""
    said = document.get("type") if isinstance(document, dict) else None
    return said if isinstance(said, str) else ""


def _faults(value: bytes, formats: Formats) -> Iterator[Fault]:
    """Each thing that the schema has against it, in words."""
    try:
        formats.types.events.validate_json(value)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            yield Fault(".".join(str(step) for step in error["loc"][1:]), _words(error))


def _words(error: ErrorDetails) -> str:
    """Pydantic's words, and ours where a publisher would not know what to do with them."""
    given, pattern = error["input"], str(error.get("ctx", {}).get("pattern", ""))
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "union_tag_not_found":
        return 'has no "type", such as "order.paid"'
    if error["type"] == "string_type" and isinstance(given, int | float):
        return f'must be a text: "{given}" with quotes, not {json.dumps(given)}'
    if error["type"] == "string_pattern_mismatch" and "[Tt]" in pattern:
        return "must be a time with its offset, as in 2026-09-01T10:15:00+03:00"
    if error["type"] == "string_pattern_mismatch" and r"(\.[0-9]" in pattern:
        return 'must be an amount of money as a text, as in "2450.00"'
    return error["msg"][:1].lower() + error["msg"][1:]
