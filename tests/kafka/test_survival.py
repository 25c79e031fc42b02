"""A small honest part of `make chaos`: a kill on the wire, a zombie, and a rolling restart."""

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from tests.chaos.rows_processes_groups import IN_FLIGHT, night, plot
from tests.chaos.rows_processes_kills import kills
from tests.chaos.waves import Load
from tests.chaos.yard import yard
from tests.kafka.ring import shared_bootstrap

pytestmark = pytest.mark.kafka


async def test_a_kill_with_requests_on_the_wire_loses_nothing_and_repeats_only_what_was_in_flight(
    tmp_path: Path,
) -> None:
    async with yard(tmp_path / "wire", plot("wire"), shared_bootstrap()) as place:
        done = await kills(place, "on-the-wire", 1, Random(1))
    assert done.ledger.kept, done.ledger.said


async def test_a_zombie_sends_no_more_than_it_had_begun(tmp_path: Path) -> None:
    """SIGSTOP until a standby has taken over, then SIGCONT."""
    async with yard(tmp_path / "zombie", plot("zombie"), shared_bootstrap()) as place:
        began = time.monotonic()
        people = {who: place.consumer(config=place.named(who)) for who in ("anna", "boris")}
        async with place.load(Load()), place.offsets_watched() as rewinds:
            await place.recovered(began)
            found = await night(place, people, 8.0, blocked=False)
        await place.settled(people["anna"])
        for consumer in people.values():
            assert await consumer.stop() == 0
        ledger = await place.judged()
    assert ledger.kept, ledger.said
    assert found.requests <= IN_FLIGHT
    assert rewinds == []


async def test_a_rolling_restart_tells_nobody_twice(tmp_path: Path) -> None:
    async with yard(tmp_path / "rolling", plot("rolling"), shared_bootstrap()) as place:
        began = time.monotonic()
        replicas = [place.consumer(), place.consumer()]
        async with place.load(Load()):
            await place.recovered(began)
            for number in range(2):
                assert await replicas[number].stop() == 0
                replicas[number] = place.consumer()
                await place.ready(replicas[number])
            await place.recovered(time.monotonic())
        await place.settled(replicas[0])
        assert await asyncio.gather(*(replica.stop() for replica in replicas)) == [0, 0]
        ledger = await place.judged()
    assert ledger.clean, ledger.said
