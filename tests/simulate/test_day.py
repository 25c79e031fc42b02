"""Some hours of traffic through the real outbox and quota."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from consumer.core.model import Capacity, Command, OnUnsure, Outcome, Priority, Quota
from consumer.core.policies import POLICIES
from consumer.simulate.day import Closed, LaneModel, run_day
from consumer.simulate.figures import Figures
from consumer.simulate.traffic import Arrival, Traffic
from tests.core.waiting import command, terms

HOUR = 3600.0
# Two busy hours: the first burst of the morning is in them.
MORNING = Traffic(seed=3, scale=0.5, until_seconds=9.4 * HOUR)


def morning() -> Iterator[Arrival]:
    return (arrival for arrival in MORNING.arrivals() if arrival.at >= 8 * HOUR)


def lane(policy: str = "turn") -> LaneModel:
    return LaneModel(POLICIES[policy](), seed=3)


def arriving(*commands: Command) -> list[Arrival]:
    return [Arrival(each.arrived, each) for each in commands]


def ended(figures: Figures, outcome: Outcome) -> int:
    return figures.whole.ended[outcome]


@pytest.mark.parametrize("policy", POLICIES)
def test_whatever_the_policy_all_that_was_published_has_an_end(policy: str) -> None:
    whole = run_day(morning(), lane(policy)).whole
    assert whole.published == sum(1 for _ in morning()) > 7_500
    assert whole.published == whole.delivered + whole.expired
    assert whole.waiting == 0


def test_until_the_end_the_rest_waits() -> None:
    whole = run_day(morning(), lane("fifo"), until_seconds=9.3 * HOUR).whole
    assert min(whole.delivered, whole.expired, whole.waiting) > 100
    assert whole.published == whole.delivered + whole.expired + whole.waiting
    assert whole.published == sum(arrival.at <= 9.3 * HOUR for arrival in morning())


def test_the_same_seed_gives_the_same_figures() -> None:
    hour = [arrival for arrival in morning() if arrival.at < 9.0 * HOUR]
    figures = run_day(hour, lane())
    assert run_day(hour, lane()) == figures
    assert run_day(hour, replace(lane(), seed=4)) != figures


def test_turn_and_price_tells_all_in_time_where_fifo_loses_most() -> None:
    turn, fifo = run_day(morning(), lane()), run_day(morning(), lane("fifo"))
    assert [turn.classes[priority].in_time_ratio for priority in Priority] == pytest.approx([1.0] * 3, abs=0.005)
    assert turn.whole.expired == 0
    assert turn.whole.coarser_ratio < 0.1
    assert turn.recipients_per_request > 5
    assert fifo.whole.expired_ratio > 0.5
    assert fifo.recipients_per_request == 1.0
    assert fifo.whole.coarser == 0


def test_the_quota_is_used_and_never_exceeded() -> None:
    backlog = arriving(*(command(f"text {n}", ttl=86_400.0) for n in range(1000)))
    figures = run_day(backlog, lane("oldest"))
    waits = sorted(figures.whole.waits)
    assert all(later - earlier > 60.0 for earlier, later in zip(waits, waits[10:], strict=False))
    assert 1000 / (waits[-1] / 60.0) > 9.9


def test_a_closed_gate_lets_nothing_out_until_it_opens() -> None:
    noon = arriving(*(command(f"text {n}", arrived=10.0 * n, ttl=86_400.0) for n in range(100)))
    figures = run_day(noon, replace(lane("oldest"), closed=Closed(200.0, 800.0)))
    told = sorted(each.command.arrived + wait for each, wait in zip(noon, figures.whole.waits, strict=True))
    assert any(moment < 200.0 for moment in told)
    assert not any(203.0 < moment < 800.0 for moment in told)


def test_a_slow_provider_never_has_more_requests_than_the_lane_keeps_in_flight() -> None:
    model = replace(lane("oldest"), latency_median_seconds=20.0, quota=Quota(10, 60.0), in_flight=1)
    figures = run_day(arriving(*(command(f"text {n}", ttl=86_400.0) for n in range(50))), model)
    assert max(figures.whole.waits) > 50 * 15.0


def test_what_a_request_does_not_carry_goes_with_the_next() -> None:
    figures = run_day(arriving(*(command("one text") for _ in range(25))), replace(lane(), capacity=Capacity(1, 10)))
    assert (figures.requests, figures.recipients) == (3, 25)


def test_expiry_is_counted_where_it_happens() -> None:
    figures = run_day(arriving(*(command(f"text {n}", ttl=60.0) for n in range(25))), lane("oldest"))
    assert figures.whole.delivered == 10
    assert figures.whole.expired == 15
    assert figures.whole.expired_ratio == pytest.approx(0.6)


def test_news_of_a_thread_replaces_what_waits_and_what_was_told_is_never_undone() -> None:
    texts = arriving(
        command("paid", to="ann", thread=1, rank=1, arrived=0.0),
        command("other", arrived=0.5),
        command("shipped", to="ann", thread=1, rank=2, arrived=1.0),
        command("delivered", to="ann", thread=1, rank=3, arrived=2.0),
        command("packed", to="ann", thread=1, rank=1, arrived=9_000.0),
    )
    whole = run_day(texts, lane("oldest")).whole
    assert whole.delivered == 3
    assert whole.ended[Outcome.SUPERSEDED] == 2
    assert whole.in_time_ratio == 1.0


def test_a_repeated_event_is_told_once() -> None:
    once = command("paid")
    figures = run_day([Arrival(0.0, once), Arrival(100.0, once)], lane())
    assert figures.whole.published == figures.whole.delivered == 1


def test_a_coarser_wording_is_counted_by_class() -> None:
    lonely = arriving(*(command(f"text {n}", "any", ttl=7200.0) for n in range(600)))
    figures = run_day(lonely, lane("ladder"))
    assert figures.classes[Priority.NORMAL].coarser == figures.whole.coarser > 100
    assert figures.whole.expired == 0


def test_of_nothing_there_are_no_figures() -> None:
    figures = run_day([], lane())
    assert figures.requests == 0
    assert figures.recipients_per_request != figures.recipients_per_request
    assert figures.whole.expired_ratio != figures.whole.expired_ratio


def failing(percent: float, policy: str = "turn") -> LaneModel:
    return replace(lane(policy), errors_ratio=percent / 100.0)


def test_what_a_failed_request_carried_comes_back_through_the_same_quota() -> None:
    backlog = arriving(*(command(f"text {n}", ttl=86_400.0) for n in range(300)))
    whole, figures = run_day(backlog, lane("oldest")), run_day(backlog, failing(20, "oldest"))
    unknown = ended(figures, Outcome.UNKNOWN)
    assert figures.whole.delivered + unknown == whole.requests == 300
    assert figures.requests == figures.whole.delivered + figures.failed
    assert 30 < figures.failed < 110
    assert unknown < 15, "a lost answer is repeated once, and only then unknown"
    answers = sorted(figures.answered_at)
    assert all(later - earlier > 59.0 for earlier, later in zip(answers, answers[11:], strict=False))
    assert answers[-1] > max(whole.answered_at)


def test_a_lost_answer_is_never_repeated_where_the_route_says_stop() -> None:
    stop = terms(on_unsure=OnUnsure.STOP)
    figures = run_day(arriving(*(command(f"text {n}", ttl=86_400.0, under=stop) for n in range(300))), failing(20))
    assert ended(figures, Outcome.UNKNOWN) > 15
    assert figures.whole.waiting == 0


def test_a_provider_that_always_fails_tells_nobody_and_the_day_still_ends() -> None:
    whole = run_day(arriving(*(command(f"text {n}", ttl=600.0) for n in range(50))), failing(100)).whole
    assert whole.delivered == 0
    assert whole.ended[Outcome.EXPIRED] + whole.ended[Outcome.UNKNOWN] == 50


def test_news_of_a_thread_wait_for_the_failed_request_and_then_replace_what_it_carried() -> None:
    texts = [command(f"{n}", to="ann", thread=1, rank=n, arrived=7.0 * n, ttl=86_400.0) for n in range(100)]
    figures = run_day(arriving(*texts), failing(40))
    assert figures.whole.waiting == 0
    assert ended(figures, Outcome.SUPERSEDED) > 20
    assert figures.whole.delivered + ended(figures, Outcome.SUPERSEDED) + ended(figures, Outcome.UNKNOWN) == 100
