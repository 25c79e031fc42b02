"""Old records on their way to a lane once more: told in the original's name, in no hurry, and never twice."""

import json
from dataclasses import replace
from typing import Any

import pytest

from consumer.core.backfill import Backfilled, Malformed, backfilled_of, is_backfilled, next_life, original_of
from consumer.core.model import Capacity, Command, Ignored, Position, Priority, Record, Rejected
from consumer.core.plan import LaneProfile
from consumer.core.turn import Moment, weighted_slack
from tests.core.planning import AT, READY, SHOPS, order, planned, planner, record
from tests.core.waiting import command, group, terms

TOPIC = "vestnik.backfill.app"
PROFILE = LaneProfile("app", SHOPS, backfill=TOPIC)
LATER = AT + 6 * 3600.0
HALF_A_DAY = 43_200.0


def brought(old: Backfilled, at: float = LATER) -> Record:
    return Record(Position(TOPIC, 0, 3), at, old.record.key, old.record.value, old.to_headers())


def commands_of(old: Backfilled) -> tuple[Command, ...]:
    return planned(planner(profile=PROFILE).plan(brought(old))).commands


def test_an_old_record_comes_back_as_it_first_stood() -> None:
    first = replace(record(order()), headers=(("traceparent", b"00-1"), ("vestnik-lane", b"x")))
    old = Backfilled(first, "r-1", frozenset({"b", "a"}), True, 1.5, frozenset({b"\1" * 12, b"\2" * 12}), 2, "a-1")
    again = backfilled_of(brought(old))
    assert again == replace(old, record=replace(first, headers=(("traceparent", b"00-1"),)))
    assert again == backfilled_of(brought(replace(old, record=first)))


def test_a_plain_one_carries_only_where_it_stood() -> None:
    names = [name for name, _ in Backfilled(record(order()), "r-1").to_headers()]
    assert names == [f"vestnik-{name}" for name in ("replay", "topic", "partition", "offset", "timestamp")]
    assert not is_backfilled(record(order()))


def test_the_same_event_gives_the_same_command_and_a_replay_that_tells_again_another() -> None:
    first = planned(planner().plan(record(order()))).commands[0]
    (again,) = commands_of(Backfilled(record(order()), "r-1"))
    assert (again.id, again.digest, again.thread, again.rank) == (first.id, first.digest, first.thread, first.rank)
    ids = {commands_of(Backfilled(record(order()), name, again=True))[0].id for name in ("r-1", "r-1", "r-2")}
    assert len(ids) == 2
    assert first.id not in ids


def test_old_news_joins_the_line_when_it_comes_again_and_is_as_old_as_ever() -> None:
    first = planned(planner().plan(record(order()))).commands[0]
    (again,) = commands_of(Backfilled(record(order()), "r-1"))
    assert (again.arrived, again.deadline, again.source) == (LATER, first.deadline, TOPIC)
    assert again.terms == replace(
        first.terms, priority=Priority.LOW, deliver_within_seconds=PROFILE.memory_seconds, backfill=True
    )


def test_a_longer_ttl_moves_the_deadline_as_far_as_the_memory_and_no_further() -> None:
    first = planned(planner().plan(record(order()))).commands[0]
    (longer,) = commands_of(Backfilled(record(order()), "r-1", extend_ttl_seconds=HALF_A_DAY))
    assert longer.deadline == first.deadline + HALF_A_DAY
    (longest,) = commands_of(Backfilled(record(order()), "r-1", extend_ttl_seconds=1e9))
    assert longest.deadline == AT + PROFILE.memory_seconds
    assert longest.id == first.id


def test_only_the_routes_that_are_asked_for_tell_anybody() -> None:
    other = READY + READY.replace("order-ready", "order-other")
    both = planner(other, PROFILE)
    plan = planned(both.plan(brought(Backfilled(record(order()), "r-1", frozenset({"order-other"})))))
    assert [each.terms.route for each in plan.commands] == ["order-other"]
    assert len(planned(both.plan(brought(Backfilled(record(order()), "r-1")))).commands) == 2
    nobody = both.plan(brought(Backfilled(record(order()), "r-1", frozenset({"gone"}))))
    assert nobody == Ignored("no_route", "order.ready_for_pickup")


def test_who_was_never_told_lives_once_more_under_an_id_that_two_replays_share() -> None:
    first = planned(planner().plan(record(order()))).commands[0].id
    second, third = next_life(first), next_life(next_life(first))
    lives = [frozenset({first}), frozenset({first, second}), frozenset({second})]
    found = [commands_of(Backfilled(record(order()), "r-1", revive=revive))[0].id for revive in lives]
    assert found == [second, third, first]
    assert commands_of(Backfilled(record(order()), "r-2", revive=frozenset({first})))[0].id == second


def test_a_dead_letter_is_named_by_where_the_record_first_stood() -> None:
    broken = record(b"{")
    first = planner().plan(broken)
    assert planner(profile=PROFILE).plan(brought(Backfilled(broken, "r-1"))) == first
    assert isinstance(first, Rejected)


def test_a_shop_s_topic_cannot_bring_old_records() -> None:
    forged = replace(brought(Backfilled(record(order()), "r-1", again=True)), position=Position("shop.orders", 2, 7))
    (honest,) = planned(planner(profile=PROFILE).plan(replace(forged, headers=()))).commands
    assert planned(planner(profile=PROFILE).plan(forged)).commands == (honest,)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("partition", b"one", "makes no sense"),
        ("partition", None, "is missing"),
        ("topic", None, "is missing"),
        ("timestamp", b"nan", "makes no sense"),
        ("timestamp", b"\xff", "makes no sense"),
        ("extend-ttl", b"-1", "makes no sense"),
        ("revive", b"abcd", "makes no sense"),
        ("revive", b"zz", "makes no sense"),
        ("replay", None, "is missing"),
    ],
)
def test_headers_that_make_no_sense_are_a_dead_letter_that_names_the_header(
    name: str, value: bytes | None, said: str
) -> None:
    headers: dict[str, Any] = {**dict(Backfilled(record(order()), "r-1").to_headers()), f"vestnik-{name}": value}
    given = replace(brought(Backfilled(record(order()), "r-1")), headers=tuple((k, v) for k, v in headers.items() if v))
    found = backfilled_of(given)
    assert isinstance(found, Malformed)
    assert found.detail == f"vestnik-{name} {said}"
    plan = planner(profile=PROFILE).plan(given)
    assert isinstance(plan, Rejected)
    assert plan.rejection.detail.endswith(found.detail)
    assert original_of(given, TOPIC) is given


def test_a_dead_letter_of_an_old_record_is_that_of_the_original_with_its_redrives() -> None:
    first = record(order())
    given = brought(Backfilled(first, "r-1", redrives=2))
    assert original_of(given, TOPIC) == replace(first, headers=(("vestnik-redrives", b"2"),))
    assert original_of(given, "vestnik.backfill.other") is given
    assert original_of(first, "shop.orders") is first


def test_a_thousand_old_ones_weigh_less_than_a_live_one() -> None:
    unhurried = replace(terms(Priority.LOW, HALF_A_DAY), backfill=True)
    old, live = group(*[command(under=unhurried) for _ in range(1000)]), group(command(under=terms(Priority.NORMAL)))
    moment = Moment(0.0, 6.0, Capacity(1, 1000))
    assert weighted_slack(live, moment) > weighted_slack(old, moment) > 0


def test_its_value_stays_byte_for_byte() -> None:
    value = json.dumps(order(), indent=3).encode()
    assert brought(Backfilled(record(value), "r-1")).value == value
