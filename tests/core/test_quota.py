"""The window holds against any server, whatever the delays, and wastes next to nothing of the quota."""

import math
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.model import Quota
from consumer.core.quota import Gap, Past, Window, past_in_bucket

TEN_A_MINUTE = Quota(10, 60.0)
TIMEOUT = 30.0
LOST_FOR = 60.0


def test_the_first_request_goes_at_once_and_the_next_after_the_gap() -> None:
    window = Window(TEN_A_MINUTE)
    assert window.next_start(100.0) == 100.0
    window.start(100.0)
    assert window.next_start(101.0) == 106.0
    assert window.next_start(107.0) == 107.0


def test_starting_too_early_is_a_bug() -> None:
    window = Window(TEN_A_MINUTE)
    window.start(100.0)
    with pytest.raises(ValueError, match=r"allows the next one at 106\.0"):
        window.start(105.0)


def test_nothing_can_be_said_while_all_places_are_in_flight() -> None:
    window = Window(Quota(2, 10.0))
    first = window.start(0.0)
    window.start(5.0)
    assert window.next_start(100.0) == math.inf
    window.complete(first, 101.0)
    assert window.next_start(101.0) == 111.0


def test_a_place_is_free_a_whole_period_after_its_completion() -> None:
    window = Window(Quota(2, 10.0))
    first, second = window.start(0.0), window.start(5.0)
    window.complete(second, 6.0)
    window.complete(first, 8.0)
    assert window.next_start(9.0) == 16.0
    assert (window.used(9.0), window.used(16.5), window.used(18.0)) == (2, 1, 0)


def test_a_request_without_an_answer_counts_longer() -> None:
    window = Window(Quota(1, 10.0), lost_for_seconds=60.0)
    window.lose(window.start(0.0), 30.0)
    assert window.next_start(31.0) == 100.0
    assert window.used(99.0) == 1


def test_a_request_that_never_left_gives_its_place_and_its_gap_back() -> None:
    window = Window(Quota(2, 10.0))
    window.complete(window.start(0.0), 1.0)
    ticket = window.start(5.0)
    window.give_back(ticket)
    assert window.next_start(5.0) == 5.0
    assert window.used(5.0) == 1


def test_an_older_flight_that_never_left_keeps_the_gap_of_the_newer_one() -> None:
    window = Window(Quota(3, 9.0))
    older = window.start(0.0)
    window.start(3.0)
    window.give_back(older)
    assert window.next_start(3.0) == 6.0


def test_a_ticket_lands_once() -> None:
    window = Window(TEN_A_MINUTE)
    ticket = window.start(0.0)
    window.complete(ticket, 1.0)
    with pytest.raises(ValueError, match="not in flight"):
        window.lose(ticket, 1.0)


def test_limit_answers_widen_the_gap_up_to_the_period() -> None:
    window = Window(TEN_A_MINUTE)
    window.widen(0.0)
    assert window.gap_seconds == pytest.approx(6.6)
    for _ in range(100):
        window.widen(0.0)
    assert window.gap_seconds == 60.0


def test_a_gap_says_how_much_wider_it_is_than_usual() -> None:
    gap = Gap(TEN_A_MINUTE)
    gap.widen(0.0)
    assert gap.factor == pytest.approx(1.1)


def test_quiet_periods_narrow_the_gap_slowly() -> None:
    window = Window(TEN_A_MINUTE)
    window.widen(0.0)
    window.narrow(59.0)
    assert window.gap_seconds == pytest.approx(6.6)
    window.narrow(60.0)
    window.narrow(119.0)
    assert window.gap_seconds == pytest.approx(6.54)
    window.narrow(600.0)
    assert window.gap_seconds == pytest.approx(6.0)
    window.narrow(1e9)
    assert window.gap_seconds == 6.0


def test_the_widest_gap_comes_back_within_hours() -> None:
    window = Window(TEN_A_MINUTE)
    for _ in range(30):
        window.widen(0.0)
    window.narrow(3 * 3600.0)
    assert window.gap_seconds == 6.0


def test_a_hold_is_not_lifted_by_a_shorter_one() -> None:
    window = Window(TEN_A_MINUTE)
    window.hold(50.0)
    window.hold(40.0)
    assert window.next_start(0.0) == 50.0


def test_an_unreadable_journal_costs_one_silent_period() -> None:
    window = Window(TEN_A_MINUTE)
    window.silence(100.0)
    assert window.next_start(100.0) == 160.0


