"""Watchdogs speak when something that could happen does not, and never before."""

import pytest

from consumer.core.model import TopicPartition
from consumer.engine.watchdog import Backlog, Partitions, Progress, Stall, Stuck

ONE, TWO = TopicPartition("shop.orders", 0), TopicPartition("shop.orders", 1)


def test_what_is_wanted_all_the_time_and_never_happens_is_a_stall_after_the_patience() -> None:
    progress = Progress(120.0)
    assert [progress.look(float(second), {"request": 7}) for second in range(120)] == [None] * 120
    assert progress.look(120.0, {"request": 7}) == Stall("request", 120.0)


@pytest.mark.parametrize(
    ("moment", "wanted"), [(60.0, {}), (60.0, {"request": 8}), (60.0, {"commit": 1})], ids=["idle", "moved", "other"]
)
def test_what_is_not_wanted_for_a_moment_or_happens_once_begins_anew(moment: float, wanted: dict[str, int]) -> None:
    progress = Progress(120.0)
    count = wanted.get("request", 7)
    for second in range(180):
        stall = progress.look(float(second), wanted if second == moment else {"request": 7 if second < 60 else count})
        assert stall is None
    assert progress.look(180.0, {"request": count}) == (Stall("request", 120.0) if count == 8 else None)
    assert progress.look(181.0, {"request": count}) is not None


def test_the_first_of_two_stalls_is_named_though_the_other_thing_happens() -> None:
    progress = Progress(10.0)
    stalls = [progress.look(float(second), {"request": 1, "commit": second}) for second in range(11)]
    assert stalls[-1] == Stall("request", 10.0)


def test_a_partition_that_has_records_and_gives_none_is_stuck_while_others_go_on() -> None:
    partitions = Partitions(120.0)
    for second in range(0, 120, 5):
        assert partitions.look(float(second), {ONE: Backlog(9, 40), TWO: Backlog(9, second)}) == ()
    stuck = partitions.look(120.0, {ONE: Backlog(12, 40), TWO: Backlog(9, 120)})
    assert stuck == (Stuck(ONE, "silent", 12, 0.0),)
    assert partitions.look(125.0, {ONE: Backlog(12, 41), TWO: Backlog(9, 125)}) == ()


def test_a_stream_that_says_why_is_stuck_for_that_reason() -> None:
    partitions = Partitions(5.0)
    partitions.look(0.0, {ONE: Backlog(1, 0, trouble="undecodable_batch")})
    assert [each.reason for each in partitions.look(5.0, {ONE: Backlog(1, 0, trouble="undecodable_batch")})] == [
        "undecodable_batch"
    ]


@pytest.mark.parametrize("free", [{ONE: Backlog(0, 40)}, {ONE: Backlog(9, 40, held="backlog")}, {}])
def test_one_that_has_nothing_or_is_left_out_on_purpose_is_not_stuck(free: dict[TopicPartition, Backlog]) -> None:
    partitions = Partitions(10.0)
    for second in range(60):
        assert partitions.look(float(second), free if second % 5 == 0 else {ONE: Backlog(9, 40)}) == ()
