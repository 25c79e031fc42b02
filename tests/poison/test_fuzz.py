"""Our one parser refuses what two others would read differently, and is of one mind whoever asks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.decode import Undecodable, decode
from tests.core.poison.corpus import GOOD
from tests.poison.corpus import USUAL_LIMIT
from tests.poison.fuzz import Judge, alike, run


@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_of_changed_events_are_read_alike_by_every_parser_or_refused(seed: int) -> None:
    """The command `python -m tests.poison.fuzz --inputs 100000` tries more of them."""
    score = run(2000, seed)
    assert score.breaches == []
    # Most inputs of a blind fuzzer are refused for their commas; these must try what matters.
    assert score.divergent > 200
    assert score.ends["orderreadyforpickup"] > 50
    assert {"number", "duplicate_key", "schema", "invalid_json"} <= score.ends.keys()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.binary(min_size=1, max_size=6))
def test_whatever_is_put_into_a_good_event_the_rules_hold(place: int, new: bytes) -> None:
    judge = Judge()
    judge.try_out(GOOD[:place] + new + GOOD[place:])
    assert judge.score.breaches == []


@pytest.mark.parametrize(
    "told", [b"\xef\xbb\xbf", b"NaN", b"1e999", str(2**70).encode(), b'"\\ud800"', b'{"a": 1, "a": 2}'], ids=repr
)
def test_what_json_and_pydantic_read_differently_is_refused(told: bytes) -> None:
    spoilt = told + GOOD if told.startswith(b"\xef") else GOOD.replace(b'"items_count": 3', b'"x": ' + told)
    assert spoilt != GOOD
    assert isinstance(decode(spoilt, USUAL_LIMIT), Undecodable)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True), (True, 1, False), ({"a": [1]}, {"a": [1]}, True), ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False), (float("nan"), float("nan"), False), (float("inf"), float("inf"), False),
        ("1", 1, False), (None, None, True), (2**53 + 1, float(2**53 + 1), True), (2**70, 2.0**70, True),
    ],
)  # fmt: skip
def test_the_comparison_itself_tells_readings_apart(one: object, other: object, same: bool) -> None:
    assert alike(one, other) is same
