"""Any bytes end as an event, as ignored, or as undecodable with a reason."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.decode import Undecodable, decode, decode_written, document_of
from consumer.core.model import Ignored
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from schemas.events import ANY_EVENT
from tests.core.planning import bonus, order
from tests.core.poison.corpus import DEAD, GOOD, IGNORED

LIMIT = 256 * 1024


@pytest.mark.parametrize("name", DEAD)
def test_a_poisoned_payload_has_its_reason(name: str) -> None:
    payload, reason = DEAD[name]
    found = decode(payload, LIMIT)
    assert isinstance(found, Undecodable)
    assert found.reason is reason
    assert found == decode(payload, LIMIT)


@pytest.mark.parametrize("name", IGNORED)
def test_a_payload_that_is_not_for_us_is_ignored(name: str) -> None:
    payload, reason = IGNORED[name]
    assert decode(payload, LIMIT) == Ignored(reason)


@pytest.mark.parametrize("event", [order(), bonus(), order(event_id=..., shop=..., source=..., customer=...)])
def test_a_good_event_is_read(event: dict[str, object]) -> None:
    found = decode(json.dumps(event).encode(), LIMIT)
    assert isinstance(found, Event)
    assert found.type == event["type"]


def test_unknown_fields_are_passed_over() -> None:
    event = order(order__gift={"wrap": [1.5, None]}, loyalty="gold")
    assert isinstance(decode(json.dumps(event).encode(), LIMIT), Event)


def test_a_detail_never_repeats_a_value() -> None:
    event = order(customer__phone=79991234567, order__total="secret", order__id=["canary"])
    found = decode(json.dumps(event).encode(), LIMIT)
    assert isinstance(found, Undecodable)
    assert found.detail == "customer.phone: string_type; order.id: string_type; order.total: string_pattern_mismatch"


def test_the_limit_is_on_bytes() -> None:
    assert isinstance(decode(GOOD, len(GOOD)), Event)
    less = len(GOOD) - 1
    for found in (decode(GOOD, less), decode_written(GOOD, less, ANY_EVENT), document_of(GOOD, less)):
        assert isinstance(found, Undecodable)
        assert found.reason is DeadReason.OVERSIZE


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_have_an_end(payload: bytes) -> None:
    assert isinstance(decode(payload, LIMIT), Undecodable | Ignored)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_good_event_with_some_bytes_changed_has_an_end(place: int, new: bytes, cut: int) -> None:
    found = decode(GOOD[:place] + new + GOOD[place + cut :], LIMIT)
    assert isinstance(found, Event | Undecodable | Ignored)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([order, bonus]), st.data(), _JSON)
def test_a_good_event_with_any_value_anywhere_has_an_end(make: object, data: st.DataObject, value: object) -> None:
    event = order() if make is order else bonus()
    part = data.draw(st.sampled_from([event, event["customer"], event.get("order") or event["bonus"]]))
    part[data.draw(st.sampled_from(sorted(part)))] = value
    found = decode(json.dumps(event).encode(), LIMIT)
    assert isinstance(found, Event | Undecodable | Ignored)
