"""Policies by name, and what those rank by that are only there to be compared with."""

from dataclasses import replace

from consumer.core.model import Capacity, Priority
from consumer.core.policies import POLICIES, deadline, slack, strict
from consumer.core.price import TurnAndPrice
from consumer.core.turn import Moment
from tests.core.waiting import command, group, terms

NOW = Moment(100.0, 6.0, Capacity(1, 1000))


def test_the_earliest_end_of_life_comes_first() -> None:
    old, brief = group(command("old", arrived=0.0, ttl=900.0)), group(command("brief", arrived=50.0, ttl=100.0))
    assert [choice.groups for choice in deadline.line([old, brief], NOW)] == [(brief,), (old,)]


def test_strict_classes_come_before_any_age() -> None:
    aged = group(command("aged", arrived=-90_000.0, under=terms(Priority.NORMAL)))
    fresh = group(command("fresh", arrived=99.0, under=terms(Priority.URGENT)))
    older = group(command("older", arrived=98.0, under=terms(Priority.URGENT)))
    assert [choice.groups for choice in strict.line([aged, fresh, older], NOW)] == [(older,), (fresh,), (aged,)]


def test_slack_is_what_is_left_of_the_ttl_by_weight_and_size() -> None:
    half_gone = group(command("half", arrived=0.0, ttl=200.0))
    crowd = group(*(command("crowd", arrived=100.0, ttl=200.0) for _ in range(3)))
    urgent = group(command("urgent", arrived=100.0, ttl=200.0, under=terms(Priority.URGENT)))
    order = [choice.groups[0] for choice in slack.line([half_gone, crowd, urgent], NOW)]
    assert order == [urgent, crowd, half_gone]


def test_slack_counts_no_more_than_a_request_carries_and_nothing_is_later_than_late() -> None:
    crowd = group(*(command("crowd", arrived=0.0, ttl=1e-9) for _ in range(3)))
    late = group(command("late", arrived=-900.0, ttl=1.0))
    assert slack.score(crowd, NOW._replace(capacity=Capacity(1, 1))) == slack.score(late, NOW) == 4 / 0.02


def test_a_policy_that_remembers_is_new_for_each_lane() -> None:
    assert sorted(POLICIES) == sorted(["fifo", "strict", "oldest", "largest", "deadline", "slack", "ladder", "turn"])
    one, other = POLICIES["turn"](), POLICIES["turn"]()
    assert isinstance(one, TurnAndPrice)
    assert isinstance(other, TurnAndPrice)
    assert one is not other
    assert replace(one, last_price=5) != other
