"""Bytes to an event, or to the reason why they are none; any bytes whatever end in one of the two.

The event is read by one parser from the bytes themselves. A second, strict reading looks for what that parser would
pass over in silence: keys that stand twice, and numbers that are none. Most events are spared it (`all_told`).
"""

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from consumer.core.model import Ignored
from consumer.core.told import all_told
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from schemas.events import ANY_EVENT

DEPTH_LIMIT = 32
# What a value costs as an object has nothing to do with its two bytes in a text: `[]` is forty times larger.
VALUES_LIMIT = 100_000
# So much is read at once; what is larger is looked at first, so that it costs no more than its bytes.
USUAL_BYTES = 16 * 1024
_NUMBER_CHARACTERS = 19
_NUMBER_LIMIT = 2**63
_ERRORS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why bytes are no event. `detail` names fields and rules, never values."""

    reason: DeadReason
    detail: str = ""


def decode(
    value: bytes | None, bytes_limit: int, events: TypeAdapter[Event] = ANY_EVENT
) -> Event | Undecodable | Ignored:
    """The event that the bytes are. Ignored: a tombstone, or a type that we do not know. `events`: those that there
    are."""
    if value is None:
        return Ignored("tombstone")
    if len(value) > bytes_limit:
        return Undecodable(DeadReason.OVERSIZE, f"{len(value)} bytes, more than {bytes_limit}")
    if len(value) > USUAL_BYTES:
        return _suspicion(value) or _validated(value, events)
    made = _validated(value, events)
    sure = isinstance(made, Event) and all_told(value, made)
    return made if sure else _suspicion(value) or made


def decode_written(value: bytes, bytes_limit: int, events: TypeAdapter[Event]) -> Event | Undecodable | Ignored:
    """The same for JSON that was written here, of a document that was read as strictly: it is not read twice."""
    if len(value) > bytes_limit:
        return Undecodable(DeadReason.OVERSIZE, f"{len(value)} bytes, more than {bytes_limit}")
    return _validated(value, events)


def document_of(value: bytes, bytes_limit: int) -> Any:
    """Bytes that are JSON and not yet an event of ours, read as strictly, as plain data; or Undecodable."""
    if len(value) > bytes_limit:
        return Undecodable(DeadReason.OVERSIZE, f"{len(value)} bytes, more than {bytes_limit}")
    return _document(value)


def _suspicion(value: bytes) -> Undecodable | None:
    document = _document(value)
    return document if isinstance(document, Undecodable) else None


def _document(value: bytes) -> Any:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return Undecodable(DeadReason.INVALID_JSON, f"not UTF-8 at byte {error.start}")
    if _too_deep(value):
        return Undecodable(DeadReason.DEPTH, f"nested deeper than {DEPTH_LIMIT}")
    if len(value) > VALUES_LIMIT and sum(value.count(mark) for mark in _MARKS) > VALUES_LIMIT:
        return Undecodable(DeadReason.OVERSIZE, f"more than {VALUES_LIMIT} values")
    try:
        return _STRICT_JSON.decode(text)
    except _StrangeError as strange:
        return Undecodable(strange.reason, strange.detail)
    except json.JSONDecodeError as error:
        return Undecodable(DeadReason.INVALID_JSON, f"{error.msg} at character {error.pos}")


# One of these stands before or in every value but the first; those in texts count too, and nobody writes so many.
_MARKS = (b",", b":", b"[", b"{")

# A string that is never closed runs to the end, so that the walk stays linear whatever comes.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def _too_deep(value: bytes) -> bool:
    if value.count(b"{") + value.count(b"[") <= DEPTH_LIMIT:
        return False
    depth = 0
    # A text that is JSON so far has no more tokens than this before it has too many values.
    for match in islice(_TOKEN.finditer(value), 3 * VALUES_LIMIT + 1):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
            if depth > DEPTH_LIMIT:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False


class _StrangeError(Exception):
    """JSON by the letter, and yet nothing that two readers would understand alike."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _StrangeError(DeadReason.DUPLICATE_KEY, "a key stands twice in one object")
    return members


def _integer(text: str) -> int:
    if len(text) > _NUMBER_CHARACTERS + 1 or not -_NUMBER_LIMIT <= (number := int(text)) < _NUMBER_LIMIT:
        raise _StrangeError(DeadReason.NUMBER, "an integer of more than 64 bits")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _StrangeError(DeadReason.NUMBER, "a number too large for a double")
    return number


def _constant(text: str) -> NoReturn:
    raise _StrangeError(DeadReason.NUMBER, f"{text} is not JSON")


_STRICT_JSON = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)


def _validated(value: bytes, events: TypeAdapter[Event]) -> Event | Undecodable | Ignored:
    try:
        event: Event = events.validator.validate_json(value)
    except ValidationError as invalid:
        # Without the input: it may be somebody's phone.
        return _explained(invalid.errors(include_url=False, include_input=False, include_context=False))
    return event


def _explained(errors: list[ErrorDetails]) -> Undecodable | Ignored:
    first = errors[0]["type"]
    if first == "union_tag_invalid":
        return Ignored("unknown_type")
    if first == "json_invalid":
        return Undecodable(DeadReason.INVALID_JSON, "not JSON to a strict reader")
    detail = "; ".join(f"{_place(error)}: {error['type']}" for error in errors[:_ERRORS_TOLD])
    version = any(error["loc"][1:] == ("version",) and error["type"] in _OTHER_VERSION for error in errors)
    return Undecodable(DeadReason.UNKNOWN_VERSION if version else DeadReason.SCHEMA, detail)


_OTHER_VERSION = ("greater_than_equal", "less_than_equal")


def _place(error: ErrorDetails) -> str:
    return ".".join(str(step) for step in error["loc"][1:]) or "event"
