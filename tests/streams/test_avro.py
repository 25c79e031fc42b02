"""Avro becomes the JSON that it is equal to, and neither bytes nor schemas can do harm."""

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.decode import Undecodable, decode
from consumer.core.formats import Formats, SourceFormat
from consumer.streams.avro import UnfitError, avro_unpack
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from tests.core.formats import events, record
from tests.streams.registries import EVENT_SCHEMA, ORDER_SCHEMA, avro, framed

LIMIT = 256 * 1024


def test_a_thousand_events_come_out_of_avro_as_they_went_in() -> None:
    formats = Formats({"shop.orders": SourceFormat(schemas={7: avro_unpack(EVENT_SCHEMA, [])})})
    for event in events(1000, seed=9):
        # Fields that the schema of the shop does not have stay behind.
        wanted = decode(json.dumps(event).encode(), LIMIT)
        found = formats.read(record(framed(7, avro(EVENT_SCHEMA, event))), LIMIT).event
        assert isinstance(found, Event)
        assert found == wanted


def _read(schema: Any, value: Any) -> Any:
    text = avro_unpack(schema, [])(avro(schema, value))
    assert isinstance(text, bytes)
    return json.loads(text)


def test_logical_types_are_written_as_events_have_them() -> None:
    moment = datetime(2026, 9, 1, 7, 15, tzinfo=UTC)
    id_ = UUID(int=7)
    written = {"type": "order_paid", "version": 1, "event_id": id_, "occurred_at": moment}
    wanted = {
        "type": "order_paid",
        "version": 1,
        "event_id": str(id_),
        "occurred_at": "2026-09-01T07:15:00+00:00",
    }
    assert _read(ORDER_SCHEMA, written) == wanted
    money = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
    assert _read(money, Decimal("2450.00")) == "2450.00"
    assert _read({"type": "int", "logicalType": "date"}, date(2026, 9, 9)) == "2026-09-09"


def test_a_type_may_be_named_again_and_stand_in_a_schema_of_its_own() -> None:
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "amount", "type": "string"}]}
    fields = [{"name": "total", "type": "shop.Money"}, {"name": "paid", "type": "Money"}]
    order = {"type": "record", "name": "Order", "namespace": "shop", "fields": fields}
    inline = order | {"fields": [{"name": "total", "type": money}, {"name": "paid", "type": "Money"}]}
    value = {"total": {"amount": "5"}, "paid": {"amount": "4"}}
    text = avro_unpack(order, [money])(avro(inline, value))
    assert isinstance(text, bytes)
    assert json.loads(text) == value


def _end(schema: Any, payload: bytes) -> Undecodable:
    found = avro_unpack(schema, [])(payload)
    assert isinstance(found, Undecodable)
    return found


@pytest.mark.parametrize(
    ("schema", "payload", "reason", "words"),
    [
        (EVENT_SCHEMA, b"", DeadReason.FORMAT, "do not fit"),
        (EVENT_SCHEMA, b"\xff" * 40, DeadReason.FORMAT, "do not fit"),
        ("string", b"\x02a\x00", DeadReason.FORMAT, "behind what the schema says"),
        ("string", b"\x02\xff", DeadReason.FORMAT, "do not fit"),
        ("bytes", b"\x02a", DeadReason.FORMAT, "bytes stand where"),
        ("double", b"\x00\x00\x00\x00\x00\x00\xf8\x7f", DeadReason.NUMBER, "JSON does not have"),
        (["null", "string"], b"\x08", DeadReason.FORMAT, "do not fit"),
    ],
)
def test_bytes_that_do_not_fit_have_a_reason(schema: Any, payload: bytes, reason: DeadReason, words: str) -> None:
    found = _end(schema, payload)
    assert found.reason is reason
    assert words in found.detail


def _chain(depth: int) -> Any:
    schema: Any = "string"
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def _record(*fields: Any) -> dict[str, Any]:
    named = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)]
    return {"type": "record", "name": "R", "fields": named}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (_record(["null", "R"]), "inside of itself"),
        (_record({"type": "map", "values": "R"}), "inside of itself"),
        ({"type": "array", "items": "null"}, "no end"),
        ({"type": "array", "items": _record("null", "null")}, "no end"),
        ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "no end"),
        (_record(_record("null") | {"name": "N"}, {"type": "array", "items": "N"}), "no end"),
        (_chain(40), "nested deeper"),
        ({"type": "enum", "name": "E", "symbols": ["x" * 300]}, "more than 256"),
    ],
)
def test_schemas_that_could_harm_the_reader_are_refused(schema: Any, words: str) -> None:
    with pytest.raises(UnfitError, match=words):
        avro_unpack(schema, [])


@pytest.mark.parametrize("schema", [7, "nonsense", {"type": "record", "name": "R"}, {"type": None}, {"fields": []}])
def test_what_is_no_schema_says_so(schema: Any) -> None:
    with pytest.raises(ValueError, match="no Avro schema"):
        avro_unpack(schema, [])


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_as_a_text_or_with_a_reason(payload: bytes) -> None:
    assert isinstance(avro_unpack(EVENT_SCHEMA, [])(payload), bytes | Undecodable)


def test_damaged_events_end_as_events_or_with_a_reason() -> None:
    dice = random.Random(5)
    formats = Formats({"shop.orders": SourceFormat(schemas={7: avro_unpack(EVENT_SCHEMA, [])})})
    for event in events(300, seed=10):
        payload = bytearray(avro(EVENT_SCHEMA, event))
        for _ in range(dice.randint(1, 4)):
            payload[dice.randrange(len(payload))] = dice.randrange(256)
        assert formats.read(record(framed(7, bytes(payload))), LIMIT).event is not None
