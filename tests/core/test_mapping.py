"""A mapping makes our event of another system's, or says why not."""

from typing import Any

import pytest

from consumer.core.decode import Undecodable
from consumer.core.document import read_document
from consumer.core.event_types import SHIPPED
from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.mapping import UNMAPPED, Translator, roots_of
from consumer.core.mapping_check import LoadedMapping, MappingText, read_mapping
from consumer.core.mapping_file import MappingFile
from consumer.core.model import Ignored, Position, Record
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from tests.core.formats import record

LIMIT = 256 * 1024
TEXT = """
about: a shop of our own making
where: body.kind == 'order'
type:
  from: headers."x-topic"
  table: {orders/paid: order.paid, orders/sent: order.shipped, "true": order.created}
fields:
  event_id: body.uid
  occurred_at: {from: body.at, as: time, zone: Europe/Moscow}
  shop: {value: ducky}
  customer.id: {from: body.buyer.id, as: text}
  customer.phone: {from: "body.buyer.phone || key", as: phone}
  order.id: {from: body.number, as: text}
  order.status: {from: body.state, table: {P: paid, S: shipped}, otherwise: other}
  order.source_status: {from: body.state, table: {P: paid}}
  order.items_count: {from: "length(body.lines)"}
  order.responsible_user_ids: {from: body.staff, as: integers}
"""
BODY: dict[str, Any] = {
    "kind": "order",
    "uid": "u-1",
    "at": "2026-09-01 10:15:00",
    "buyer": {"id": 123, "phone": "8 (999) 123-45-67"},
    "number": 4711,
    "state": "P",
    "lines": [{}, {}],
    "staff": [17, "24"],
}


def translator(text: str = TEXT) -> Translator:
    mapping = read_document(text, "mapping.yaml", MappingFile)
    assert isinstance(mapping, MappingFile), mapping
    return Translator(mapping)


def foreign(topic: str = "orders/paid", **changes: Any) -> tuple[Any, Record]:
    return BODY | changes, record(b"{}", (("X-Topic", topic.encode()),))


def test_another_systems_event_becomes_ours_field_by_field() -> None:
    assert translator()(*foreign()) == {
        "type": "order.paid",
        "version": 1,
        "event_id": "u-1",
        "occurred_at": "2026-09-01T10:15:00+03:00",
        "shop": "ducky",
        "customer": {"id": "123", "phone": "79991234567"},
        "order": {
            "id": "4711",
            "status": "paid",
            "source_status": "paid",
            "items_count": 2,
            "responsible_user_ids": [17, 24],
        },
    }


def test_words_that_are_not_in_a_table_are_left_out_or_are_something_else() -> None:
    made = translator()(*foreign(state="X", staff=None))
    assert isinstance(made, dict)
    assert made["order"] == {"id": "4711", "status": "other", "items_count": 2}


def test_what_the_mapping_is_not_for_is_nothing_to_us() -> None:
    made = translator()
    assert made(*foreign(kind="product")) == Ignored(UNMAPPED)
    assert made(*foreign("orders/edited")) == Ignored(UNMAPPED)
    assert made([1, 2], foreign()[1]) == Ignored(UNMAPPED)


def test_a_word_that_must_be_known_is_a_dead_letter_where_it_is_not() -> None:
    made = translator(TEXT.replace("table: {orders", "otherwise: refuse\n  table: {orders"))
    assert made(*foreign("orders/edited")) == Undecodable(DeadReason.MAPPING, "type: their word is not in the table")


def test_one_type_may_be_said_for_all() -> None:
    start, end = TEXT.index("type:"), TEXT.index("fields:")
    made = translator(TEXT[:start] + "type: order.paid\n" + TEXT[end:])(*foreign("anything"))
    assert isinstance(made, dict)
    assert made["type"] == "order.paid"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"at": "soon"}, "occurred_at: what is found cannot be written as time"),
        ({"uid": {"a": 1}}, "event_id: what is found is no single value"),
        ({"uid": ["a"]}, "event_id: what is found is no single value"),
        ({"uid": "x" * 5000}, "event_id: more than 4096 characters"),
        ({"lines": 7}, "order.items_count: its expression fails (JMESPathTypeError)"),
    ],
)
def test_a_value_that_does_not_fit_is_a_dead_letter_that_names_the_field(changes: dict[str, Any], detail: str) -> None:
    assert translator()(*foreign(**changes)) == Undecodable(DeadReason.MAPPING, detail)


def test_a_truth_is_a_word_for_a_table_too() -> None:
    made = translator(TEXT.replace('headers."x-topic"', "body.fresh"))(*foreign(fresh=True))
    assert isinstance(made, dict)
    assert made["type"] == "order.created"


def test_expressions_see_the_records_time_topic_and_key() -> None:
    text = TEXT.replace("event_id: body.uid", "event_id: key\n  source: topic").replace("body.at, as", "time, as")
    made = translator(text)(*foreign())
    assert isinstance(made, dict)
    assert (made["event_id"], made["source"]) == ("123", "shop.orders")
    assert made["occurred_at"] == "2026-09-01T07:15:05+00:00"
    nowhen = Record(Position("shop.orders", 0, 0), 1e15, None, b"{}", (("x-topic", b"orders/paid"),))
    made = translator(text)(BODY, nowhen)
    assert isinstance(made, dict)
    assert "occurred_at" not in made
    assert "event_id" not in made


def test_a_mapped_source_gives_events() -> None:
    loaded = read_mapping(MappingText("mapping.yaml", TEXT, {}), SHIPPED)
    assert isinstance(loaded, LoadedMapping), loaded
    formats = Formats({"shop.orders": SourceFormat(Format.JSON, translate=loaded.translate)})
    found = formats.read(record(BODY, (("x-topic", b"orders/sent"),)), LIMIT).event
    assert isinstance(found, Event)
    assert found.type == "order.shipped"


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        ("body.a", ["body"]),
        ("(body.a || header).b", ["body", "header"]),
        ("body.a[?b == `1`].c | [0]", ["body"]),
        ("sum(body.a[].b)", ["body"]),
        ("{a: body.x, b: key}.a", ["body", "key"]),
        ("max_by(body.a, &b)", ["body"]),
        ("`1`", []),
    ],
)
def test_the_names_that_an_expression_begins_with_are_known(source: str, roots: list[str]) -> None:
    assert list(roots_of(source)) == roots
