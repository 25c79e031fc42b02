"""The dead letters as they stand in their topic: read, and chosen by what they say."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from consumer.app.setup import Setup
from consumer.core.backfill import Backfilled, backfilled_of, is_backfilled
from consumer.core.model import Record, Trouble
from consumer.core.redrive import Letter, LetterKey, Wanted, collapsed
from consumer.streams.letters import read_headers
from consumer.streams.ranges import RangeReader


def letter_of(record: Record) -> Letter | None:
    """A record of the dead-letter topic as a letter; None where it is none of ours."""
    head = read_headers(record)
    return None if head is None else Letter(head, record)


def without_value(letter: Letter) -> Letter:
    """The letter as far as lists need it: thousands of them are kept at once."""
    value = None if letter.record.value is None else b""
    return replace(letter, record=replace(letter.record, value=value))


async def letters_since(reader: RangeReader, topic: str, since: float) -> AsyncIterator[Letter | Trouble]:
    """All letters that were written at or after a moment, in their order. Trouble is the last of them."""
    stretches = await reader.freeze_topic(topic, since)
    if isinstance(stretches, Trouble):
        yield stretches
        return
    async for found in reader.read(stretches):
        if isinstance(found, Trouble):
            yield found
            return
        for record in found:
            letter = letter_of(record)
            if letter is not None:
                yield letter


@dataclass(frozen=True, slots=True)
class Shelf:
    """The letters that somebody asks for, without their values, the oldest first; and all that were read for it."""

    letters: list[Letter]
    read: list[Letter]


async def shelf(setup: Setup, reader: RangeReader, wanted: Wanted) -> Shelf | Trouble:
    """What there is of what is wanted. Copies of a letter are one."""
    found: list[Letter] = []
    async for letter in letters_since(reader, setup.config.topics.dead_letters, wanted.since):
        if isinstance(letter, Trouble):
            return letter
        found.append(without_value(letter))
    read = collapsed(found)
    return Shelf([letter for letter in read if wanted.takes(letter)], read)


async def whole_letter(reader: RangeReader, letter: Letter) -> Letter | Trouble:
    """The letter with its value, read again."""
    place = letter.record.position
    record = await reader.one(place)
    if record is None:
        return Trouble("offset_out_of_range", "the letter is gone", place.topic_partition)
    return record if isinstance(record, Trouble) else replace(letter, record=record)


async def redriven(
    reader: RangeReader, lanes: Mapping[str, str], since: float, tell: Callable[[LetterKey, Backfilled, Record], None]
) -> Trouble | None:
    """Tell of each letter that stands in a backfill topic since a moment. `lanes`: the topic of each lane."""
    for lane, topic in lanes.items():
        stretches = await reader.freeze_topic(topic, since)
        if isinstance(stretches, Trouble):
            if stretches.reason == "topic_missing":
                continue
            return stretches
        async for found in reader.read(stretches):
            if isinstance(found, Trouble):
                return found
            for record in found:
                old = backfilled_of(record) if is_backfilled(record) else None
                if isinstance(old, Backfilled) and old.letter:
                    tell(LetterKey(lane, old.letter, old.redrives - 1), old, record)
    return None
