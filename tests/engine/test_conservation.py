"""Planned = outcomes + joined + waiting + parked + in flight + in doubt, at every moment, wherever a command may be."""

import asyncio
from collections.abc import Callable

from consumer.core.facts import CommandEnded, CommandsReleased, RecordsPlanned
from consumer.core.model import Capacity, Unsure
from consumer.engine.view import LaneView
from tests.engine.harness import Process, World, people, seconds
from tests.virtual import virtual

# The worlds begin at 22:30, UTC.
NIGHT = (22 * 60, 23 * 60, "UTC", False)
LOOK_SECONDS = 0.01

PLACES: dict[str, Callable[[LaneView], int]] = {
    "waiting": lambda view: view.waiting,
    "parked": lambda view: view.parked,
    "in flight": lambda view: view.in_flight,
    "in doubt": lambda view: view.in_doubt,
    "joined": lambda view: view.joined,
}


class Observer:
    """Looks at a process all the time: what did not add up, and where commands were seen."""

    def __init__(self, process: Process) -> None:
        self.drifts: list[int] = []
        self.seen: set[str] = set()
        self._process = process

    async def look(self) -> None:
        while True:
            view = self._process.lane.view()
            if view.drift:
                self.drifts.append(view.drift)
            self.seen |= {name for name, count in PLACES.items() if count(view)}
            await asyncio.sleep(LOOK_SECONDS)


def observed(process: Process) -> tuple[Observer, "asyncio.Task[None]"]:
    observer = Observer(process)
    return observer, asyncio.create_task(observer.look())


@virtual
async def test_nothing_is_unaccounted_for_at_any_moment_wherever_a_command_is() -> None:
    world = World(session_seconds=5.0, rebalance_seconds=5.0)
    world.provider.latency_seconds = 2.0
    first = world.process(capacity=Capacity(1, 1)).start()
    second = world.process(capacity=Capacity(1, 1)).start()
    (one, looking), (two, looking_too) = observed(first), observed(second)
    for person in people(30):
        world.publish(id=person, to=person, texts=[f"an order of {person}"])
        world.publish(id=person, to=person, texts=[f"an order of {person}"])  # comes twice
        world.publish(id=f"night {person}", to=person, texts=["bonus"], quiet=NIGHT)
    world.provider.answer = lambda batch: Unsure("reset") if batch.id.endswith("3") else None
    await seconds(90)
    while not first.lane.view().requests_in_flight:
        await seconds(LOOK_SECONDS)
    await seconds(1.0)
    first.wire.cut()  # in the middle of a request: whoever takes over is in doubt about it
    await seconds(60)
    first.wire.mend()
    await world.settled(3600)
    assert (one.drifts, two.drifts) == ([], [])
    assert one.seen >= {"waiting", "parked", "in flight", "joined"}
    assert "in doubt" in two.seen
    await first.stop()
    await second.stop()
    looking.cancel()
    looking_too.cancel()


@virtual
async def test_who_hands_the_lane_over_has_told_where_everybody_went() -> None:
    """Planned = outcomes + released, for a process that holds nothing any more."""
    world = World(session_seconds=5.0, rebalance_seconds=5.0)
    first = world.process(capacity=Capacity(1, 1)).start()
    for person in people(20):
        world.publish(id=person, to=person, texts=[f"an order of {person}"])
    await seconds(30)
    second = world.process(capacity=Capacity(1, 1)).start()
    await seconds(10)
    first.wire.cut()
    await seconds(60)
    first.wire.mend()
    await seconds(30)
    planned = sum(fact.commands for fact in first.said(RecordsPlanned))
    ended = sum(fact.count for fact in first.said(CommandEnded))
    released = sum(fact.count for fact in first.said(CommandsReleased))
    assert released > 0
    assert planned == ended + released == 20
    assert first.lane.view().drift == 0
    await first.stop()
    await second.stop()
