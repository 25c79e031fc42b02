"""The lanes of one process: what happens to one is nothing to the others."""

import asyncio

from consumer.core.facts import Fact, LaneCrashed
from consumer.core.model import Batch, Verdict
from consumer.engine.lane import Lane
from consumer.engine.run import Berth, Process
from tests.engine.harness import World, seconds
from tests.virtual import virtual


def _silent(_fact: Fact) -> None:
    """Nobody listens."""


def broken(_batch: Batch) -> Verdict | None:
    raise RuntimeError("a secret of the recipient +79991234567")


@virtual
async def test_a_lane_that_crashes_begins_anew_from_the_journal_and_the_other_goes_on() -> None:
    world, other = World(partitions=1), World(partitions=1)
    facts: list[Fact] = []
    world.provider.answer = broken

    def build() -> Lane:
        if any(isinstance(fact, LaneCrashed) for fact in facts):
            world.provider.answer = lambda _batch: None
        return world.process(timeout_seconds=5.0).lane

    process = Process([Berth("push", build, facts.append), Berth("other", lambda: other.process().lane, facts.append)])
    running = asyncio.create_task(process.run())
    world.publish(id="e1", to="u1", unsure="repeat")
    other.publish(id="e1", to="u1")
    await world.settled(600)
    await other.settled(600)
    crashes = [fact.error for fact in facts if isinstance(fact, LaneCrashed)]
    assert len(crashes) == 1
    assert crashes[0].startswith("RuntimeError at test_process.py:")
    assert "+7999" not in crashes[0]
    assert len(other.provider.pushes) == 1
    process.stop()
    assert await running == 0


@virtual
async def test_a_lane_that_crashes_again_and_again_ends_the_process_with_a_failure() -> None:
    world = World(partitions=1)
    facts: list[Fact] = []
    world.provider.answer = broken
    process = Process([Berth("push", lambda: world.process(timeout_seconds=2.0).lane, facts.append)])
    for number in range(5):
        world.publish(id=f"e{number}", to="u1", texts=[f"{number}"], unsure="repeat")
    assert await process.run() == 1
    assert len([fact for fact in facts if isinstance(fact, LaneCrashed)]) == 3


@virtual
async def test_a_stop_ends_every_lane_and_the_process_says_zero() -> None:
    world, other = World(), World()
    process = Process(
        [Berth("a", lambda: world.process().lane, _silent), Berth("b", lambda: other.process().lane, _silent)]
    )
    running = asyncio.create_task(process.run())
    await seconds(5)
    assert [view.state for view in process.views()] == ["working", "working"]
    process.stop()
    assert await running == 0
    assert [view.state for view in process.views()] == ["stopped", "stopped"]
