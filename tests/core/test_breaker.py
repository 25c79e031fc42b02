"""When only probes go out, how rarely, and what closes the breaker again."""

import math

import pytest

from consumer.core.breaker import Breaker
from consumer.core.model import Blocked, Deferred, Delivered, Refused, Unsure, Verdict
from consumer.core.quota import Past

LOST = Unsure("timeout")
LIMIT = Deferred("limit", limit=True)


def after(*verdicts: Verdict, dice: float = 0.0) -> Breaker:
    """A breaker that heard these at second 100."""
    breaker = Breaker()
    for verdict in verdicts:
        breaker.settle(verdict, 100.0, dice)
    return breaker


def pause(breaker: Breaker) -> float:
    return breaker.until - 100.0


@pytest.mark.parametrize(
    ("verdicts", "is_open"),
    [
        ((Blocked("key_refused"),), True),
        ((Deferred("unreachable", left=False),), True),
        ((LOST,), False),
        ((LOST, LOST), True),
        ((LOST, Delivered(), LOST), False),
        ((LOST, LIMIT, LOST), True),
        ((LIMIT, LIMIT, LIMIT), False),
        ((Deferred("too_early"), Deferred("too_early")), True),
        ((Deferred("declined"),), False),
        ((LOST, LOST, Delivered()), False),
        ((Blocked("key_refused"), Refused("bad")), False),
    ],
)
def test_what_opens_and_closes_it(verdicts: tuple[Verdict, ...], is_open: bool) -> None:
    breaker = after(*verdicts)
    assert breaker.is_open is is_open
    assert bool(breaker.reason) is is_open


def test_it_says_why_it_is_open() -> None:
    assert after(LOST, Unsure("server_error")).reason == "server_error"


def test_each_probe_that_fails_makes_the_next_one_wait_longer() -> None:
    pauses = [pause(after(*[LOST] * count)) for count in range(1, 9)]
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0]


def test_ten_minutes_without_answers_are_two_requests_and_nine_probes() -> None:
    breaker, now, requests = Breaker(), 0.0, 0
    while now < 600.0:
        requests += 1
        breaker.settle(LOST, now, 0.5)
        assert breaker.is_open is (requests >= 2)
        now = max(breaker.until, now + 6.0)
    assert requests <= 11


def test_the_dice_shorten_a_pause_by_a_fifth_at_most() -> None:
    assert pause(after(LOST, dice=0.99)) == pytest.approx(2.0 * 0.802)


def test_a_first_lost_answer_holds_the_lane_for_a_moment() -> None:
    breaker = after(LOST)
    assert breaker.suspicious
    assert breaker.holds(101.9)
    assert not breaker.holds(102.1)


def test_an_answer_ends_all_waiting_but_that_for_the_quota() -> None:
    breaker = after(Blocked("key_refused"), Delivered())
    assert (breaker.until, breaker.suspicious) == (-math.inf, False)
    breaker = after(Deferred("limit", 90.0, limit=True), Delivered())
    assert pause(breaker) == 90.0
    assert not breaker.holds(100.0)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(7.0, 7.0), (0.0, 0.0), (-5.0, 0.0), (1e9, 900.0), (math.nan, 0.0), (None, 5.0)],
)
def test_a_limit_answer_is_honoured_within_reason(asked: float | None, waited: float) -> None:
    assert pause(after(Deferred("limit", asked, limit=True))) == waited


def test_repeated_limit_answers_back_off_though_the_provider_names_a_time() -> None:
    answers = [Deferred("limit", 1.0, limit=True)] * 5
    assert [pause(after(*answers[:count])) for count in range(1, 6)] == [1.0, 5.0, 10.0, 20.0, 40.0]


def test_a_failure_may_name_its_time_too() -> None:
    assert pause(after(Deferred("too_early", 30.0))) == 30.0
    assert pause(after(Deferred("token_expired", 0.0))) == 0.0


def test_without_a_credential_it_opens_at_once() -> None:
    breaker = Breaker()
    breaker.refuse(Blocked("secret_missing"), 100.0, 0.0)
    assert (breaker.is_open, breaker.reason, pause(breaker)) == (True, "secret_missing", 60.0)
    breaker = Breaker()
    breaker.refuse(Deferred("token_endpoint"), 100.0, 0.0)
    breaker.refuse(Deferred("token_endpoint"), 100.0, 0.0)
    assert (breaker.is_open, pause(breaker)) == (True, 1.0)
    breaker.refuse(Deferred("token_endpoint", 40.0, left=False), 100.0, 0.0)
    assert pause(breaker) == 40.0


@pytest.mark.parametrize(
    ("lost", "is_open"),
    [([], False), ([True], False), ([True, True], True), ([False, True, True], True), ([True, True, False], False)],
)
def test_after_an_owner_whose_last_requests_got_no_answer_the_first_one_is_a_probe(
    lost: list[bool], is_open: bool
) -> None:
    breaker = Breaker()
    past = [Past(number, number + 1.0, lost=each) for number, each in enumerate(lost)]
    breaker.restore([*past, Past(50.0, None)])
    assert breaker.is_open is is_open
    assert breaker.until == -math.inf
