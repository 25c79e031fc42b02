"""The last records of topics that are wanted, from outside of any group: read from near the end, then from farther."""

import asyncio
from collections.abc import Callable, Sequence

from consumer.core.model import Record, Trouble
from consumer.streams.ranges import RangeReader, Stretch, range_reader
from consumer.streams.settings import KafkaSettings

# Of each partition, at the first look and at the last.
FIRST_RECORDS, MOST_RECORDS = 200, 20_000
GROWTH = 10
WHOLE_SECONDS = 60.0


async def latest(
    settings: KafkaSettings, topics: Sequence[str], wanted: Callable[[Record], bool], count: int
) -> list[Record] | Trouble:
    """At most `count` wanted records, the newest first; looked for among the last 20,000 of each partition."""
    try:
        async with asyncio.timeout(WHOLE_SECONDS), range_reader(settings, topics) as reader:
            return reader if isinstance(reader, Trouble) else await _found(reader, wanted, count)
    except TimeoutError:
        return Trouble("broker_unreachable", f"not read within {WHOLE_SECONDS:.0f} s")


async def _found(reader: RangeReader, wanted: Callable[[Record], bool], count: int) -> list[Record] | Trouble:
    whole = await reader.freeze()
    if isinstance(whole, Trouble):
        return whole
    found: list[Record] = []
    depth = FIRST_RECORDS
    ends = {each.partition: each.end for each in whole}
    while True:
        # Only what lies before what was looked at already.
        parts = [Stretch(each.partition, max(each.begin, each.end - depth), ends[each.partition]) for each in whole]
        async for records in reader.read(parts):
            if isinstance(records, Trouble):
                return records
            found += [record for record in records if wanted(record)]
        ends = {part.partition: part.begin for part in parts}
        exhausted = all(ends[each.partition] <= each.begin for each in whole)
        if len(found) >= count or depth >= MOST_RECORDS or exhausted:
            break
        depth *= GROWTH
    found.sort(key=lambda record: (record.timestamp, record.position.offset), reverse=True)
    return found[:count]
