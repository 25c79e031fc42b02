"""How the records of each source become events: from the envelope that a record came in to our event.

A record's bytes become an event in three steps, all of them pure. First its format is found: what the configuration
says of its source, or with `auto` what the record itself shows. Then the envelope is taken off: what is left is one
JSON object, and what it leaves out of `type`, `event_id`, `occurred_at` and `source` the envelope may say. Where the
source carries another system's events, its mapping makes ours of that object. Last, the one strict reader (`decode`)
reads the result as it reads plain JSON, so that sizes, depths, odd numbers and keys that stand twice are the same
mistakes in every format.

Nothing here asks a network. Confluent's wire format names a schema by a number; who asks the registry for it stands in
front of the lane's source (`streams/prepared.py`) and lets no record through before the answer is there. A schema that
is missing here is therefore one that the registry does not know.

With `auto` a record is looked at for these, in this order: CloudEvents' content type (structured mode), CloudEvents'
headers (binary mode), a first byte of zero (Confluent), a `specversion` in the document (structured mode), Debezium's
envelopes; else it is plain JSON. What Confluent's format holds is looked at once more in the same way.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from consumer.core import cloudevents, confluent, debezium
from consumer.core.decode import Undecodable, document_of
from consumer.core.envelopes import Contents, Document, Schemas, misfit
from consumer.core.event_types import SHIPPED, EventTypes, Read
from consumer.core.model import Ignored, Record


class Format(StrEnum):
    """What the records of a source are wrapped in. AUTO finds it out for each record."""

    AUTO = "auto"
    JSON = "json"
    CLOUDEVENTS = "cloudevents"
    CONFLUENT = "confluent"
    DEBEZIUM = "debezium"


Translate = Callable[[Document, Record], Document | Undecodable | Ignored]
"""Another system's object becomes our event's."""


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """One source topic. `prefix` is taken off the types that envelopes say. `schemas` are those of the registry, None
    where there is no registry. `translate` is for sources that carry another system's events."""

    format: Format = Format.AUTO
    prefix: str = ""
    schemas: Schemas | None = field(default=None, repr=False)
    translate: Translate | None = field(default=None, repr=False)


class Opened(NamedTuple):
    """The record with the event's own bytes as its value, where there was an envelope, and the event."""

    record: Record
    event: Read


_USUAL = SourceFormat()
_MAY_BE_PLAIN = (Format.AUTO, Format.JSON)


class Formats:
    """The formats of all sources, by topic; what is not named is found out for each record."""

    def __init__(self, sources: Mapping[str, SourceFormat] | None = None, types: EventTypes = SHIPPED) -> None:
        self.types = types
        self._sources = dict(sources or {})

    def read(self, record: Record, bytes_limit: int) -> Opened:
        """The event of a record, or why there is none. Never raises, whatever the bytes are."""
        source = self._sources.get(record.position.topic, _USUAL)
        value = record.value
        if value is None or (len(value) > bytes_limit) or _is_plain(source, record, value):
            return Opened(record, self.types.decode(value, bytes_limit))
        taken = _Opening(source, record, bytes_limit).contents(value)
        if isinstance(taken, bytes):
            return Opened(replace(record, value=taken), self.types.decode(taken, bytes_limit))
        made = _made(source, record, taken)
        if not isinstance(made, bytes):
            return Opened(record, made)
        return Opened(replace(record, value=made), self.types.decode_written(made, bytes_limit))

    def is_plain(self, record: Record) -> bool:
        """Whether what the event says stands in the record's own bytes as it is."""
        source = self._sources.get(record.position.topic, _USUAL)
        return record.value is None or _is_plain(source, record, record.value)

    def wanted_schema(self, record: Record) -> int | None:
        """The number of the schema that the registry must be asked for before the record can be read."""
        source = self._sources.get(record.position.topic, _USUAL)
        if source.schemas is None or source.format not in (Format.AUTO, Format.CONFLUENT):
            return None
        number = confluent.schema_id(record.value)
        if number is None or number in source.schemas:
            return None
        return None if source.format is Format.AUTO and _in_headers(record) else number


