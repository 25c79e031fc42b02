"""The plan of a replay: which records are in its range, and what each lane would do with them. It writes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from consumer.app import wiring
from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup
from consumer.app.tables import all_rows
from consumer.core.formats import Opened
from consumer.core.hindsight import Hindsight
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.plan import Planner
from consumer.core.ports import Entry
from consumer.core.replay import Asked, Forecast, Foresight, Listed, Outlook
from consumer.core.replay_quota import Pace
from consumer.core.replay_selection import Selection
from consumer.core.shares import Share, lane_of
from consumer.core.suppressions import Suppressions
from consumer.sinks.base import limits_of
from consumer.streams.codec import decoded
from consumer.streams.line_files import file_trouble
from consumer.streams.line_records import record_of
from consumer.streams.ranges import Bound, Stretch, range_reader
from consumer.streams.reading import committed_offsets
from consumer.streams.settings import KafkaSettings
from schemas.envelope import Event

# Producers' clocks stamp the events and the broker's the journal: an end may seem to come before its event.
SKEW_SECONDS = 3600.0
LINES_AT_ONCE = 1000
LINES_TOPIC = "lines"

Watch = Callable[[int, int], None]
"""Told now and then how many records have been read, and out of how many (0: nobody knows)."""


def unwatched(_read: int, _records: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Range:
    """Where the records come from: partitions of topics between two bounds, or a file of JSON lines instead."""

    topics: tuple[str, ...] = ()
    partitions: frozenset[int] = frozenset()
    since: Bound = None
    until: Bound = None
    lines: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for: which records, for which lanes, and on what terms."""

    range: Range
    lanes: tuple[str, ...]
    selection: Selection
    asked: Asked


@dataclass(slots=True)
class Foreseen:
    """What came of the first reading: the frozen stretches, and each lane's forecast."""

    wish: Wish
    stretches: list[Stretch]
    forecasts: Mapping[str, Forecast]
    paces: Mapping[str, Pace]
    now: float
    records: int = 0
    passed_over: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


class RangeError(Exception):
    """Why a range, a journal or a list cannot be read, in words."""


# --- records ----------------------------------------------------------------------------------------------------------


async def frozen(settings: KafkaSettings | None, wanted: Range) -> list[Stretch]:
    """The stretches of the range as they are now; none of a file. Raises RangeError."""
    if settings is None or wanted.lines is not None:
        return []
    async with range_reader(settings, wanted.topics) as reader:
        if isinstance(reader, Trouble):
            raise RangeError(_words(reader))
        found = await reader.freeze(wanted.since, wanted.until, wanted.partitions)
    if isinstance(found, Trouble):
        raise RangeError(_words(found))
    return found


async def read_range(
    settings: KafkaSettings | None, wanted: Range, stretches: Sequence[Stretch]
) -> AsyncIterator[Sequence[Record]]:
    """All records of a frozen range, in slices. Raises RangeError."""
    if wanted.lines is not None:
        for lines in _read_lines(wanted.lines):
            yield lines
            await asyncio.sleep(0)
    if settings is None or not stretches:
        return
    topics = list(dict.fromkeys(stretch.partition.topic for stretch in stretches))
    async with range_reader(settings, topics) as reader:
        if isinstance(reader, Trouble):
            raise RangeError(_words(reader))
        async for records in reader.read(stretches):
            if isinstance(records, Trouble):
                raise RangeError(_words(records))
            yield records


async def read_learned(setup: Setup, wanted: Range, stretches: Sequence[Stretch]) -> AsyncIterator[Sequence[Record]]:
    """The same, with the schemas that the records need. Raises RangeError where the registry does not give them."""
    async for records in read_range(settings_of(setup), wanted, stretches):
        if trouble := await setup.sources.learn(records):
            raise RangeError(_words(trouble))
        yield records


def _read_lines(path: str) -> Iterator[Sequence[Record]]:
    """A file to its end. A line without a time of its own has arrived just now."""
    found: list[Record] = []
    now = time.time()
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file):
                found.append(record_of(line.rstrip(b"\r\n"), Position(LINES_TOPIC, 0, number), now))
                if len(found) == LINES_AT_ONCE:
                    yield found
                    found = []
    except OSError as error:
        raise RangeError(file_trouble(error).detail) from None
    if found:
        yield found


def _words(trouble: Trouble) -> str:
    where = f" ({trouble.partition.topic}/{trouble.partition.partition})" if trouble.partition else ""
    return f"{trouble.reason}: {trouble.detail}{where}"


# --- what the lanes know ----------------------------------------------------------------------------------------------


async def _outlook(setup: Setup, wish: Wish, lane: str, foreseen: Foreseen) -> Outlook:
    profile = lane_profile(setup.config, lane, setup.sources.formats)
    hindsight = Hindsight(profile.memory_seconds)
    bound = wish.range.since
    since = bound - SKEW_SECONDS if isinstance(bound, float) else None
    cut = await _read_journal(setup, lane, hindsight, since)
    if cut:
        foreseen.warnings.append(
            f"{lane}: the journal begins later than the range; whom it told before is known only to the lane's memory"
        )
    if hindsight.unreadable:
        foreseen.warnings.append(f"{lane}: {hindsight.unreadable} records of the journal cannot be read")
    return Outlook(
        Foresight(profile, setup.routes),
        Planner(profile, setup.routes),
        hindsight,
        foreseen.now,
        await _committed(setup, wish, lane),
        await _list_of(setup, lane),
    )


