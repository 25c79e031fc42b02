"""Waits after failures grow, are bounded, and honour what a provider asks for within reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core import retry
from consumer.core.retry import Backoff, honour

BACKOFFS = [retry.LIMIT, retry.UNREACHABLE, retry.UNSURE, retry.BLOCKED]


@pytest.mark.parametrize("backoff", BACKOFFS)
def test_waits_grow_from_the_first_to_the_longest(backoff: Backoff) -> None:
    waits = [backoff.delay(n, 0.0) for n in range(40)]
    assert waits[0] == backoff.first_seconds
    assert waits == sorted(waits)
    assert waits[-1] == backoff.longest_seconds


@given(backoff=st.sampled_from(BACKOFFS), n=st.integers(-3, 10**9), dice=st.floats(0, 1, exclude_max=True))
def test_the_dice_take_off_a_fifth_at_most(backoff: Backoff, n: int, dice: float) -> None:
    full = backoff.delay(n, 0.0)
    assert 0.8 * full <= backoff.delay(n, dice) <= full <= backoff.longest_seconds


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(None, 0.0), (math.nan, 0.0), (-5.0, 0.0), (0.0, 0.0), (12.5, 12.5), (1e12, 900.0), (math.inf, 900.0)],
)
def test_a_retry_after_is_honoured_within_reason(asked: float | None, waited: float) -> None:
    assert honour(asked) == waited


def test_the_cap_of_a_retry_after_can_be_given() -> None:
    assert honour(50.0, cap_seconds=10.0) == 10.0
