"""The page's first word, its languages, and its last hour."""

from typing import Any

import pytest

from consumer.app.page.history import STEP_SECONDS, STEPS, History
from consumer.app.page.verdict import verdict
from consumer.app.page.words import chosen, speech, spelt
from consumer.core import facts
from consumer.core.model import Message
from tests.app.support import Hand

LANE: dict[str, Any] = {"owner": True, "blocked": [], "breaker": None, "open_groups": []}
BLOCK = {"reason": "key_refused", "detail": "HTTP 401", "seconds": 3.0}


def report(*, ready: bool = True, draining: bool = False, **lane: Any) -> dict[str, Any]:
    return {"ready": ready, "draining": draining, "lanes": {"app-push": LANE | lane}}


@pytest.mark.parametrize(
    ("told", "word", "level"),
    [
        (report(), "Working", "good"),
        (report(owner=False), "Standing by", "good"),
        (report(ready=False), "Starting", "warning"),
        (report(draining=True, blocked=[BLOCK]), "Stopping", "warning"),
        (report(blocked=[BLOCK], ready=False), "Blocked", "bad"),
        (report(blocked=[BLOCK | {"reason": "paused"}]), "Paused", "warning"),
        (report(breaker={"reason": "timeout", "seconds": 9.0}), "Provider fails", "warning"),
        (report(breaker={"reason": "timeout", "seconds": 9.0}, blocked=[BLOCK]), "Blocked", "bad"),
        (report(open_groups=[{"slack_seconds": 400.0}, {"slack_seconds": -90.0}]), "Behind", "warning"),
        (report(open_groups=[{"slack_seconds": -9.0}]), "Working", "good"),
    ],
)
def test_the_first_word_is_about_the_worst(told: dict[str, Any], word: str, level: str) -> None:
    found = verdict(told, speech("en"), "en")
    assert (found.word, found.level) == (word, level)


def test_a_block_is_told_with_lane_reason_and_detail() -> None:
    assert verdict(report(blocked=[BLOCK]), speech("ru"), "ru").why == "app-push: key_refused HTTP 401"


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [("ru", "en", "ru"), (None, "de, ru-RU;q=0.8, en;q=0.5", "ru"), (None, "", "en"), ("xx", "ru", "ru")],
)
def test_the_language_is_asked_for_or_the_browsers(asked: str | None, accepted: str, language: str) -> None:
    assert chosen(asked, accepted) == language


def test_spans_are_spelt_in_both_languages() -> None:
    assert (spelt(12_000), spelt(12_000, "ru"), spelt(-3, "ru")) == ("3 h 20 min", "3 ч 20 мин", "0 с")


def pushed(age_seconds: float) -> facts.Pushed:
    people = ("79161234567", "79161234568")
    return facts.Pushed("app-push", "imshop", "1.1", "order-paid", 0, Message("t", "x"), people, (age_seconds, 1.0), 2)


def test_the_hour_is_told_in_steps_with_silence_between_them() -> None:
    clock = Hand()
    history = History(["app-push", "staff"], clock)
    history.see(pushed(40.0))
    history.see(pushed(20.0))
    clock.now += 2 * STEP_SECONDS
    history.see(pushed(5.0))
    told = history.report()
    assert [later - earlier for earlier, later in zip(told["at"], told["at"][1:], strict=False)] == [10, 10]
    assert told["lanes"]["app-push"] == {"told": [24, 0, 12], "oldest": [40.0, None, 5.0]}
    assert told["lanes"]["staff"]["told"] == [0, 0, 0]


def test_the_hour_never_grows_beyond_an_hour() -> None:
    clock = Hand()
    history = History(["app-push"], clock)
    history.see(pushed(1.0))
    clock.now += 100_000.0
    told = history.report()
    assert len(told["at"]) == STEPS
    assert sum(told["lanes"]["app-push"]["told"]) == 0


def test_a_clock_that_goes_back_adds_no_step() -> None:
    clock = Hand()
    history = History(["app-push"], clock)
    history.see(pushed(1.0))
    clock.now -= 1000.0
    history.see(pushed(1.0))
    assert history.report()["lanes"]["app-push"]["told"] == [24]