def test_a_new_owner_counts_what_the_journal_tells() -> None:
    window = Window(Quota(2, 60.0))
    window.restore([Past(10.0, 12.0), Past(20.0, None)], now=50.0, request_timeout_seconds=TIMEOUT)
    assert window.next_start(50.0) == pytest.approx(72.001)
    assert window.used(50.0) == 2
    ticket = window.start(73.0)
    window.complete(ticket, 74.0)
    assert window.next_start(74.0) == pytest.approx(134.0)
    assert window.used(199.9) == 1
    assert window.used(200.0) == 0


def test_a_new_owner_counts_a_lost_request_of_an_old_one_longer() -> None:
    window = Window(Quota(1, 60.0), LOST_FOR)
    window.restore([Past(10.0, 40.0, lost=True)], now=50.0, request_timeout_seconds=TIMEOUT)
    assert window.next_start(50.0) == pytest.approx(160.001)


@dataclass
class World:
    """A lane with a full backlog, a provider that counts arrivals, and a clock that runs from event to event."""

    quota: Quota
    dice: Random
    slowest_seconds: float = 10.0
    trouble: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    journal: list[Past] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.window = Window(self.quota, LOST_FOR)
        self.landings: list[tuple[float, int, int]] = []

    def run(self, until: float) -> None:
        now = 0.0
        while now < until:
            start = self.window.next_start(now)
            if self.landings and self.landings[0][0] <= start:
                now = max(now, self.landings[0][0])
                self.land()
            else:
                now = start
                self.request(now)
            if self.dice.random() < self.trouble / 20:
                now = self.restart(now)

    def request(self, now: float) -> None:
        ticket = self.window.start(now)
        fate = self.dice.random()
        if fate < self.trouble / 2:
            self.window.give_back(ticket)
            self.window.hold(now + self.dice.random())
            return
        lost = fate < self.trouble
        delay = self.dice.uniform(0.0, self.slowest_seconds)
        self.arrivals.append(now + self.dice.uniform(0, TIMEOUT + LOST_FOR if lost else delay))
        self.journal.append(Past(now, None))
        self.landings.append(
            (now + (TIMEOUT if lost else delay), ticket if not lost else -ticket, len(self.journal) - 1)
        )
        self.landings.sort()

    def land(self) -> None:
        at, ticket, index = self.landings.pop(0)
        if ticket < 0:
            self.window.lose(-ticket, at)
        else:
            self.window.complete(ticket, at)
        self.journal[index] = Past(self.journal[index].started, at, lost=ticket < 0)

    def restart(self, now: float) -> float:
        """The process dies; requests in flight stay without a landing."""
        now += self.dice.random() * 5
        self.landings.clear()
        self.window = Window(self.quota, LOST_FOR)
        self.window.restore(self.journal, now, TIMEOUT)
        return now

    def most_arrivals(self) -> int:
        """The largest number of arrivals in any window, wherever it begins."""
        times = sorted(self.arrivals)
        period = self.quota.per_seconds - 1e-6
        return max(sum(start <= time < start + period for time in times) for start in times)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    requests=st.integers(1, 12),
    trouble=st.sampled_from([0.0, 0.05, 0.3]),
    slowest=st.sampled_from([0.5, 3.0, 10.0]),
)
def test_no_server_counts_more_than_the_quota_in_any_window(
    seed: int, requests: int, trouble: float, slowest: float
) -> None:
    world = World(Quota(requests, 60.0), Random(seed), slowest, trouble)
    world.run(until=3000.0)
    assert world.most_arrivals() <= requests


def test_with_a_full_backlog_and_ordinary_delays_the_quota_is_used() -> None:
    world = World(TEN_A_MINUTE, Random(7), slowest_seconds=0.6)
    world.run(until=6 * 3600.0)
    assert world.most_arrivals() <= 10
    assert len(world.arrivals) >= 0.99 * 6 * 600


def test_an_empty_past_leaves_a_bucket_empty() -> None:
    assert past_in_bucket([], Quota(50, 25.0, bucket=True), now=100.0) == 0


def test_a_bucket_drains_with_time() -> None:
    quota = Quota(50, 25.0, bucket=True)
    past = [Past(90.0, 95.0)] * 20
    assert past_in_bucket(past, quota, now=95.0) == 20
    assert past_in_bucket(past, quota, now=100.0) == 10
    assert past_in_bucket(past, quota, now=1000.0) == 0


def test_a_request_without_a_landing_fills_the_bucket_now() -> None:
    quota = Quota(50, 25.0, bucket=True)
    past = [Past(10.0, None), Past(20.0, 21.0), Past(80.0, 90.0, lost=True), Past(99.0, 200.0)]
    assert past_in_bucket(past, quota, now=100.0) == 3
