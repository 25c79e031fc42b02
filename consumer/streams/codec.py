"""Journal records as bytes and back; what cannot be read is a value."""

from typing import get_args

from pydantic import TypeAdapter, ValidationError

from consumer.core.ports import Unreadable
from schemas.journal import JOURNAL_RECORD
from schemas.journal import AnyRecord as Entryable

__all__ = ["Entryable", "decoded", "encoded"]


# A union's writer asks each of its kinds; which one it is we know.
_WRITERS = {kind: TypeAdapter(kind).serializer for kind in get_args(Entryable)}


def encoded(record: Entryable) -> bytes:
    """The record as one line of JSON, UTF-8."""
    return _WRITERS[type(record)].to_json(record)


def decoded(value: bytes | None) -> Entryable | Unreadable:
    """The record, or why it is none: `tombstone`, or the kind and place of the first error without any value."""
    if value is None:
        return Unreadable("tombstone")
    try:
        return JOURNAL_RECORD.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        return Unreadable(f"{first['type']} at {place}" if place else first["type"])
