"""How often clients may break and how long brokers may be silent before a new process is asked for."""

import pytest
from aiokafka import errors

from consumer.core.facts import Fact, LaneStuck
from consumer.core.model import Trouble
from consumer.streams.clients import is_fatal
from consumer.streams.endurance import Endurance, Losses

DOWN = Trouble("broker_unreachable", "no broker answers")


def losses(**endurance: float) -> tuple[Losses, list[Fact]]:
    facts: list[Fact] = []
    wanted = Endurance(endurance.get("without_broker"), int(endurance["rebuilds"]) if "rebuilds" in endurance else None)
    return Losses(wanted, "push", facts.append), facts


def test_the_third_client_that_breaks_within_five_minutes_is_the_last_one() -> None:
    lost, facts = losses(rebuilds=3)
    for now in (0.0, 200.0, 400.0, 600.0):
        lost.broke("UnknownError", now)
    assert facts == []
    lost.broke("UnknownError", 610.0)
    (stuck,) = facts
    assert isinstance(stuck, LaneStuck)
    assert (stuck.reason, stuck.detail) == ("client_broken", "3 clients broke within 300 s, the last one: UnknownError")


@pytest.mark.parametrize("reason", ["not_authorised", "broker_unreachable"])
def test_what_a_new_process_would_not_have_either_never_ends_this_one(reason: str) -> None:
    lost, facts = losses(rebuilds=1)
    for now in range(20):
        lost.broke(reason, float(now))
    assert facts == []


def test_brokers_that_are_silent_for_too_long_after_they_had_answered_end_the_process() -> None:
    lost, facts = losses(without_broker=120.0)
    lost.asked(None, 10.0)
    lost.asked(DOWN, 20.0)
    lost.asked(DOWN, 129.0)
    assert facts == []
    lost.asked(DOWN, 131.0)
    assert [type(fact) for fact in facts] == [LaneStuck]
    lost.asked(DOWN, 500.0)
    assert len(facts) == 1


def test_a_process_that_never_reached_a_broker_waits_for_one_without_end() -> None:
    lost, facts = losses(without_broker=120.0)
    for now in range(0, 10_000, 10):
        lost.asked(DOWN, float(now))
    assert facts == []
    lost.asked(Trouble("topic_missing", "shop.orders"), 10_000.0)
    lost.asked(DOWN, 10_119.0)
    assert facts == []


def test_without_limits_clients_are_made_anew_for_ever_and_that_is_told_as_trouble() -> None:
    lost, facts = losses()
    lost.asked(None, 0.0)
    for now in (0.0, 10.0, 20.0):
        assert lost.trouble(now) is None
        lost.broke("UnknownError", now)
    assert lost.trouble(21.0) == Trouble("other", "3 clients broke within 300 seconds")
    assert lost.trouble(301.0) is None
    lost.asked(DOWN, 9_999.0)
    assert facts == []


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (errors.UnknownError(), True),
        (errors.GroupAuthorizationFailedError(), True),
        (errors.KafkaError("unexpected"), True),
        (errors.CommitFailedError(), False),
        (errors.IllegalGenerationError(), False),
        (errors.UnknownMemberIdError(), False),
        (errors.RebalanceInProgressError(), False),
        (errors.NotCoordinatorForGroupError(), False),
        (errors.KafkaTimeoutError(), False),
        (errors.KafkaConnectionError(), False),
        (errors.IllegalStateError(), False),
        (TimeoutError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_client_is_thrown_away_for_what_no_repeating_mends_alone(error: Exception, fatal: bool) -> None:
    assert is_fatal(error) == fatal
