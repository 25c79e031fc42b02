"""An event that tells all of its text needs no second reading; whatever leaves a doubt is read again."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast, get_args

import pytest
from pydantic import create_model

from consumer.core.decode import decode
from consumer.core.fields import kinds
from consumer.core.told import all_told
from schemas.envelope import Event, Part
from schemas.events import ANY_EVENT, EVENT_TYPES
from tests.core.planning import bonus, order

GOOD = json.dumps(order(), ensure_ascii=False).encode()
PLACE = b'"items_count": 3'


def told(text: bytes) -> bool:
    return all_told(text, ANY_EVENT.validate_json(text))


@pytest.mark.parametrize("event", [order(), bonus(), order(event_id=..., customer=None), bonus(bonus__reason=':":"')])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_usual_event_needs_no_second_reading(event: dict[str, Any], indent: int | None) -> None:
    quotes = event.get("bonus", {}).get("reason") == ':":"'
    assert told(json.dumps(event, indent=indent).encode()) is not quotes


@pytest.mark.parametrize(
    "instead",
    [
        b'"items_count": 3, "items_count": 3',
        b'"items_count"  \n:\t2, "items_count" : 3',
        b'"items_count": 3, "gift": true',
        b'"items_count": 3, "gift": 1e999',
        b'"items_count": 3, "gift": NaN',
        b'"items_count": 3, "\\u0069tems_count": 3',
        b'"items_count": 3, "items_count":\r3',
    ],
    ids=repr,
)
def test_a_member_too_many_is_a_doubt(instead: bytes) -> None:
    assert not told(GOOD.replace(PLACE, instead))


@pytest.mark.parametrize(("staff", "sure"), [(10**17, True), (2**63 - 1, False), (2**70, False), (-(2**70), False)])
def test_a_number_of_many_digits_is_a_doubt(staff: int, *, sure: bool) -> None:
    assert told(json.dumps(order(order__responsible_user_ids=[staff])).encode()) is sure


def test_of_a_type_that_somebody_else_has_made_nothing_is_known() -> None:
    own = create_model("Own", __base__=EVENT_TYPES["order.created"], weight=(float, 0.0))
    text = json.dumps(order(type="order.created", weight=1)).replace('"weight": 1', '"weight": NaN')
    assert not all_told(text.encode(), cast("Event", own.model_validate_json(text)))


def annotations(model: type[Part]) -> Iterator[Any]:
    for field in model.model_fields.values():
        for kind in kinds(field.annotation):
            if issubclass(kind, Part):
                yield from annotations(kind)
            yield from get_args(field.annotation) if kind is tuple else (kind,)


@pytest.mark.parametrize("model", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_no_field_of_a_known_event_takes_a_fraction_or_whatever_comes(model: type[Event]) -> None:
    """Money is a text, and stays one until it is a decimal number."""
    sure = (str, bool, int, date, datetime, Decimal, Part, type(Ellipsis))
    kinds_ = [each if isinstance(each, type) else type(each) for each in annotations(model)]
    assert all(issubclass(each, sure) for each in kinds_)


def test_a_large_event_is_looked_at_before_it_is_read() -> None:
    text = json.dumps(order(order__gift="x" * 20_000)).encode()
    assert isinstance(decode(text, 1 << 20), Event)
