"""A rolling upgrade: two versions own one lane in turn, and neither minds what the other writes."""

import asyncio
import json

import pytest

from consumer.core.facts import JournalReadBack
from consumer.core.ports import Appended
from consumer.streams.codec import Entryable, encoded
from consumer.streams.memory import MemoryJournal
from schemas.journal import Claim
from tests.engine import harness
from tests.engine.harness import JOURNAL, Process, World
from tests.virtual import virtual

TURNS = 8
EVENTS = 12


class NewerJournal(MemoryJournal):
    """The journal of a later version: each record has fields that nobody knows here, and some are of another kind."""

    async def append(self, *records: Entryable) -> Appended:
        return [await self._append(record) for record in records][-1]

    async def _append(self, record: Entryable) -> Appended:
        if isinstance(record, Claim):
            # A lane whose journal has more in it than claims has worked; one that has worked must have offsets.
            return await self._write(json.dumps({**json.loads(encoded(record)), "mood": 1}).encode())
        strange = {"kind": "forecast", "epoch": getattr(record, "epoch", 0), "lines": [{"a": None}]}
        await self._write(json.dumps(strange).encode())
        known = json.loads(encoded(record))
        return await self._write(json.dumps({**known, "mood": {"since": 1}, "tags": [1, "2"]}).encode())


async def handed_over(world: World, old: Process, new: Process) -> None:
    """The next one stands by before the last one is told to stop, as a deployment does it."""
    new.start()
    await asyncio.sleep(20)
    await old.stop()


def unreadable(process: Process) -> int:
    return process.lane._memory.unreadable


@virtual
async def rolled(newer: "list[bool]", patch: pytest.MonkeyPatch) -> None:
    world = World()
    processes: list[Process] = []
    for is_newer in newer:
        patch.setattr(harness, "MemoryJournal", NewerJournal if is_newer else MemoryJournal)
        processes.append(world.process())
    processes[0].start()
    for turn, (old, new) in enumerate(zip(processes, [*processes[1:], None], strict=True)):
        for number in range(EVENTS):
            world.publish(
                id=f"{turn}-{number}", to=f"u{number}", thread=f"t{number}", rank=turn, texts=[f"text {turn}"]
            )
        await asyncio.sleep(5 if turn % 2 else 400)
        if new is not None:
            await handed_over(world, old, new)
    await world.settled()
    await asyncio.sleep(600)
    await processes[-1].stop()
    _nothing_lost_nothing_twice(world)
    _passed_over_and_counted(world, processes, newer)


def _nothing_lost_nothing_twice(world: World) -> None:
    ends = world.provider.pushes
    assert world.provider.repeats == {}
    # What a later event of the same thread replaced while it waited was superseded, and nothing else was left out.
    told = {(push.recipient, push.message.text) for push in ends}
    assert {recipient for recipient, _ in told} == {f"u{number}" for number in range(EVENTS)}
    assert all((f"u{number}", f"text {TURNS - 1}") in told for number in range(EVENTS))
    assert world.committed == world.published
    assert world.provider.worst_window() <= 10


def _passed_over_and_counted(world: World, processes: list[Process], newer: "list[bool]") -> None:
    strange = sum(b'"forecast"' in (record.value or b"") for record in world.broker.records(JOURNAL))
    assert strange > 0
    assert unreadable(processes[-1]) == strange
    told = [fact.unreadable for process in processes for fact in process.said(JournalReadBack)]
    assert 0 < max(told) <= strange
    for process, is_newer in zip(processes, newer, strict=True):
        assert process.task is not None
        assert process.task.exception() is None
        assert is_newer or unreadable(process) <= strange


@pytest.mark.parametrize("first", ["old", "new"])
def test_two_versions_that_own_a_lane_in_turn_lose_nothing_and_tell_nobody_twice(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled([(turn % 2 == 0) is (first == "new") for turn in range(TURNS)], monkeypatch)
