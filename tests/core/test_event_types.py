"""Former versions of an event are lifted to the present one; later ones are dead letters."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from consumer.core.decode import Undecodable
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.model import Ignored
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from schemas.events import EVENT_TYPES
from schemas.order import Order, OrderEvent
from schemas.upcasters import UPCASTERS, Document, current_version, upcast
from tests.core.planning import order

LIMIT = 256 * 1024


class Paid3(OrderEvent):
    """`order.paid` as it may be one day: version 2 has renamed a field, version 3 has made one of two."""

    type: Literal["order.paid"]
    version: Annotated[int, Field(ge=3, le=3)]
    order: Order
    paid_by: str


def _to_2(event: Document) -> Document:
    payment = event["order"].get("payment") or {}
    return {**event, "how": payment.get("method", "unknown")}


def _to_3(event: Document) -> Document:
    return {name: value for name, value in event.items() if name != "how"} | {"paid_by": event["how"]}


TABLE = {("order.paid", 1): _to_2, ("order.paid", 2): _to_3}
TYPES = EventTypes({"order.paid": Paid3}, TABLE)


def decoded(types: EventTypes = TYPES, **changes: Any) -> object:
    return types.decode(json.dumps(order(type="order.paid", **changes)).encode(), LIMIT)


@pytest.mark.parametrize(("version", "more"), [(1, {}), (2, {"how": "card"}), (3, {"paid_by": "card"})])
def test_every_former_version_is_read_as_the_present_one(version: int, more: dict[str, Any]) -> None:
    found = decoded(version=version, **more)
    assert isinstance(found, Paid3)
    assert (found.version, found.paid_by) == (3, "card")


@pytest.mark.parametrize("version", [0, 4, 2**40, -1])
def test_a_version_of_the_future_or_of_no_time_is_a_dead_letter(version: int) -> None:
    found = decoded(version=version, paid_by="card")
    assert isinstance(found, Undecodable)
    assert found.reason is DeadReason.UNKNOWN_VERSION


def test_a_version_without_a_way_to_the_present_is_a_dead_letter() -> None:
    for types in (EventTypes({"order.paid": Paid3}, {("order.paid", 2): _to_3}), EventTypes({"order.paid": Paid3}, {})):
        found = decoded(types, version=1)
        assert isinstance(found, Undecodable)
        assert found.reason is DeadReason.UNKNOWN_VERSION


def test_what_is_wrong_in_a_former_version_is_wrong_in_the_present_one() -> None:
    found = decoded(version=1, order__id=7)
    assert isinstance(found, Undecodable)
    assert (found.reason, found.detail) == (DeadReason.SCHEMA, "order.id: string_type")


def test_lifting_changes_no_document_and_needs_a_type_and_a_version() -> None:
    event = {"type": "order.paid", "version": 1, "order": {}}
    assert upcast(event, 3, TABLE) == {"type": "order.paid", "version": 3, "order": {}, "paid_by": "unknown"}
    assert event == {"type": "order.paid", "version": 1, "order": {}}
    for odd in (
        {"version": 1},
        {"type": "order.paid"},
        {"type": "order.paid", "version": True},
        {"type": 7, "version": 1},
    ):
        assert upcast(odd, 3, TABLE) is None


def test_the_events_of_today_are_all_of_their_first_version_and_need_no_lifting() -> None:
    assert {current_version(model) for model in EVENT_TYPES.values()} == {1}
    assert UPCASTERS == {}
    made = SHIPPED.decode(json.dumps(order()).encode(), LIMIT)
    assert isinstance(made, Event)
    assert SHIPPED.decode(None, LIMIT) == Ignored("tombstone")


def test_bytes_that_no_strict_reader_takes_are_not_lifted() -> None:
    twice = (
        json.dumps(order(type="order.paid", version=1)).encode().replace(b'"version": 1', b'"version": 1, "version": 1')
    )
    found = TYPES.decode(twice, LIMIT)
    assert isinstance(found, Undecodable)
    assert found.reason is DeadReason.DUPLICATE_KEY
