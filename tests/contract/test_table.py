"""What every table keeps to."""

import asyncio

from consumer.core.ports import Row, Table
from tests.contract.worlds import World


async def _read(table: Table, count: int) -> list[Row]:
    """So many rows, and the end."""
    rows: list[Row] = []
    async with asyncio.timeout(30):
        while len(rows) < count or not table.complete:
            rows += await table.read(0.2)
    return rows


async def test_what_was_put_is_read_from_the_beginning_in_order(world: World) -> None:
    """Another process reads all of it, the last value of a key last, and a key that was taken away without a value."""
    writer, reader = world.table(), world.table()
    await writer.start()
    await reader.start()
    await writer.put(b"a", b"1")
    await writer.put(b"b", b"2")
    await writer.put(b"a", b"3")
    await writer.put(b"b", None)
    rows = await _read(reader, 4)
    assert rows == [Row(b"a", b"1"), Row(b"b", b"2"), Row(b"a", b"3"), Row(b"b", None)]
    assert reader.trouble is None
    await writer.stop()
    await reader.stop()


async def test_an_empty_table_is_complete_after_the_first_look(world: World) -> None:
    """Nothing to read is an end as well; before the first look nobody knows."""
    table = world.table()
    await table.start()
    assert not table.complete
    assert await _read(table, 0) == []
    await table.stop()


async def test_nobody_waits_for_what_an_empty_table_might_still_be_told(world: World) -> None:
    """A lane sends nothing before it has read to the end: a look at nothing must not take as long as it may."""
    table = world.table()
    await table.start()
    async with asyncio.timeout(30):
        while not table.complete:
            assert not await table.read(3600.0)
    await table.stop()


async def test_a_reader_follows_what_changes_later(world: World) -> None:
    """Complete once, and still told of what is put afterwards."""
    table, other = world.table(), world.table()
    await table.start()
    await other.start()
    await _read(table, 0)
    waiting = asyncio.ensure_future(_read(table, 1))
    await asyncio.sleep(0)
    await other.put(b"k", b"v")
    assert await waiting == [Row(b"k", b"v")]
    assert table.complete
    await table.stop()
    await other.stop()


async def test_more_rows_than_one_read_gives_are_all_read(world: World) -> None:
    """Seven hundred rows come in several reads, and not before the last one is it complete."""
    table = world.table()
    await table.start()
    await asyncio.gather(*(table.put(b"%d" % number, b"x") for number in range(700)))
    rows = await _read(table, 700)
    assert {row.key for row in rows} == {b"%d" % number for number in range(700)}
    await table.stop()
