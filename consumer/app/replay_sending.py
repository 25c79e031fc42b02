"""A replay's second reading: what is to be told goes through the lanes' backfill topics, and can go on where it ended.

What was published stands in the topic itself, with the replay's id and where each record first stood; a note without a
value says what was asked for, by whom and why. So there is no other state: whoever resumes reads it there.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from consumer.app import wiring
from consumer.app.replaying import Foreseen, Range, RangeError, Reading, Wish, read_learned
from consumer.app.setup import Setup
from consumer.core.backfill import Malformed, backfilled_of, is_backfilled
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.packed import Packed
from consumer.core.replay import Asked
from consumer.core.replay_selection import Selection
from consumer.streams.backfill import BackfillDoor
from consumer.streams.ranges import Stretch, range_reader
from consumer.streams.reading import committed_offsets
from consumer.streams.settings import KafkaSettings

REPLAY_HEADER = "vestnik-replay"
PLAN_HEADER = "vestnik-plan"
END_HEADER = "vestnik-replay-end"

# So far a replay goes ahead of its lane: a backfill topic needs no more room than for so many records.
AHEAD_RECORDS = 20_000
LOOK_SECONDS = 2.0
LOOK_RECORDS = 500
FLUSH_SECONDS = 20.0


@dataclass(slots=True)
class Sent:
    """How far a lane's part is. `records` and `commands` are confirmed or on their way to the broker; `before` were
    published by an earlier run; `behind` is what the lane has not settled of its backfill topic."""

    lane: str
    records: int = 0
    commands: int = 0
    before: int = 0
    behind: int = 0
    waits: bool = False
    done: bool = False


Look = Callable[[Sent], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Who asked for a replay, when and why."""

    who: str
    reason: str
    at: float


@dataclass(slots=True)
class Published:
    """What a lane's backfill topic has of a replay."""

    plan: Mapping[str, Any] | None = None
    ended: bool = False
    positions: Packed = field(default_factory=Packed)

    def has(self, position: Position) -> bool:
        return len(self.positions) > 0 and _name(position) in self.positions


# --- what stands in the topic -----------------------------------------------------------------------------------------


async def published_of(setup: Setup, lane: str, replay: str) -> Published:
    """Read a lane's backfill topic for what it has of a replay. Raises RangeError."""
    found = Published()
    topic = wiring.backfill_topic(lane)
    async with range_reader(wiring.kafka_settings(setup), [topic]) as reader:
        stretches = reader if isinstance(reader, Trouble) else await reader.freeze()
        if isinstance(reader, Trouble) or isinstance(stretches, Trouble):
            raise RangeError(f"{topic}: {stretches}")
        async for records in reader.read(stretches):
            if isinstance(records, Trouble):
                raise RangeError(f"{topic}: {records.reason} {records.detail}")
            for record in records:
                _note(record, replay, found)
            await asyncio.sleep(0)
    return found


def _note(record: Record, replay: str, found: Published) -> None:
    headers = dict(record.headers)
    if headers.get(REPLAY_HEADER) != replay.encode():
        return
    if is_backfilled(record):
        old = backfilled_of(record)
        if not isinstance(old, Malformed):
            found.positions.add(_name(old.record.position))
    elif PLAN_HEADER in headers and found.plan is None:
        found.plan = json.loads(headers[PLAN_HEADER])
    elif END_HEADER in headers:
        found.ended = True


def _name(position: Position) -> int:
    return int.from_bytes(blake2b("/".join(map(str, position)).encode(), digest_size=8).digest())


def plan_note(foreseen: Foreseen, recorded: Recorded, lane: str) -> bytes:
    """Everything that a resumed replay must know, as JSON."""
    wish, forecast = foreseen.wish, foreseen.forecasts[lane]
    return json.dumps(
        {
            "lanes": list(wish.lanes),
            "stretches": [[*each.partition, each.begin, each.end] for each in foreseen.stretches],
            "since": wish.range.since if isinstance(wish.range.since, float) else None,
            "lines": wish.range.lines,
            "types": sorted(wish.selection.types),
            "customers": sorted(wish.selection.customers),
            "orders": sorted(wish.selection.orders),
            "routes": sorted(wish.asked.routes),
            "again": wish.asked.again,
            "extend_ttl_seconds": wish.asked.extend_ttl_seconds,
            "who": recorded.who,
            "reason": recorded.reason,
            "at": recorded.at,
            "commands": forecast.told,
            "people": forecast.people,
        },
        ensure_ascii=False,
    ).encode()


def wish_of(replay: str, plan: Mapping[str, Any]) -> tuple[Wish, list[Stretch], Recorded]:
    """What a note says was asked for. Raises KeyError, TypeError or ValueError for what is no such note."""
    stretches = [Stretch(TopicPartition(each[0], each[1]), each[2], each[3]) for each in plan["stretches"]]
    topics = tuple(dict.fromkeys(stretch.partition.topic for stretch in stretches))
    names = {part: frozenset(map(str, plan[part])) for part in ("types", "customers", "orders", "routes")}
    routes = names.pop("routes")
    asked = Asked(replay, routes, bool(plan["again"]), float(plan["extend_ttl_seconds"]))
    wish = Wish(
        Range(topics, since=plan["since"], lines=plan["lines"]), tuple(plan["lanes"]), Selection(**names), asked
    )
    return wish, stretches, Recorded(str(plan["who"]), str(plan["reason"]), float(plan["at"]))


