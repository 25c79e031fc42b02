"""What an outage piles up in memory is bounded in count and in bytes, and goes on by itself when it is over."""

import pytest

from consumer.core.flood import FloodRule
from consumer.core.model import Bounds, TopicPartition
from consumer.engine import intake, letters
from tests.engine.harness import JOURNAL, LETTERS, SOURCE, Process, World, seconds
from tests.virtual import virtual

POLL = 500


def unwritten(process: Process) -> int:
    tenure = process.lane._tenure
    return 0 if tenure is None else len(tenure.desk.unwritten)


def test_ends_that_the_journal_does_not_take_stop_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "UNWRITTEN_ENDS", 1000)

    @virtual
    async def run() -> None:
        world = World(partitions=2)
        process = world.process().start()
        await seconds(3)
        world.broker.stall(JOURNAL)
        most = 0
        for number in range(10_000):
            world.publish(id=f"e{number}", to=f"u{number}", ttl=-5.0)
            await seconds(0.01)
            most = max(most, unwritten(process))
        # What a write under way has in hand comes on top, and one poll beyond the bound.
        assert 1000 <= most <= 1000 + POLL
        assert (world.committed, [each.reason for each in process.lane.view().blockages]) == (0, ["journal"])
        world.broker.stall(JOURNAL, None)
        await world.settled(600)
        assert world.ends() == {"expired": 10_000}
        await process.stop()

    run()


def test_letters_that_nobody_takes_are_bounded_in_bytes_over_all_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "LETTERS_BYTES", 100_000)

    @virtual
    async def run() -> None:
        world = World(partitions=4)
        process = world.process(flood=FloodRule(stop=False)).start()
        await seconds(3)
        world.broker.stall(LETTERS)
        for number in range(4000):
            world.broker.publish(SOURCE, b"x" * 1000, key=str(number).encode())
        await seconds(120)
        tenure = process.lane._tenure
        assert tenure is not None
        assert 100_000 <= tenure.intake.letters._bytes <= 100_000 + POLL * 1010
        assert world.committed == 0
        world.broker.stall(LETTERS, None)
        await world.settled(600)
        assert len(world.broker.records(LETTERS)) == 4000
        assert tenure.intake.letters._bytes == len(tenure.intake.letters._counts) == 0
        await process.stop()

    run()


@virtual
async def test_a_backlog_is_bounded_in_bytes_where_texts_are_long() -> None:
    world = World(partitions=1)
    process = world.process(bounds=Bounds(commands=100_000, bytes=2 * 1024 * 1024)).start()
    for number in range(5000):
        world.publish(id=f"e{number}", to=f"u{number}", texts=[f"{number} " + "очень длинно " * 100])
    await seconds(20)
    view = process.lane.view()
    assert view.waiting_bytes <= 2 * 1024 * 1024 + POLL * 5000
    assert view.waiting < 2000
    await process.kill()


@virtual
async def test_the_span_between_read_and_committed_is_bounded() -> None:
    world = World(partitions=1)
    process = world.process(bounds=Bounds(span=1000)).start()
    await seconds(2)
    world.provider.hanging.clear()
    world.publish(id="first", to="u")
    await seconds(1)
    for number in range(5000):
        world.publish(id=f"e{number}", to=f"u{number}", ignore=True)
    await seconds(10)
    tenure = process.lane._tenure
    assert tenure is not None
    assert 1000 <= tenure.desk.ledger.span(TopicPartition(SOURCE, 0)) <= 1000 + POLL
    world.provider.hanging.set()
    await world.settled()
    await process.stop()
