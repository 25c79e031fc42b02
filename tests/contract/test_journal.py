"""What every journal keeps to."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from consumer.core.ports import Entry, Journal, Span, Unreadable
from consumer.streams.codec import encoded
from schemas.journal import Claim, Landing, Outcomes
from tests.contract.conftest import REAL
from tests.contract.worlds import World


def _claim(epoch: int) -> Claim:
    return Claim(epoch=epoch, member="host-1-abc")


async def _read_to(journal: Journal, offset: int) -> Sequence[Entry]:
    entries: list[Entry] = []
    async with asyncio.timeout(20):
        while not entries or entries[-1].offset < offset:
            entries += await journal.read(1.0)
    return entries


async def _rewound(journal: Journal, since: float = 0.0) -> Span:
    async with asyncio.timeout(20):
        while not isinstance(span := await journal.rewind(since), Span):
            await journal.read(0.1)
    return span


async def test_what_is_appended_is_read_back_where_the_ack_said(world: World) -> None:
    """Offset and broker time of the ack are those of the entry."""
    journal = world.journal()
    await journal.start()
    acks = [await journal.append(_claim(1)), await journal.append(Landing(attempt="1.1", epoch=1, verdict="delivered"))]
    await _rewound(journal)
    entries = await _read_to(journal, acks[-1].offset)
    assert [entry.offset for entry in entries] == [ack.offset for ack in acks]
    assert [type(entry.record) for entry in entries] == [Claim, Landing]
    assert entries[0].record == _claim(1)
    assert all(abs(entry.timestamp - ack.timestamp) < 1 for entry, ack in zip(entries, acks, strict=True))
    assert abs(entries[0].timestamp - time.time()) < 60
    await journal.stop()


async def test_an_empty_journal_says_so(world: World) -> None:
    """Empty and not cut; reading it gives nothing within the time."""
    journal = world.journal()
    await journal.start()
    assert await _rewound(journal) == Span(0, cut=False, empty=True)
    assert list(await journal.read(0.05)) == []
    await journal.stop()


async def test_a_reader_follows_what_comes_later(world: World) -> None:
    """Another process's records reach a reader that waits at the end."""
    reader, writer = world.journal(), world.journal()
    await reader.start()
    await writer.start()
    await _rewound(reader)
    waiting = asyncio.ensure_future(_read_to(reader, 0))
    await asyncio.sleep(0)
    await writer.append(_claim(7))
    assert [entry.record for entry in await waiting] == [_claim(7)]
    await reader.stop()
    await writer.stop()


async def test_rewinding_to_a_time_leaves_out_nothing_younger(world: World) -> None:
    """A broker that cannot look up times may begin earlier, never later."""
    journal = world.journal()
    await journal.start()
    acks = [await journal.append(_claim(epoch)) for epoch in (1, 2, 3)]
    span = await _rewound(journal, acks[1].timestamp)
    assert span.offset <= acks[1].offset
    assert not span.cut
    assert not span.empty
    assert (await _read_to(journal, acks[2].offset))[-1].record == _claim(3)
    later = await _rewound(journal, acks[2].timestamp + 3600)
    assert later.offset == acks[2].offset + 1
    await journal.stop()


async def test_bytes_that_are_no_record_are_entries_and_stop_nothing(world: World) -> None:
    """Garbage and a kind of a newer version are Unreadable; the record after them is read."""
    journal = world.journal()
    await journal.start()
    await journal.append(_claim(1))
    await world.scribble(b"\x00\xff no json")
    await world.scribble(b'{"kind":"of-tomorrow","epoch":9}')
    last = await journal.append(_claim(2))
    await _rewound(journal)
    records = [entry.record for entry in await _read_to(journal, last.offset)]
    assert [type(record) for record in records] == [Claim, Unreadable, Unreadable, Claim]
    await journal.stop()


async def test_appends_at_once_are_all_there_in_slices(world: World) -> None:
    """600 at once: each acked at an offset of its own, read back 500 at most a slice."""
    journal = world.journal()
    await journal.start()
    acks = await asyncio.gather(*(journal.append(_claim(epoch)) for epoch in range(1, 601)))
    assert len({ack.offset for ack in acks}) == 600
    await _rewound(journal)
    slices: list[int] = []
    epochs: set[int] = set()
    async with asyncio.timeout(20):
        while sum(slices) < 600:
            entries = await journal.read(1.0)
            slices.append(len(entries))
            epochs |= {entry.record.epoch for entry in entries if isinstance(entry.record, Claim)}
    assert max(slices) <= 500
    assert epochs == set(range(1, 601))
    await journal.stop()


async def test_a_record_of_900_kilobytes_is_taken(world: World) -> None:
    """The largest that the engine writes."""
    journal = world.journal()
    await journal.start()
    ids = [f"{number:024x}" for number in range(22_000)]
    record = Outcomes(epoch=1, outcome="expired", ids=ids, digests=["00000000"] * 22_000, routes=["r"] * 22_000)
    assert len(encoded(record)) > 900_000
    ack = await journal.append(record)
    await _rewound(journal)
    assert (await _read_to(journal, ack.offset))[-1].record == record
    await journal.stop()


@pytest.mark.parametrize("world", ["memory", REAL], indirect=True)
async def test_a_journal_cut_by_retention_says_so(world: World) -> None:
    """Cut when records younger than asked may be gone; not when the first that is left is older than asked."""
    journal = world.journal()
    await journal.start()
    acks = [await journal.append(_claim(epoch)) for epoch in (1, 2, 3)]
    await world.trim(2)
    assert await _rewound(journal, acks[0].timestamp - 10) == Span(2, cut=True, empty=False)
    assert not (await _rewound(journal, acks[2].timestamp + 10)).cut
    await world.trim(3)
    assert await _rewound(journal, acks[0].timestamp - 10) == Span(3, cut=True, empty=True)
    await journal.stop()


@pytest.mark.parametrize("world", ["memory", "embedded", REAL], indirect=True)
async def test_an_append_waits_for_its_topic_and_says_what_is_missing(world: World) -> None:
    """It is not lost and not an error: it goes through when the topic is there."""
    topic = f"late-{time.time_ns()}"
    journal = world.journal(topic)
    await journal.start()
    append = asyncio.ensure_future(journal.append(_claim(1)))
    async with asyncio.timeout(20):
        while journal.trouble is None:
            await asyncio.wait({append}, timeout=0.01)
    assert journal.trouble.reason == "topic_missing"
    await world.create(topic)
    async with asyncio.timeout(20):
        ack = await append
    assert ack.offset == 0
    assert journal.trouble is None
    await journal.stop()
