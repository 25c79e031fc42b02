"""Never more people in a window than the shop's app bears, and no fewer than it does."""

import math
from random import Random

import pytest

from consumer.core.ceiling import Ceiling, PeopleLimit
from consumer.core.quota import Past

LIMIT = PeopleLimit(100, 60.0)


def test_people_count_from_the_start_until_a_window_after_the_end() -> None:
    ceiling = Ceiling(LIMIT)
    assert ceiling.room(0.0) == 100
    ceiling.fly(60)
    assert ceiling.room(50.0) == 40
    ceiling.land(60, 60, 50.0)
    assert (ceiling.room(109.9), ceiling.room(110.0)) == (40, 100)


def test_who_was_not_told_leaves_the_room_to_others() -> None:
    ceiling = Ceiling(LIMIT)
    ceiling.fly(60)
    ceiling.land(60, 10, 50.0)
    assert ceiling.room(51.0) == 90
    ceiling.fly(60)
    ceiling.land(60, 0, 52.0)
    assert ceiling.room(52.0) == 90


def test_room_comes_when_enough_people_are_a_window_ago() -> None:
    ceiling = Ceiling(LIMIT)
    for at in (10.0, 20.0):
        ceiling.fly(50)
        ceiling.land(50, 50, at)
    assert ceiling.free_from(30.0, 1) == 70.0
    assert ceiling.free_from(30.0, 51) == 80.0
    assert ceiling.free_from(75.0, 50) == 75.0
    assert ceiling.free_from(30.0, 5000) == 80.0


def test_nothing_can_be_said_while_it_depends_on_requests_in_flight() -> None:
    ceiling = Ceiling(LIMIT)
    ceiling.fly(100)
    assert ceiling.free_from(1.0, 1) == math.inf


def test_a_new_owner_counts_whom_the_earlier_ones_told() -> None:
    ceiling = Ceiling(LIMIT)
    ceiling.restore([Past(1.0, 5.0, recipients=30), Past(2.0, None, recipients=20), Past(3.0, 6.0)], 50.0)
    assert (ceiling.room(50.0), ceiling.room(65.0), ceiling.room(110.0)) == (50, 80, 100)


@pytest.mark.parametrize("seed", range(20))
def test_no_window_has_more_people_than_the_ceiling(seed: int) -> None:
    dice, ceiling, now, told = Random(seed), Ceiling(LIMIT), 0.0, []
    for _ in range(300):
        now = max(now + dice.expovariate(0.2), ceiling.free_from(now, 1))
        count = dice.randint(1, ceiling.room(now))
        ceiling.fly(count)
        delay = dice.uniform(0.0, 10.0)
        told.append((now + dice.uniform(0.0, delay), count))
        now += delay
        ceiling.land(count, count, now)
    for start, _ in told:
        assert sum(count for at, count in told if start <= at < start + 59.999) <= 100
    assert sum(count for _, count in told) > 0.3 * 100 * now / 60.0
