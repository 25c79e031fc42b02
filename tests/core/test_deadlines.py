"""Deadlines come in order, however many have gone before them."""

from random import Random

import pytest

from consumer.core.deadlines import Deadlines


def test_nothing_has_no_deadline() -> None:
    deadlines = Deadlines(lambda _: None)
    assert (deadlines.first(), deadlines.passed(1e9)) == (None, None)


def test_what_is_gone_has_none() -> None:
    waiting = {b"a": 10.0, b"b": 130.0}
    deadlines = Deadlines(waiting.get)
    for id_, deadline in waiting.items():
        deadlines.add(deadline, id_)
    del waiting[b"a"]
    assert deadlines.first() == 130.0
    del waiting[b"b"]
    assert (deadlines.first(), len(deadlines)) == (None, 0)


def test_one_that_is_put_twice_is_told_once() -> None:
    waiting = {b"a": 10.0}
    deadlines = Deadlines(waiting.get)
    deadlines.add(10.0, b"a")
    deadlines.add(10.0, b"a")
    assert deadlines.passed(10.0) == b"a"
    del waiting[b"a"]
    assert deadlines.passed(10.0) is None


def test_one_that_comes_again_with_a_later_deadline_hides_none_between() -> None:
    waiting = {b"again": 70.0, b"between": 130.0}
    deadlines = Deadlines(waiting.get)
    for id_, deadline in waiting.items():
        deadlines.add(deadline, id_)
    waiting[b"again"] = 1000.0
    deadlines.add(1000.0, b"again")
    assert deadlines.first() == 130.0
    assert deadlines.passed(140.0) == b"between"
    del waiting[b"between"]
    assert (deadlines.passed(999.0), deadlines.passed(1000.0)) == (None, b"again")


@pytest.mark.parametrize("seed", range(4))
def test_all_pass_at_their_time_and_the_first_is_the_minimum(seed: int) -> None:
    dice = Random(seed)
    waiting: dict[bytes, float] = {}
    deadlines = Deadlines(waiting.get)
    now = 0.0
    for number in range(3000):
        id_ = number.to_bytes(12)
        waiting[id_] = now + dice.choice([dice.uniform(0.1, 30.0), dice.uniform(1.0, 4000.0)])
        deadlines.add(waiting[id_], id_)
        if dice.random() < 0.5:
            waiting.pop(dice.choice(list(waiting)))
        if dice.random() < 0.1:
            now += dice.uniform(0.0, 40.0)
            stale = {id_ for id_, deadline in waiting.items() if deadline <= now}
            passed = set()
            while (id_or_none := deadlines.passed(now)) is not None:
                passed.add(id_or_none)
                del waiting[id_or_none]
            assert passed == stale
        if dice.random() < 0.1:
            assert deadlines.first() == min(waiting.values(), default=None)
        deadlines.tidy(len(waiting))
        assert len(deadlines) <= 2 * len(waiting) + 1024


def test_very_many_of_one_deadline_pass_once_each_however_late_they_came() -> None:
    waiting = {number.to_bytes(12): 100.0 for number in range(500)}
    deadlines = Deadlines(waiting.get)
    for number, (id_, deadline) in enumerate(waiting.items()):
        deadlines.add(deadline, id_)
        if number == 100:
            assert deadlines.first() == 100.0
    assert deadlines.passed(99.9) is None
    passed = {deadlines.passed(100.0) for _ in range(500)}
    assert passed == set(waiting)
    assert (deadlines.passed(1e9), len(deadlines)) == (None, 0)
