"""What every envelope has in common: one JSON object in it, and what the envelope itself says of the event."""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from consumer.core.decode import Undecodable
from schemas.dead_letter import DeadReason

Document = dict[str, Any]
Unpack = Callable[[bytes], bytes | Undecodable]
"""Bytes that were written with a schema, as the text of a JSON document."""

Schemas = Mapping[int, Unpack]
"""By the number that a schema registry has given them. What is missing the registry does not know."""

FIRST_VERSION = 1
_IDENTIFIER = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,128}")
_WORD_CHARACTERS = 64
_HASH_BYTES = 16


class Contents(NamedTuple):
    """The object that an envelope held, and the fields of an event that the envelope says itself: `type`, `event_id`,
    `occurred_at`, `source`, `shop`. Only for a mapping it may be a list."""

    body: Any
    said: Mapping[str, str]

    def event(self) -> Document:
        """The object with what it leaves out filled in. Without a version it is the first one."""
        said = {"version": FIRST_VERSION, **self.said}
        body: Document = self.body
        missing = {name: value for name, value in said.items() if body.get(name) is None}
        return body | missing if missing else body


def misfit(detail: str) -> Undecodable:
    """Bytes that are not in the format that they claim to be in."""
    return Undecodable(DeadReason.FORMAT, detail)


def identifier(text: str) -> str:
    """An id as our events may have one: as it is, or its hash where it has spaces in it or more than 128 characters."""
    return text if _IDENTIFIER.fullmatch(text) else _hash(text)


def word(text: str) -> str:
    """A source as our events may have one: as it is, or its beginning and a hash where it is longer."""
    if len(text) <= _WORD_CHARACTERS:
        return text
    tail = _hash(text)
    return f"{text[: _WORD_CHARACTERS - len(tail) - 1]}~{tail}"


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).hexdigest()


def without_prefix(name: str, prefix: str) -> str:
    """The name of a type as our events have it: `com.example.order.paid` is `order.paid` to who says the prefix."""
    return name.removeprefix(prefix)