async def _read_journal(setup: Setup, lane: str, hindsight: Hindsight, since: float | None) -> bool:
    """Whether retention has taken a part of what was asked for. Raises RangeError."""
    if setup.config.source is not None:
        return await _read_journal_file(setup, lane, hindsight)
    topic = wiring.journal_topic(lane)
    async with range_reader(wiring.kafka_settings(setup), [topic]) as reader:
        if isinstance(reader, Trouble):
            raise RangeError(f"the journal of {lane}: {_words(reader)}")
        stretches = await reader.freeze(since, None, {wiring.journal_place(lane).partition})
        if isinstance(stretches, Trouble):
            raise RangeError(f"the journal of {lane}: {_words(stretches)}")
        async for records in reader.read(stretches):
            if isinstance(records, Trouble):
                raise RangeError(f"the journal of {lane}: {_words(records)}")
            for record in records:
                hindsight.apply(Entry(record.position.offset, record.timestamp, decoded(record.value)))
            await asyncio.sleep(0)
    return any(stretch.cut for stretch in stretches)


async def _read_journal_file(setup: Setup, lane: str, hindsight: Hindsight) -> bool:
    journal = wiring.lines_streams(setup, lambda _fact: None)(lane).journal
    await journal.start()
    try:
        span = await journal.rewind(0.0)
        while entries := await journal.read(0.0):
            for entry in entries:
                hindsight.apply(entry)
    finally:
        await journal.stop()
    return not isinstance(span, Trouble) and span.cut


async def _committed(setup: Setup, wish: Wish, lane: str) -> Mapping[TopicPartition, int | None]:
    """How far the lane's group has settled the topics of the range; nothing where it does not read them."""
    topics = [topic for topic in wish.range.topics if topic in wiring.lane_sources(setup, lane)]
    if wish.range.lines is not None or not topics:
        return {}
    found = await committed_offsets(wiring.kafka_settings(setup), wiring.group_name(lane), topics)
    if isinstance(found, Trouble):
        raise RangeError(f"the offsets of {lane}: {_words(found)}")
    return found


async def _list_of(setup: Setup, lane: str) -> Listed:
    """The list of those who are not to be told, as it is now."""
    if setup.config.privacy is None:
        return lambda _recipient, _now: False
    key = wiring.hash_key(setup)
    rows = await all_rows(wiring.open_table(setup, lambda _fact: None))
    if isinstance(key, Trouble) or isinstance(rows, str):
        raise RangeError(f"the list of suppressions: {key.detail if isinstance(key, Trouble) else rows}")
    listed = Suppressions(lane_of(lane), key)
    for name, value in rows.items():
        listed.apply(name, value)
    return listed.lists


def pace_of(setup: Setup, lane: str) -> Pace:
    """What the lane's account may send."""
    settings = wiring.lane_settings(setup, lane, "replay")
    return Pace(limits_of(setup.accounts[lane_of(lane)]).capacity, settings.quota, settings.ceiling)


# --- the first reading ------------------------------------------------------------------------------------------------


async def foresee(setup: Setup, wish: Wish, stretches: list[Stretch], watch: Watch = unwatched) -> Foreseen:
    """Read the range once and judge every command. Raises RangeError."""
    began = time.monotonic()
    foreseen = Foreseen(wish, stretches, {}, {lane: pace_of(setup, lane) for lane in wish.lanes}, time.time())
    foreseen.warnings += [
        f"{each.partition.topic}/{each.partition.partition}: records of the range are gone by retention"
        for each in stretches
        if each.cut and wish.range.since is not None
    ]
    outlooks = {lane: await _outlook(setup, wish, lane, foreseen) for lane in wish.lanes}
    foreseen.forecasts = {lane: Forecast(outlook, wish.asked) for lane, outlook in outlooks.items()}
    reading = Reading(setup, wish)
    records = sum(stretch.records for stretch in stretches)
    async for slice_ in read_learned(setup, wish.range, stretches):
        for record in slice_:
            for lane, found in reading.found(record):
                foreseen.forecasts[lane].see(record, found)
        foreseen.records += len(slice_)
        watch(foreseen.records, records)
        await asyncio.sleep(0)
    foreseen.passed_over = reading.passed_over
    foreseen.seconds = time.monotonic() - began
    return foreseen


def settings_of(setup: Setup) -> KafkaSettings | None:
    """The cluster; None where files stand in its place."""
    return None if setup.config.kafka is None else wiring.kafka_settings(setup)


class Reading:
    """Decodes a record once for all lanes, and passes over what was not asked for."""

    def __init__(self, setup: Setup, wish: Wish) -> None:
        self._selection = wish.selection
        limits: dict[int, list[Share]] = {}
        for lane in wish.lanes:
            limits.setdefault(setup.config.lane(lane).event_limit, []).append(setup.config.share(lane))
        self._limits = list(limits.items())
        self._whole = wish.selection.whole
        self._formats = setup.sources.formats
        self.passed_over = 0

    def found(self, record: Record) -> Iterator[tuple[str, Opened]]:
        """What the bytes are to each lane; nothing where the selection passes over them."""
        if not self._whole and self._formats.is_plain(record) and not self._selection.may_have(record.value):
            self.passed_over += 1
            return
        for limit, lanes in self._limits:
            opened = self._formats.read(record, limit)
            event = opened.event
            if not self._whole and not (isinstance(event, Event) and self._selection.has(event)):
                self.passed_over += 1
                return
            for share in lanes:
                if _has(share, record.position):
                    yield share.name, opened


def _has(share: Share, position: Position) -> bool:
    """Whether a record is the share's. Raises RangeError where that cannot be known: a line may not say what it was."""
    if share.of > 1 and position.topic == LINES_TOPIC:
        raise RangeError(
            f"line {position.offset + 1} does not say which topic and partition it came from, and {share.lane} has "
            "shares, each of which knows only whom it has told of its own partitions: replay the topic instead"
        )
    return share.has(position.topic, position.partition)
