"""Which events a replay is about."""

import json
from typing import Any

import pytest

from consumer.core.decode import decode
from consumer.core.replay_selection import Selection
from schemas.envelope import Event
from tests.core.planning import bonus, order


def event(document: dict[str, Any]) -> Event:
    found = decode(json.dumps(document).encode(), 1 << 20)
    assert isinstance(found, Event)
    return found


def only(**names: str) -> Selection:
    return Selection(**{name: frozenset(value.split("|")) for name, value in names.items()})


@pytest.mark.parametrize(
    ("selection", "orders", "bonuses"),
    [
        (Selection(), True, True),
        (only(types="order.ready_for_pickup|order.paid"), True, False),
        (only(types="order.paid"), False, False),
        (only(customers="123"), True, True),
        (only(customers="124"), False, False),
        (only(customers="+7 999 123-45-67"), True, True),
        (only(customers="+7 999 123-45-68"), False, False),
        (only(orders="05671863"), True, False),
        (only(orders="М-428"), True, False),
        (only(orders="1"), False, False),
        (only(orders="05671863", customers="124"), False, False),
        (only(types="bonus.accrued", customers="123"), False, True),
    ],
)
def test_what_is_named_is_found_and_nothing_else(selection: Selection, orders: bool, bonuses: bool) -> None:
    assert (selection.has(event(order())), selection.has(event(bonus()))) == (orders, bonuses)
    for document, found in ((order(), orders), (bonus(), bonuses)):
        raw = json.dumps(document, ensure_ascii=False).encode()
        assert selection.may_have(raw) or not found
        assert selection.may_have(json.dumps(document).encode()) or not found


def test_the_cheap_look_passes_over_what_cannot_be_meant() -> None:
    raw = json.dumps(order(), ensure_ascii=False).encode()
    assert not only(types="order.paid").may_have(raw)
    assert not only(customers="124").may_have(raw)
    assert only(types="order.paid").may_have(raw.replace(b"order.", b"order\\u002e"))
    assert Selection().may_have(None)
    assert not only(types="order.paid").may_have(None)


def test_an_event_without_a_customer_is_nobody_s() -> None:
    assert not only(customers="123").has(event(order(customer=None)))
    assert only(customers="123").has(event(order(customer__phone=None)))
