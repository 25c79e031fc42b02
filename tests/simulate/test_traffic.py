"""The simulated day is the one that was described, and the same for the same seed."""

from collections import Counter
from itertools import islice, pairwise

import pytest

from consumer.core.model import Priority
from consumer.simulate.traffic import BURSTS, DAY_MESSAGES, Traffic, day_shape

MORNING = 10.2 * 3600.0


def test_the_same_seed_gives_the_same_day_and_another_another() -> None:
    day = list(Traffic(seed=7, scale=0.01, unique=0.1).arrivals())
    assert list(Traffic(seed=7, scale=0.01, unique=0.1).arrivals()) == day
    assert list(Traffic(seed=8, scale=0.01, unique=0.1).arrivals()) != day


def test_messages_arrive_in_the_order_of_time_with_ids_of_their_own() -> None:
    day = list(Traffic(scale=0.02).arrivals())
    assert all(one.at <= other.at for one, other in pairwise(day))
    assert len({arrival.command.id for arrival in day}) == len(day)
    assert 0 <= day[0].at < day[-1].at < 86_400.0


def test_a_day_is_made_as_it_is_asked_for() -> None:
    assert len(list(islice(Traffic(scale=100.0).arrivals(), 5))) == 5


def test_numbers_classes_and_terms_are_those_of_the_description() -> None:
    steady = [arrival.command for arrival in Traffic(scale=0.25, bursts=()).arrivals()]
    assert len(steady) == pytest.approx(40_000, rel=0.03)
    shares = Counter(command.terms.priority for command in steady)
    assert [shares[priority] / len(steady) for priority in Priority] == pytest.approx([0.15, 0.5, 0.35], abs=0.01)
    texts = {priority: set[str]() for priority in Priority}
    lives: dict[Priority, tuple[float, float]] = {}
    for command in steady:
        texts[command.terms.priority].add(command.wordings[0].title)
        life = (round(command.deadline - command.arrived, 6), command.terms.deliver_within_seconds)
        assert lives.setdefault(command.terms.priority, life) == life
    assert list(map(len, texts.values())) == [40, 300, 120]
    assert list(lives.values()) == [(900.0, 120.0), (7200.0, 1800.0), (43_200.0, 7200.0)]


def test_the_shop_is_busiest_at_noon_and_in_the_evening() -> None:
    hours = Counter(int(arrival.at // 3600) for arrival in Traffic(scale=0.25, bursts=()).arrivals())
    total = sum(day_shape(minute / 60) for minute in range(1440))
    for hour in (3, 13, 19):
        expected = 40_000 * sum(day_shape(hour + minute / 60) for minute in range(60)) / total
        assert hours[hour] == pytest.approx(expected, rel=0.1)


def test_bursts_are_of_their_size_class_time_and_texts() -> None:
    day = list(Traffic(scale=0.1, steady_messages=1e-9).arrivals())
    assert len(day) == 15_200 == round((DAY_MESSAGES - 160_000) * 0.1)
    for burst, count in zip(BURSTS, (1_200, 8_000, 6_000), strict=True):
        of_it = [a for a in day if burst.start_seconds <= a.at < burst.start_seconds + burst.seconds]
        assert len(of_it) == count
        assert {arrival.command.terms.priority for arrival in of_it} == {burst.priority}
        first_half = sum(arrival.at < burst.start_seconds + burst.seconds / 2 for arrival in of_it)
        assert first_half == pytest.approx(count / 2, rel=0.1)
        numbers = {int(arrival.command.wordings[0].title.rsplit(maxsplit=1)[1]) for arrival in of_it}
        assert min(numbers) >= burst.first
        assert max(numbers) < burst.first + burst.texts


def test_texts_follow_zipf() -> None:
    titles = Counter(a.command.wordings[0].title for a in Traffic(scale=0.25, bursts=()).arrivals())
    assert titles["normal text 0"] / titles["normal text 1"] == pytest.approx(2**1.1, rel=0.15)
    assert titles["normal text 0"] / titles["normal text 9"] == pytest.approx(10**1.1, rel=0.2)


def test_every_text_has_one_coarser_wording_of_four_generic_ones_a_class() -> None:
    day = [arrival.command for arrival in Traffic(scale=0.05).arrivals()]
    assert {len(command.wordings) for command in day} == {2}
    generic = {(command.terms.priority, command.wordings[1]) for command in day}
    assert Counter(priority for priority, _ in generic) == dict.fromkeys(Priority, 4)


def test_a_share_of_the_messages_has_a_text_of_its_own() -> None:
    day = [arrival.command for arrival in Traffic(scale=0.05, unique=0.1).arrivals()]
    own = [command for command in day if command.terms.unique[0]]
    assert len(own) / len(day) == pytest.approx(0.1, abs=0.01)
    assert len({command.wordings[0] for command in own}) == len(own)
    assert not any(command.terms.unique[1] for command in day)


def test_more_texts_are_more_texts_in_the_steady_traffic_and_in_the_bursts() -> None:
    titles = {arrival.command.wordings[0].title for arrival in Traffic(scale=0.5, texts_scale=4.0).arrivals()}
    kinds = Counter(title.split(maxsplit=1)[0] for title in titles)
    assert kinds["urgent"] == 160
    assert 1150 < kinds["normal"] <= 1200
    assert kinds["low"] == 480


def test_a_day_may_end_early() -> None:
    assert max(arrival.at for arrival in Traffic(until_seconds=MORNING).arrivals()) < MORNING
