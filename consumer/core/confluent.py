"""Confluent's wire format: a zero, the number of a schema in four bytes, and then what was written with that schema.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from consumer.core.decode import Undecodable
from consumer.core.envelopes import Schemas, misfit
from schemas.dead_letter import DeadReason

MAGIC = b"\0"
_HEAD_BYTES = 5


def schema_id(value: bytes | None) -> int | None:
    """The schema's number; None where the bytes are in another format."""
    if value is None or len(value) < _HEAD_BYTES or value[:1] != MAGIC:
        return None
    return int.from_bytes(value[1:_HEAD_BYTES], "big")


def text_of(value: bytes, schemas: Schemas | None) -> bytes | Undecodable:
    """The JSON text that the record holds or is equal to. Without a registry it must be JSON."""
    number = schema_id(value)
    if number is None:
        return misfit("Confluent: no zero and schema number at the beginning")
    payload = value[_HEAD_BYTES:]
    if schemas is None:
        if payload[:1] not in (b"{", b'"'):
            return misfit("Confluent: the payload is no JSON, and no schema registry is configured for its source")
        return payload
    unpack = schemas.get(number)
    if unpack is None:
        return Undecodable(DeadReason.UNKNOWN_SCHEMA, f"the registry has no schema {number}")
    return unpack(payload)
