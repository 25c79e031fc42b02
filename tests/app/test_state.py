"""The projection that the admin pages show, and what it says of life and readiness."""

import json
from typing import Any

import pytest

from consumer.app.state import LaneSheet, State
from consumer.core import facts
from consumer.core.explain import Waiting
from consumer.core.head import Head
from consumer.core.model import Message, Outcome, Position, TopicPartition
from tests.app.support import PHONE, Hand, fact_kinds, sample

WORKING = facts.LaneMoved("app-push", "working", 3)


class Room:
    """A state with one lane, and its clock."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.state = State([LaneSheet("app-push", "imshop", "live")], self.clock, lambda: 5000.0)

    def see(self, *told: facts.Fact) -> dict[str, Any]:
        for fact in told:
            self.state.see(fact)
        lane: dict[str, Any] = self.state.report()["lanes"]["app-push"]
        return lane

    def gauges(self, **given: Any) -> facts.Fact:
        usual = {"waiting": 0, "in_flight": 0, "in_doubt": 0, "lag_records": 0, "holds": "none"}
        return sample(facts.LaneGauges, **{**usual, **given})


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize("kind", fact_kinds(), ids=lambda kind: kind.__name__)
def test_every_fact_is_taken_and_no_recipient_is_shown(room: Room, kind: type[facts.Fact]) -> None:
    room.see(sample(kind))
    assert PHONE not in json.dumps(room.state.report())


def test_a_fact_of_an_unknown_lane_is_passed_over(room: Room) -> None:
    room.state.see(sample(facts.LaneMoved, lane="other"))
    assert list(room.state.lanes) == ["app-push"]


def test_a_lane_tells_how_it_stands(room: Room) -> None:
    lane = room.see(WORKING, room.gauges(waiting=7, quota_used=4, quota_requests=10, holds="quota"))
    assert (lane["state"], lane["owner"], lane["epoch"]) == ("working", True, 3)
    assert (lane["waiting"], lane["quota_used"], lane["holds"]) == (7, 4, "quota")


def test_why_a_lane_is_blocked_is_there_until_it_is_over(room: Room) -> None:
    room.see(facts.LaneBlocked("app-push", "integration_unavailable", "Integration is unavailable"))
    room.clock.now += 30
    lane = room.see()
    assert lane["blocked"] == [
        {"reason": "integration_unavailable", "detail": "Integration is unavailable", "seconds": 30.0}
    ]
    assert room.see(facts.LaneUnblocked("app-push", "integration_unavailable", 30.0))["blocked"] == []


def test_an_open_breaker_is_there_until_it_closes(room: Room) -> None:
    room.see(facts.BreakerMoved("app-push", True, "timeout"))
    room.clock.now += 4
    assert room.see()["breaker"] == {"reason": "timeout", "seconds": 4.0}
    assert room.see(facts.BreakerMoved("app-push", False, ""))["breaker"] is None


def test_a_stream_in_trouble_is_there_until_it_heals(room: Room) -> None:
    lane = room.see(facts.StreamTroubled("app-push", "source", "topic_missing", "shop.orders"))
    assert lane["streams"][0]["reason"] == "topic_missing"
    assert room.see(facts.StreamHealed("app-push", "source"))["streams"] == []


def test_assignments_come_and_go(room: Room) -> None:
    lane = room.see(facts.PartitionsAssigned("app-push", (TopicPartition("shop.orders", 2),)))
    assert lane["assigned"] == ["shop.orders/2"]
    assert room.see(facts.PartitionsRevoked("app-push"))["assigned"] == []


def test_the_last_pushes_are_kept_newest_first_with_masked_recipients(room: Room) -> None:
    for number in range(60):
        message = Message(f"T{number}", "X")
        room.see(facts.Pushed("app-push", "imshop", "1.1", "order-paid", 0, message, (PHONE,), (3.0,), 1))
    pushes = room.see()["pushes"]
    assert len(pushes) == 50
    assert (pushes[0]["title"], pushes[0]["to"], pushes[0]["at"]) == ("T59", ("**67",), 5000.0)


def test_throughput_is_of_the_last_minute(room: Room) -> None:
    room.see(sample(facts.Pushed))
    room.clock.now += 59
    room.see(sample(facts.Pushed))
    assert room.see()["told_last_minute"] == 4
    room.clock.now += 2
    assert room.see()["told_last_minute"] == 2


def test_ends_and_dead_letters_are_counted(room: Room) -> None:
    lane = room.see(
        facts.CommandEnded("app-push", "order-paid", Outcome.EXPIRED, "", 3),
        sample(facts.DeadLettered, reason="schema"),
    )
    assert (lane["outcomes"], lane["dead_letters"]) == ({"expired": 3}, {"schema": 1})


@pytest.mark.parametrize(
    ("state", "ready"), [("standby", True), ("working", True), ("recovering", False), ("stopped", False)]
)
def test_ready_is_who_works_or_stands_by(room: Room, state: str, ready: bool) -> None:
    room.see(facts.LaneMoved("app-push", state, 1))
    assert (room.state.unready() == []) is ready


def test_before_the_first_fact_nobody_is_ready(room: Room) -> None:
    assert room.state.unready() == ["lane app-push is starting"]


def test_a_blocked_lane_is_ready(room: Room) -> None:
    room.see(WORKING, facts.LaneBlocked("app-push", "key_refused", ""))
    assert room.state.unready() == []


def test_who_drains_is_not_ready(room: Room) -> None:
    room.see(WORKING)
    room.state.draining = True
    assert room.state.unready() == ["the process is stopping"]


def test_a_crashed_lane_is_not_ready(room: Room) -> None:
    assert room.see(WORKING, facts.LaneCrashed("app-push", "KeyError"))["crashes"] == 1
    assert room.state.unready() == ["lane app-push is crashed"]


def stuck(reason: str = "silent") -> facts.PartitionStuck:
    return facts.PartitionStuck("app-push", "shop.orders", 3, reason, 9, 120.0)


def test_a_partition_that_gives_nothing_is_a_stall_and_named(room: Room) -> None:
    room.see(WORKING, room.gauges(lag_records=9))
    (told,) = room.see(stuck())["stuck"]
    assert told == {"topic": "shop.orders", "partition": 3, "reason": "silent", "detail": "9 records", "seconds": 120.0}
    assert room.state.stalled() == ["lane app-push: shop.orders/3 has 9 records and gives none for 120 s"]
    assert room.see(facts.PartitionFreed("app-push", "shop.orders", 3, 130.0))["stuck"] == []
    assert room.state.stalled() == []


def test_a_partition_whose_stream_says_what_is_wrong_is_named_and_no_stall(room: Room) -> None:
    room.see(WORKING, room.gauges(lag_records=9))
    assert room.see(stuck("undecodable_batch"))["stuck"][0]["reason"] == "undecodable_batch"
    assert room.state.stalled() == []


@pytest.mark.parametrize(
    "why",
    [
        facts.LaneBlocked("app-push", "key_refused", ""),
        facts.StreamTroubled("app-push", "source", "broker_unreachable", ""),
        facts.LaneMoved("app-push", "standby", 3),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_trouble_outside_never_asks_for_a_restart(room: Room, why: facts.Fact) -> None:
    room.see(WORKING, room.gauges(lag_records=9), stuck(), why)
    room.clock.now += 100_000
    assert room.state.stalled() == []


def test_a_lane_that_waits_for_its_quota_is_no_stall(room: Room) -> None:
    room.see(WORKING)
    room.clock.now += 100_000
    room.see(room.gauges(lag_records=9, waiting=5))
    assert room.state.stalled() == []


def test_a_lane_that_falls_silent_is_a_stall(room: Room) -> None:
    room.see(WORKING, room.gauges())
    room.clock.now += 61
    assert room.state.stalled() == ["lane app-push has said nothing for 61 s"]


def test_open_groups_are_asked_for_each_report_and_show_nobody() -> None:
    asked: list[tuple[str, int]] = []

    def open_groups(lane: str, limit: int) -> list[Waiting]:
        asked.append((lane, limit))
        return [Waiting(f"Call {PHONE}", 1, 2, 90.04, -3.0, 0, 6.0)]

    clock = Hand()
    state = State([LaneSheet("app-push", "imshop", "live")], clock, clock, open_groups)
    (group,) = state.report()["lanes"]["app-push"]["open_groups"]
    assert asked == [("app-push", 20)]
    assert PHONE not in group.pop("title")
    assert group == {
        "level": 1, "size": 2, "age_seconds": 90.0, "slack_seconds": -3.0, "rank": 0, "goes_in_seconds": 6.0,
    }  # fmt: skip


def test_the_heads_of_the_lines_are_told_with_their_commands_and_for_how_long() -> None:
    clock = Hand()
    head = Head(Position("shop.orders", 3, 41), clock.now - 90.0, "ab" * 12, "order-paid", "in_flight")
    state = State([LaneSheet("app-push", "imshop", "live")], clock, clock, heads=lambda _lane: [head])
    assert state.report()["lanes"]["app-push"]["heads"] == [
        {
            "topic": "shop.orders", "partition": 3, "offset": 41, "command": "ab" * 12, "route": "order-paid",
            "where": "in_flight", "seconds": 90.0,
        }
    ]  # fmt: skip


def test_the_owner_tells_where_it_reads_next_and_others_nothing() -> None:
    clock = Hand()
    state = State([LaneSheet("app-push", "imshop", "live")], clock, clock)
    assert state.report()["lanes"]["app-push"]["read_offsets"] == {}
    places = {TopicPartition("shop.orders", 1): 7, TopicPartition("shop.bonuses", 0): 3}
    state.read_offsets = lambda _lane: places
    assert state.report()["lanes"]["app-push"]["read_offsets"] == {"shop.bonuses/0": 3, "shop.orders/1": 7}
