"""What somebody asks for is found in whatever form it stands."""

import json
from typing import Any

import pytest

from consumer.core.decode import decode
from consumer.core.model import Position, Record
from consumer.core.story_subject import Kind, Subject
from schemas.envelope import Event
from tests.core.planning import bonus, order, record


def event(document: dict[str, Any]) -> Event:
    found = decode(json.dumps(document).encode(), 100_000)
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("term", "document", "kind"),
    [
        ("e-1", order(), Kind.EVENT),
        ("05671863", order(), Kind.ORDER),
        ("М-428", order(), Kind.ORDER),
        ("05671863", bonus(), Kind.ORDER),
        ("b-77", bonus(), Kind.OPERATION),
        ("123", order(), Kind.CUSTOMER),
        ("i-9", order(customer__install_id="i-9"), Kind.CUSTOMER),
        ("+7 999 123-45-67", order(), Kind.CUSTOMER),
        ("79991234567", bonus(), Kind.CUSTOMER),
        ("+7 999 123-45-68", order(), None),
        ("79991234567", order(customer=None), None),
        ("12", order(), None),
    ],
)
def test_an_event_names_the_term_as_what_it_is(term: str, document: dict[str, Any], kind: Kind | None) -> None:
    assert Subject.of(term).kind_in(event(document)) is kind


@pytest.mark.parametrize(
    ("term", "value", "may"),
    [
        ("М-428", json.dumps(order()).encode(), True),
        ("М-428", json.dumps(order(), ensure_ascii=False).encode(), True),
        ("М-428", json.dumps(order()).replace("\\u041c", "\\u041C").encode(), True),
        ("A/12", rb'{"id":"A\/12"}', True),
        ("A/12", b'{"id":"A/12"}', True),
        ("A/12", b'{"id":"A/13"}', False),
        ("89991234567", b"whatever", True),
        ("A/12", None, False),
    ],
)
def test_a_record_without_the_term_in_its_bytes_need_not_be_read(term: str, value: bytes | None, may: bool) -> None:
    assert Subject.of(term).may_be_in(Record(Position("shop.orders", 0, 0), 0.0, None, value)) is may


def test_a_records_key_is_enough() -> None:
    assert Subject.of("123").may_be_in(record(b"broken"))
    assert Subject.of("123").is_key_of(record(b"broken"))
    assert not Subject.of("12").is_key_of(record(b"broken"))


def test_a_command_and_a_place_are_known_by_their_shape() -> None:
    assert Subject.of("0123456789ABCDEF01234567").command == "0123456789abcdef01234567"
    assert Subject.of("0123").command is None
    assert Subject.of("shop.orders:2:7").position == Position("shop.orders", 2, 7)
    assert Subject.of("shop.orders/2/7").position == Position("shop.orders", 2, 7)
    assert Subject.of("shop.orders").position is None


def test_somebody_may_be_named_by_a_phone_too() -> None:
    assert Subject.of("8 999 123-45-67").recipients == {"8 999 123-45-67", "79991234567"}
    assert Subject.of("123").recipients == {"123"}