PLAIN = Formats()


def _in_headers(record: Record) -> bool:
    return cloudevents.is_binary(record.headers) or cloudevents.is_structured(record.headers)


def _is_plain(source: SourceFormat, record: Record, value: bytes) -> bool:
    """Whether the value is our event as it stands; a look that costs next to nothing."""
    if source.translate is not None or source.format not in _MAY_BE_PLAIN:
        return False
    if source.format is not Format.AUTO:
        return True
    return not (value[:1] == confluent.MAGIC or _hints(value) or (record.headers and _in_headers(record)))


def _hints(value: bytes) -> bool:
    """Whether the document may be an envelope, so that it is worth reading."""
    return value[:2] == b'"{' or b'"specversion"' in value or b'"payload"' in value or b'"after"' in value


@dataclass(frozen=True, slots=True)
class _Opening:
    """One record's envelope, taken off."""

    source: SourceFormat
    record: Record
    bytes_limit: int

    def contents(self, value: bytes) -> Contents | bytes | Undecodable | Ignored:
        """What is in the envelope. Bytes: the value is plain JSON, and nobody has to look into it here."""
        match self.source.format:
            case Format.JSON:
                return self._foreign(value)
            case Format.CLOUDEVENTS:
                return self._cloudevent(value)
            case Format.CONFLUENT:
                return self._confluent(value)
            case Format.DEBEZIUM:
                return self._debezium(document_of(value, self.bytes_limit))
            case _:
                return self._found_out(value)

    def _foreign(self, value: bytes) -> Contents | Undecodable:
        document = document_of(value, self.bytes_limit)
        return document if isinstance(document, Undecodable) else _bare(document)

    def _found_out(self, value: bytes) -> Contents | bytes | Undecodable | Ignored:
        if _in_headers(self.record):
            return self._cloudevent(value)
        if value[:1] == confluent.MAGIC:
            return self._confluent(value)
        return self._looked_at(value)

    def _looked_at(self, value: bytes) -> Contents | bytes | Undecodable | Ignored:
        """A document that shows by itself whether it is an envelope."""
        if self.source.translate is None and not _hints(value):
            return value
        document = document_of(value, self.bytes_limit)
        if isinstance(document, Undecodable):
            return document
        if cloudevents.is_envelope(document):
            return cloudevents.structured_contents(document, self.bytes_limit, self.source.prefix)
        if debezium.is_envelope(document):
            return self._debezium(document)
        return value if self.source.translate is None else _bare(document)

    def _cloudevent(self, value: bytes) -> Contents | Undecodable:
        headers, limit, prefix = self.record.headers, self.bytes_limit, self.source.prefix
        if cloudevents.is_binary(headers) and not cloudevents.is_structured(headers):
            return cloudevents.binary_contents(headers, value, limit, prefix)
        refused = cloudevents.refused_structure(headers)
        if refused is not None:
            return refused
        document = document_of(value, limit)
        if isinstance(document, Undecodable):
            return document
        return cloudevents.structured_contents(document, limit, prefix)

    def _confluent(self, value: bytes) -> Contents | bytes | Undecodable | Ignored:
        text = confluent.text_of(value, self.source.schemas)
        return text if isinstance(text, Undecodable) else self._looked_at(text)

    def _debezium(self, document: Any) -> Contents | Undecodable | Ignored:
        if isinstance(document, Undecodable):
            return document
        return debezium.contents(document, self.record.headers, self.bytes_limit, self.source.prefix)


def _bare(document: Any) -> Contents | Undecodable:
    """What another system published without an envelope; some put every event into a list."""
    return Contents(document, {}) if isinstance(document, dict | list) else misfit("the document is no JSON object")


def _made(
    source: SourceFormat, record: Record, taken: Contents | Undecodable | Ignored
) -> bytes | Undecodable | Ignored:
    """Our event's own bytes."""
    if not isinstance(taken, Contents):
        return taken
    event = taken.event() if source.translate is None else source.translate(taken.body, record)
    if not isinstance(event, dict):
        return event
    # What is no Unicode stays none, for the strict reader to see.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