# --- publishing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dispatch:
    """All that publishing needs. `published` is what an earlier run has done; `sent` is kept up to date, whatever ends
    the run, and shown to `look`."""

    setup: Setup
    foreseen: Foreseen
    recorded: Recorded
    sent: Mapping[str, Sent]
    published: Mapping[str, Published] = field(default_factory=dict)
    look: Look = lambda _sent: None
    ahead_records: int = AHEAD_RECORDS


async def send(dispatch: Dispatch) -> list[str]:
    """Publish for all lanes side by side, so that none waits for another's quota; why some could not be finished.
    Cancelling it is safe at any moment."""
    parts = [_Part(dispatch, lane) for lane in dispatch.foreseen.wish.lanes]
    tasks = [asyncio.create_task(part.run(), name=f"replay {part.sent.lane}") for part in parts]
    try:
        return [words for words in await asyncio.gather(*tasks) if words]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=FLUSH_SECONDS)


class _Part:
    """One lane's."""

    def __init__(self, dispatch: Dispatch, lane: str) -> None:
        self._setup = dispatch.setup
        self._foreseen = dispatch.foreseen
        self._forecast = dispatch.foreseen.forecasts[lane]
        self._lane = lane
        self._recorded = dispatch.recorded
        self._published = dispatch.published.get(lane, Published())
        self._look = dispatch.look
        self._ahead_records = dispatch.ahead_records
        self._next_look = 0
        self.sent = dispatch.sent[lane]

    async def run(self) -> str:
        """Why it could not be finished, in words; empty when it is done."""
        settings = wiring.kafka_settings(self._setup)
        try:
            async with BackfillDoor(settings, wiring.backfill_topic(self._lane)) as door:
                try:
                    trouble = await self._all(settings, door)
                finally:
                    # What was put is published, whoever ends us: it only is not counted twice.
                    await _flushed(door)
        except RangeError as error:
            return f"{self._lane}: {error}"
        if trouble is not None:
            return f"{self._lane}: {trouble.reason} {trouble.detail}".strip()
        self.sent.done = True
        self._look(self.sent)
        return ""

    async def _all(self, settings: KafkaSettings, door: BackfillDoor) -> Trouble | None:
        replay = self._foreseen.wish.asked.replay
        own = (REPLAY_HEADER, replay.encode())
        if self._published.plan is None:
            note = plan_note(self._foreseen, self._recorded, self._lane)
            if trouble := await door.note(replay.encode(), (own, (PLAN_HEADER, note))) or await door.flush():
                return trouble
        brake = _Brake(settings, self._lane, self._ahead_records)
        if trouble := await self._publish(door, brake):
            return trouble
        total = {"records": self.sent.records + self.sent.before, "late": self._forecast.late}
        return await door.note(replay.encode(), (own, (END_HEADER, json.dumps(total).encode()))) or await door.flush()

    async def _publish(self, door: BackfillDoor, brake: "_Brake") -> Trouble | None:
        wish, reading = self._foreseen.wish, Reading(self._setup, self._foreseen.wish)
        async for records in read_learned(self._setup, wish.range, self._foreseen.stretches):
            for record in records:
                if trouble := await self._put(record, reading, door):
                    return trouble
                if self.sent.records >= self._next_look:
                    self._next_look = self.sent.records + min(LOOK_RECORDS, self._ahead_records)
                    await self._braked(brake, door)
            self._look(self.sent)
            await asyncio.sleep(0)
        return None

    async def _put(self, record: Record, reading: Reading, door: BackfillDoor) -> Trouble | None:
        known = self._published.has(record.position)
        self.sent.before += known
        for lane, found in reading.found(record):
            if lane != self._lane:
                continue
            wanted = self._forecast.wanted(record, found, time.time(), published=known)
            if wanted is not None:
                old, commands = wanted
                if trouble := await door.put(old):
                    return trouble
                self.sent.records += 1
                self.sent.commands += commands
        return None

    async def _braked(self, brake: "_Brake", door: BackfillDoor) -> None:
        """Wait while the lane has too much before it; what was put is durable meanwhile."""
        while (behind := await brake.behind(self.sent.records)) > self._ahead_records:
            self.sent.behind, self.sent.waits = behind, True
            self._look(self.sent)
            await door.flush()
            await asyncio.sleep(LOOK_SECONDS)
        self.sent.behind, self.sent.waits = behind, False


async def _flushed(door: BackfillDoor) -> None:
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await door.flush()
    except TimeoutError:
        return


class _Brake:
    """How many records of its backfill topic a lane has not settled yet, whoever published them."""

    def __init__(self, settings: KafkaSettings, lane: str, ahead_records: int) -> None:
        self._settings = settings
        self._lane = lane
        self._ahead_records = ahead_records
        # What the broker said last, and how much this run had published then.
        self._said: int | None = None
        self._published = 0

    async def behind(self, published: int) -> int:
        """Asked of the broker at first, and then only where it could be too much."""
        if self._said is None or self._said + published - self._published > self._ahead_records:
            self._said, self._published = await self._asked(), published
        return self._said + published - self._published

    async def _asked(self) -> int:
        """Raises RangeError where nobody answers."""
        topic = wiring.backfill_topic(self._lane)
        committed = await committed_offsets(self._settings, wiring.group_name(self._lane), [topic])
        async with range_reader(self._settings, [topic]) as reader:
            held = reader if isinstance(reader, Trouble) else await reader.freeze()
        if isinstance(held, Trouble) or isinstance(committed, Trouble):
            raise RangeError(f"{topic}: {held if isinstance(held, Trouble) else committed}")
        return sum(each.end - max(each.begin, committed.get(each.partition) or 0) for each in held)
