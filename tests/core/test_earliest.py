"""The earliest moment is found without a look at all of them."""

from random import Random

import pytest

from consumer.core.earliest import Earliest


def test_nothing_has_no_earliest() -> None:
    assert Earliest[str](lambda _: 0.0).first() is None


def test_a_moment_that_became_later_is_found_out() -> None:
    moments = {"a": 1.0, "b": 2.0}
    earliest = Earliest[str](lambda key: moments[key])
    for key in moments:
        earliest.note(key)
    moments["a"] = 3.0
    assert earliest.first() == 2.0


def test_what_was_never_noted_may_be_removed() -> None:
    earliest = Earliest[str](lambda _: 0.0)
    earliest.remove("a")
    assert earliest.first() is None


@pytest.mark.parametrize("seed", range(3))
def test_the_first_is_the_minimum_whatever_happens(seed: int) -> None:
    dice = Random(seed)
    moments: dict[int, float] = {}
    earliest = Earliest[int](lambda key: moments[key])
    for key in range(3000):
        moments[key] = dice.random()
        earliest.note(key)
        other = dice.choice(list(moments))
        if dice.random() < 0.45:
            del moments[other]
            earliest.remove(other)
        else:
            moments[other] += dice.uniform(-0.1, 0.3)
            earliest.note(other)
        if dice.random() < 0.3:
            assert earliest.first() == min(moments.values(), default=None)
    for key in list(moments)[10:]:
        del moments[key]
        earliest.remove(key)
    assert earliest.first() == min(moments.values())
