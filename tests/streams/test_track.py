"""A batch that cannot be decoded takes nothing with it, although the library drops what it drained before."""

from dataclasses import dataclass
from typing import Any

import aiokafka
import pytest
from aiokafka import errors
from aiokafka.consumer.subscription_state import SubscriptionState

from consumer.core.model import TopicPartition, Trouble
from consumer.streams.track import Track

FIRST = TopicPartition("orders", 0)
THEIRS = aiokafka.TopicPartition("orders", 0)


@dataclass
class LibraryRecord:
    """As much of the library's record as a track looks at."""

    offset: int


class LibraryConsumer:
    """The library's behaviour as measured: a drain that meets the bad offset raises, what it had drained is gone, and
    its position stands behind that."""

    def __init__(self, offsets: list[int], bad: int | None = None, error: Exception | None = None) -> None:
        self.offsets = offsets
        self.bad = bad
        self.error = error or ValueError("no codec")
        self.position = 0

    def seek(self, partition: Any, offset: int) -> None:
        self.position = offset

    async def getmany(self, partition: Any, *, timeout_ms: int, max_records: int) -> dict[Any, list[LibraryRecord]]:
        drained: list[LibraryRecord] = []
        for offset in [offset for offset in self.offsets if offset >= self.position][:max_records]:
            if offset == self.bad:
                raise self.error
            drained.append(LibraryRecord(offset))
            self.position = offset + 1
        return {THEIRS: drained} if drained else {}


async def _until_trouble(track: Track) -> tuple[list[int], Trouble]:
    offsets: list[int] = []
    for _ in range(20):
        got = await track.take(500)
        if isinstance(got, Trouble):
            return offsets, got
        offsets += [record.offset for record in got]
    raise AssertionError("no trouble")


async def test_all_records_before_the_bad_batch_are_given_and_then_it_is_named() -> None:
    """Each once; the trouble bears partition and offset, and then the partition rests."""
    track = Track(LibraryConsumer([0, 1, 2, 3], bad=2), FIRST, 0)
    offsets, trouble = await _until_trouble(track)
    assert offsets == [0, 1]
    assert (trouble.reason, trouble.partition) == ("undecodable_batch", FIRST)
    assert "offset 2" in trouble.detail
    assert "codec" not in trouble.detail
    assert track.rests


async def test_a_seek_past_the_bad_batch_goes_on() -> None:
    """The repair that a person chooses."""
    track = Track(LibraryConsumer([0, 1, 2, 3], bad=2), FIRST, 0)
    await _until_trouble(track)
    track.seek(3)
    assert not track.rests
    got = await track.take(500)
    assert not isinstance(got, Trouble)
    assert [record.offset for record in got] == [3]


async def test_a_record_larger_than_a_fetch_is_not_stepped_over() -> None:
    """The library moves behind it; the track goes back."""
    consumer = LibraryConsumer([0, 1], bad=0, error=errors.RecordTooLargeError())
    track = Track(consumer, FIRST, 0)
    got = await track.take(500)
    assert isinstance(got, Trouble)
    assert got.reason == "record_too_large"
    assert (track.expected, consumer.position) == (0, 0)


async def test_gaps_are_counted_between_takes_and_within_one() -> None:
    """What compaction and transaction markers leave out."""
    track = Track(LibraryConsumer([2, 3, 7]), FIRST, 0)
    got = await track.take(2)
    assert (len(got) if not isinstance(got, Trouble) else got, track.skipped) == (2, 2)
    await track.take(2)
    assert (track.skipped, track.expected) == (3, 8)


@pytest.mark.parametrize(
    ("position", "end", "readable"),
    [(7, 7, 5), (9, 7, 5), (6, 7, 7), (5, 5, 5), (None, 7, 7)],
    ids=["markers at the end", "gone on since", "records lie between", "at the end", "not begun"],
)
async def test_offsets_that_nobody_gets_are_no_lag(position: int | None, end: int, readable: int) -> None:
    """Markers of transactions take offsets: the library goes over them, and our own offset stays before them."""
    consumer: Any = LibraryConsumer([])
    consumer._subscription = SubscriptionState()
    consumer._subscription.assign_from_user({THEIRS})
    if position is not None:
        consumer._subscription.subscription.assignment.state_value(THEIRS).reset_to(position)
    assert Track(consumer, FIRST, 5).readable_end(end) == readable
