"""SIGTERM in eight states: what is in flight lands in time, nothing new goes out, and nothing is told twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from consumer.core.model import Quota
from consumer.engine.run import Berth
from consumer.engine.run import Process as Host
from tests.engine.harness import JOURNAL, LETTERS, SOURCE, Process, World, people, seconds
from tests.virtual import virtual

BUDGET_SECONDS = 25.0
SILENCE_SECONDS = 0.1

State = Callable[[World, Process], Awaitable[None]]


async def publish(world: World, count: int = 40) -> None:
    for person in people(count):
        world.publish(id=person, to=person, texts=[f"text {int(person[1:]) % 12}"])


async def idle(_world: World, process: Process) -> None:
    process.start()
    await seconds(5)


async def under_load(world: World, process: Process) -> None:
    await publish(world)
    process.start()
    await seconds(14)
    assert process.lane.view().waiting


async def during_start(world: World, process: Process) -> None:
    await publish(world)
    process.start()
    await seconds(0.002)
    assert process.lane.view().state != "working"


async def with_a_claim_that_the_journal_does_not_take(world: World, process: Process) -> None:
    await publish(world)
    world.broker.stall(JOURNAL)
    process.start()
    await seconds(8)
    assert process.lane.view().state == "recovering"


async def during_a_rebalance(world: World, process: Process) -> None:
    await publish(world)
    process.start()
    await seconds(8)
    world.process().start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def with_the_quota_used_up(world: World, process: Process) -> None:
    await publish(world, 200)
    process.start()
    await seconds(30)
    assert process.lane.view().holds == "quota"


async def with_a_hanging_provider(world: World, process: Process) -> None:
    await publish(world)
    process.start()
    world.provider.hanging.clear()
    await seconds(8)
    assert process.lane.view().requests_in_flight


async def with_brokers_down(world: World, process: Process) -> None:
    await publish(world)
    process.start()
    await seconds(8)
    for topic in (JOURNAL, LETTERS, SOURCE):
        world.broker.stall(topic)
    process.wire.cut()
    await seconds(8)


STATES: tuple[State, ...] = (
    idle,
    under_load,
    during_start,
    with_a_claim_that_the_journal_does_not_take,
    during_a_rebalance,
    with_the_quota_used_up,
    with_a_hanging_provider,
    with_brokers_down,
)


# In these nobody can know what came of what is in flight: the provider, or the journal, says nothing.
DOUBTFUL = (with_a_hanging_provider, with_brokers_down)


def heal(world: World) -> None:
    world.provider.hanging.set()
    for topic in (JOURNAL, LETTERS, SOURCE):
        world.broker.stall(topic, None)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_stop_ends_within_its_budget_and_the_next_owner_goes_on_without_a_loss(state: State) -> None:
    @virtual
    async def run() -> None:
        world = World()
        process = world.process(quota=Quota(10, 60.0), timeout_seconds=30.0)
        await state(world, process)
        loop = asyncio.get_running_loop()
        asked, before = loop.time(), len(world.provider.arrivals)
        await asyncio.wait_for(process.stop(), BUDGET_SECONDS)
        # What is seen later than this was on its way; another process may be at work by now.
        left = [at for at in world.provider.arrivals[before:] if at > asked + SILENCE_SECONDS]
        assert not left or state is during_a_rebalance
        assert process.lane.view().state == "stopped"
        assert bool(process.lane.cut_off) == (state in DOUBTFUL)
        heal(world)
        successor = world.process(quota=Quota(10, 60.0)).start()
        await world.settled()
        assert sum(world.ends().values()) == world.published
        if state not in DOUBTFUL:
            assert world.provider.repeats == {}
        await successor.stop()

    run()


@pytest.mark.parametrize(
    ("state", "code"), [(idle, 0), (under_load, 0), (with_a_hanging_provider, 75)], ids=["idle", "load", "hanging"]
)
def test_the_exit_code_tells_a_clean_stop_from_one_that_cut_requests_off(state: State, code: int) -> None:
    @virtual
    async def run() -> None:
        world = World()
        process = world.process(quota=Quota(10, 60.0), timeout_seconds=60.0)
        host = Host([Berth("push", lambda: process.lane, process.facts.append)])

        def start() -> Process:
            process.task = asyncio.create_task(_run(host))
            return process

        process.start = start  # type: ignore[method-assign]
        await state(world, process)
        host.stop()
        assert process.task is not None
        await process.task
        assert host.code == code
        assert host.why == ("" if code == 0 else f"requests cut off: {process.lane.cut_off}")

    run()


async def _run(host: Host) -> None:
    await host.run()


@virtual
async def test_a_lane_that_gives_up_drains_first_and_its_process_says_seventy_and_why() -> None:
    world = World()
    process = world.process()
    host = Host([Berth("push", lambda: process.lane, process.facts.append)])
    running = asyncio.create_task(host.run())
    await publish(world)
    await seconds(10)
    host.give_up("lane push, no_request: a request was possible")
    host.give_up("another reason")
    assert await running == 70
    assert host.why == "lane push, no_request: a request was possible"
    assert process.lane.view().state == "stopped"


@virtual
async def test_a_lane_that_hangs_in_its_stop_holds_the_process_for_twenty_five_seconds_at_most() -> None:
    world = World()
    process = world.process()
    host = Host([Berth("push", lambda: process.lane, process.facts.append)])
    running = asyncio.create_task(host.run())
    await seconds(5)
    stop = process.source.stop

    async def hang() -> None:
        await asyncio.Event().wait()

    process.source.stop = hang  # type: ignore[method-assign]
    began = asyncio.get_running_loop().time()
    host.stop()
    assert await running == 75
    assert asyncio.get_running_loop().time() - began <= BUDGET_SECONDS + 0.1
    assert host.why == "lanes that did not stop in time: 1"
    await stop()
