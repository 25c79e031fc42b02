"""What every source keeps to."""

import asyncio
import time
from collections.abc import Collection, Sequence

import pytest

from consumer.core.facts import OffsetsSkipped
from consumer.core.model import Record, TopicPartition, Trouble
from consumer.core.ports import Extent, Source
from consumer.streams import source as kafka_source
from tests.contract.conftest import REAL
from tests.contract.worlds import LaneSeat, World, seated

GROUPS = ["memory", "embedded", REAL]


def _settled(seats: Sequence[LaneSeat]) -> bool:
    return sum(seat.owns for seat in seats) == 1 and all(seat.told and seat.told[-1] is not None for seat in seats)


async def _until(told: LaneSeat, *others: LaneSeat) -> LaneSeat:
    """The one seat that owns, when all of them know where they stand."""
    seats = (told, *others)
    async with asyncio.timeout(30):
        while not _settled(seats):
            bells = {asyncio.ensure_future(seat.changed()) for seat in seats}
            _, waiting = await asyncio.wait(bells, return_when=asyncio.FIRST_COMPLETED)
            for bell in waiting:
                bell.cancel()
    return next(seat for seat in seats if seat.owns)


async def _polled(source: Source, count: int, held: Collection[TopicPartition] = ()) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(20):
        while len(records) < count:
            got = await source.poll(held, 0.5)
            assert not isinstance(got, Trouble)
            assert len({record.position.topic_partition for record in got}) <= 1
            records += got
    return records


async def test_records_come_in_order_with_all_that_they_bear(world: World) -> None:
    """Position, key, value, headers and time; a tombstone has no value."""
    await world.publish(b"\xff\x00", b"k", (("h", b"\xfe"), ("h", b"")))
    await world.publish(None, b"k")
    await world.publish(b"3")
    source = world.source()
    await _until(await seated(source))
    records = await _polled(source, 3)
    assert [record.position for record in records] == [(world.topic, 0, offset) for offset in range(3)]
    assert (records[0].key, records[0].value, records[0].headers) == (b"k", b"\xff\x00", (("h", b"\xfe"), ("h", b"")))
    assert (records[1].value, records[2].key) == (None, None)
    assert abs(records[0].timestamp - time.time()) < 60
    await source.stop()


@pytest.mark.parametrize("world", GROUPS, indirect=True)
async def test_a_record_wakes_a_poll_that_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not lie there until somebody looks again."""
    monkeypatch.setattr(kafka_source, "SLICE_SECONDS", 60.0)
    source = world.source()
    await _until(await seated(source))
    waiting = asyncio.ensure_future(source.poll((), 60.0))
    await _nothing_yet(waiting)
    await world.publish(b"news")
    async with asyncio.timeout(20):
        got = await waiting
    assert not isinstance(got, Trouble)
    assert [record.value for record in got] == [b"news"]
    await source.stop()


async def _nothing_yet(waiting: "asyncio.Future[Sequence[Record] | Trouble]") -> None:
    _, pending = await asyncio.wait({waiting}, timeout=0.3)
    assert pending


async def test_only_what_was_sought_and_is_not_held_is_polled(world: World) -> None:
    """No record before a seek; a held partition loses nothing; a seek back reads again."""
    for number in range(3):
        await world.publish(b"%d" % number)
    source = world.source()
    seat = await seated(source, seeks=False)
    await _until(seat)
    assert list(await _nothing(source)) == []
    first = TopicPartition(world.topic, 0)
    source.seek({first: 1})
    assert list(await _nothing(source, {first})) == []
    assert [record.value for record in await _polled(source, 2)] == [b"1", b"2"]
    source.seek({first: 0})
    assert [record.value for record in await _polled(source, 3)] == [b"0", b"1", b"2"]
    await source.stop()


async def _nothing(source: Source, held: Collection[TopicPartition] = ()) -> Sequence[Record]:
    got = await source.poll(held, 0.2)
    assert not isinstance(got, Trouble)
    return got


async def test_a_commit_outlives_its_member(world: World) -> None:
    """None before the first commit; the next member finds what was committed, and extents show what there is."""
    for _ in range(3):
        await world.publish(b"x")
    first = TopicPartition(world.topic, 0)
    source = world.source()
    await _until(await seated(source))
    before = await source.committed()
    assert not isinstance(before, Trouble)
    assert len(before) == 4
    assert set(before.values()) == {None}
    extents = await source.extents()
    assert not isinstance(extents, Trouble)
    assert (extents[first], extents[TopicPartition(world.topic, 1)]) == (Extent(0, 3), Extent(0, 0))
    assert await source.commit({first: 2}) is None
    await source.stop()
    heir = world.source()
    await _until(await seated(heir))
    after = await heir.committed()
    assert not isinstance(after, Trouble)
    assert {partition: offset for partition, offset in after.items() if offset is not None} == {first: 2}
    await heir.stop()


@pytest.mark.parametrize("world", ["memory", "lines", REAL], indirect=True)
async def test_offsets_without_a_record_are_counted(world: World) -> None:
    """A gap is a fact with its size, and the record after it comes."""
    await world.publish(b"before")
    await world.skip()
    await world.publish(b"after")
    source = world.source()
    await _until(await seated(source))
    records = await _polled(source, 2)
    while records[-1].value != b"after":
        records += await _polled(source, 1)
    skipped = [fact for fact in world.facts if isinstance(fact, OffsetsSkipped)]
    assert sum(fact.count for fact in skipped) == 1
    assert {(fact.topic, fact.partition) for fact in skipped} == {(world.topic, 0)}
    await source.stop()


async def test_a_missing_topic_is_a_trouble_by_name(world: World) -> None:
    """Not an error, not silence."""
    source = world.source(f"absent-{time.time_ns()}")
    await seated(source)
    async with asyncio.timeout(20):
        while not isinstance(got := await source.poll((), 0.1), Trouble):
            pass
    assert got.reason == "topic_missing"
    await source.stop()


@pytest.mark.parametrize("world", ["memory", "embedded", REAL], indirect=True)
async def test_an_offset_that_is_gone_is_a_trouble_of_its_partition(world: World) -> None:
    """And the partition is read on after a seek to where there is something."""
    await world.publish(b"x")
    first = TopicPartition(world.topic, 0)
    source = world.source()
    await _until(await seated(source))
    source.seek({first: 99})
    async with asyncio.timeout(20):
        while not isinstance(got := await source.poll((), 0.2), Trouble):
            pass
    assert (got.reason, got.partition) == ("offset_out_of_range", first)
    source.seek({first: 0})
    assert [record.value for record in await _polled(source, 1)] == [b"x"]
    await source.stop()


@pytest.mark.parametrize("world", GROUPS, indirect=True)
async def test_one_member_owns_everything_and_keeps_it(world: World) -> None:
    """Three members, one owner; a claim outlives a join; who stands by cannot commit; a death is noticed."""
    sources = [world.source() for _ in range(3)]
    seats = [await seated(source) for source in sources[:2]]
    owner = sources[seats.index(await _until(*seats))]
    owner.claim(1)
    seats.append(await seated(sources[2]))
    assert sources[seats.index(await _until(*seats))] is owner
    standby = next(source for source in sources if source is not owner)
    assert await standby.committed() == {}
    assert isinstance(await standby.commit({TopicPartition(world.topic, 0): 1}), Trouble)
    await world.kill(owner)
    left = [seat for seat, source in zip(seats, sources, strict=True) if source is not owner]
    heir = await _until(*left)
    assert heir.told[-1] == frozenset(TopicPartition(world.topic, number) for number in range(4))
    for source in sources:
        await source.stop()
