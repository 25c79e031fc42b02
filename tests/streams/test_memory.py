"""The broker in memory fails in the ways that a broker fails."""

import asyncio

from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Appended
from consumer.streams.memory import MemoryBroker, MemoryJournal, MemorySource, Wire
from schemas.journal import Claim

FIRST = TopicPartition("orders", 0)


class Seat:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[int | None] = []

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.told.append(len(partitions))

    async def revoked(self) -> None:
        self.told.append(None)


def _broker(**timing: float) -> MemoryBroker:
    broker = MemoryBroker(lambda: 1000.0, **timing)
    broker.create("orders", 2)
    broker.create("journal")
    return broker


async def _turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_cut_member_is_missed_and_comes_back_as_a_standby_when_the_heir_has_claimed() -> None:
    """It learns of its loss only when the wire is mended."""
    broker, wire = _broker(), Wire()
    old, heir = MemorySource(broker, "g", ["orders"], wire=wire), MemorySource(broker, "g", ["orders"])
    seats = Seat(), Seat()
    await old.start(seats[0])
    await heir.start(seats[1])
    await _turns()
    old.claim(1)
    wire.cut()
    await _turns()
    assert seats[1].told[-1] == 2
    assert seats[0].told[-1] == 2
    heir.claim(2)
    wire.mend()
    await _turns()
    assert (seats[0].told[-2:], seats[1].told[-1]) == ([None, 0], 2)
    await old.stop()
    await heir.stop()


async def test_a_member_that_does_not_let_go_is_thrown_out() -> None:
    """A revoke that hangs holds the group only for its rebalance time."""

    class Stuck(Seat):
        async def revoked(self) -> None:
            await asyncio.Event().wait()

    broker = _broker(rebalance_seconds=0.01)
    stuck, other = MemorySource(broker, "g", ["orders"]), MemorySource(broker, "g", ["orders"])
    seat = Seat()
    await stuck.start(Stuck())
    await _turns()
    await other.start(seat)
    async with asyncio.timeout(5):
        while seat.told != [2]:
            await broker.group("g").bell.wait()
            await _turns()
    assert isinstance(await stuck.commit({FIRST: 1}), Trouble)
    stuck.kill()
    await other.stop()


async def test_refused_writes_wait_and_say_why() -> None:
    """And go through when they are allowed."""
    broker = _broker()
    journal = MemoryJournal(broker, "journal")
    broker.refuse("journal", Trouble("not_authorised"))
    append = asyncio.ensure_future(journal.append(Claim(epoch=1, member="a")))
    await _turns()
    assert journal.trouble == Trouble("not_authorised")
    assert not append.done()
    broker.refuse("journal", None)
    assert await append == Appended(0, 1000.0)


async def test_a_write_of_a_killed_process_may_stand_without_its_ack() -> None:
    """As after a crash between the broker and the answer."""
    broker, wire = _broker(write_seconds=0.02), Wire()
    append = asyncio.ensure_future(MemoryJournal(broker, "journal", wire=wire).append(Claim(epoch=1, member="a")))
    while not broker.records("journal"):
        await broker.bell.wait()
    wire.cut()
    done, _ = await asyncio.wait({append}, timeout=0.05)
    assert not done
    append.cancel()
    assert len(broker.records("journal")) == 1


async def test_a_doubled_write_stands_twice_and_the_ack_is_the_latter() -> None:
    """What a producer that was made anew may do."""
    broker = _broker()
    broker.double("journal")
    journal = MemoryJournal(broker, "journal")
    assert (await journal.append(Claim(epoch=1, member="a"))).offset == 1
    assert [entry.offset for entry in await journal.read(0.0)] == [0, 1]


async def test_a_stalled_topic_gives_nothing_and_lost_offsets_are_none() -> None:
    """Reads come back with the trouble, and go on afterwards."""
    broker = _broker()
    source = MemorySource(broker, "g", ["orders"])
    await source.start(Seat())
    await _turns()
    source.seek({FIRST: 0})
    broker.publish("orders", b"x", partition=0)
    broker.stall("orders")
    assert await source.poll((), 0.0) == Trouble("broker_unreachable")
    assert await source.extents() == Trouble("broker_unreachable")
    broker.stall("orders", None)
    got = await source.poll((), 0.0)
    assert not isinstance(got, Trouble)
    assert [record.value for record in got] == [b"x"]
    assert await source.commit({FIRST: 1}) is None
    broker.lose_offsets("g")
    committed = await source.committed()
    assert not isinstance(committed, Trouble)
    assert set(committed.values()) == {None}
    await source.stop()


async def test_new_partitions_of_a_topic_are_assigned() -> None:
    """By a rebalance, as in Kafka."""
    broker, seat = _broker(), Seat()
    source = MemorySource(broker, "g", ["orders"])
    await source.start(seat)
    await _turns()
    broker.create("orders", 3)
    await _turns()
    assert seat.told == [2, None, 3]
    await source.stop()
