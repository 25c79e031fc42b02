"""Dead letters on their way out again: what would come of each, and the same through the lanes' backfill topics."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from consumer.app.dead import Shelf, letters_since, redriven
from consumer.app.profiles import backfill_topic, lane_profile
from consumer.app.setup import Setup
from consumer.core.backfill import Backfilled
from consumer.core.model import Plan, Planned, Position, Record, Trouble
from consumer.core.plan import Planner
from consumer.core.redrive import (
    MAX_REDRIVES,
    Fate,
    Foreseen,
    Guard,
    Letter,
    LetterKey,
    Wanted,
    foreseen,
    latest_lives,
    only,
    past_lives,
)
from consumer.streams.backfill import BackfillDoor
from consumer.streams.ranges import RangeReader
from consumer.streams.settings import KafkaSettings

# A record of that size may be refused for it, and then by itself.
LARGE_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a redrive. `now` is seconds since 1970; `run` names this call."""

    wanted: Wanted
    now: float
    run: str
    max_redrives: int = MAX_REDRIVES
    again: bool = False
    extend_ttl_seconds: float = 0.0


class Line(NamedTuple):
    """What becomes of the letters of one reason, lane and route, and of how many messages."""

    reason: str
    lane: str
    route: str
    fate: Fate
    detail: str


@dataclass(slots=True)
class Survey:
    """How many letters and messages there are of each line. `published`: letters that the brokers have."""

    letters: Counter[Line] = field(default_factory=Counter)
    messages: Counter[Line] = field(default_factory=Counter)
    published: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    trouble: Trouble | None = None

    def note(self, letter: Letter, seen: Foreseen) -> None:
        line = Line(str(letter.reason), letter.head.lane, letter.head.route or "", seen.fate, seen.detail)
        self.letters[line] += 1
        self.messages[line] += seen.messages

    @property
    def going(self) -> int:
        """How many letters go out again."""
        return sum(count for line, count in self.letters.items() if line.fate is Fate.GOES)

    @property
    def told(self) -> int:
        """How many messages they become."""
        return sum(self.messages.values())


@dataclass(frozen=True, slots=True)
class Redrive:
    """One redrive: `survey` tells what would come of it, `send` does it."""

    setup: Setup
    settings: KafkaSettings
    reader: RangeReader
    asked: Asked
    guard: Guard
    keys: frozenset[LetterKey]
    since: float

    async def survey(self) -> Survey:
        """Look at every letter, and publish nothing."""
        survey = Survey()
        async for each in self._looked_at():
            if isinstance(each, Trouble):
                survey.trouble = each
            else:
                survey.note(each[0], each[1])
        return survey

    async def send(self) -> Survey:
        """Publish what goes out. What is counted as published is durable, whatever happens afterwards."""
        survey = Survey()
        async with _Doors(self.settings) as doors:
            async for each in self._looked_at():
                if isinstance(each, Trouble):
                    survey.trouble = each
                else:
                    letter, seen, old = each
                    survey.note(letter, seen)
                    survey.trouble = None if old is None else await self._put(doors, letter, old, survey)
                if survey.trouble is not None:
                    break
            survey.trouble = await doors.flush() or survey.trouble
        survey.published = doors.confirmed
        return survey

    async def _put(self, doors: "_Doors", letter: Letter, old: Backfilled, survey: Survey) -> Trouble | None:
        """A large record is put alone: where the topic refuses it, the others go on without it."""
        lane = letter.head.lane
        door = await doors.to(lane)
        if len(old.record.value or b"") <= LARGE_BYTES:
            return await door.put(old)
        trouble = await door.flush()
        if trouble is not None:
            return trouble
        trouble = await door.put(old) or await door.flush()
        if trouble is None or trouble.reason != "record_too_large":
            return trouble
        survey.refused.append((letter.head.id, f"{backfill_topic(lane)} takes no record of that size"))
        await doors.close(lane)
        return None

    # --- letter by letter ---------------------------------------------------------------------------------------------

    async def _looked_at(self) -> AsyncIterator[tuple[Letter, Foreseen, Backfilled | None] | Trouble]:
        """Every letter that was asked for, once, with its value."""
        lanes: dict[str, _Lane | str] = {}
        left = set(self.keys)
        partial: list[Letter] = []
        async for letter in letters_since(self.reader, self.setup.config.topics.dead_letters, self.since):
            if isinstance(letter, Trouble):
                yield letter
                return
            if letter.key not in left:
                continue
            left.discard(letter.key)
            stopped = self.guard.stops(letter, self.asked.wanted)
            if stopped is not None:
                yield letter, Foreseen(stopped), None
            elif letter.is_partial:
                partial.append(letter)
            elif trouble := await self.setup.sources.learn([letter.original]):
                yield trouble
                return
            else:
                yield self._foretold(letter, letter.original, lanes)
        for letter in partial:
            whole = await self._again(letter)
            if isinstance(whole, Record):
                whole = await self.setup.sources.learn([whole]) or whole
            if isinstance(whole, Trouble):
                yield whole
                return
            yield (letter, Foreseen(Fate.GONE), None) if whole is None else self._foretold(letter, whole, lanes)

    async def _again(self, letter: Letter) -> Record | Trouble | None:
        """The original of a letter that has only a part of it, from its source; None where that has it no more."""
        record = await self.reader.one(letter.origin) if letter.origin.offset >= 0 else None
        if record is None or isinstance(record, Trouble):
            return record
        if not letter.is_whole(record.value):
            return None
        return replace(letter.original, value=record.value, key=record.key, headers=record.headers)

    def _foretold(
        self, letter: Letter, original: Record, lanes: "dict[str, _Lane | str]"
    ) -> tuple[Letter, Foreseen, Backfilled | None]:
        name = letter.head.lane
        if name not in lanes:
            lanes[name] = _lane(self.setup, name)
        lane = lanes[name]
        if isinstance(lane, str):
            return letter, Foreseen(Fate.NO_LANE, 0, lane), None
        old = Backfilled(
            original,
            f"redrive-{self.asked.run}",
            letter.routes,
            extend_ttl_seconds=self.asked.extend_ttl_seconds,
            redrives=letter.head.redrives + 1,
            letter=letter.head.id,
        )
        return self._alive(letter, old, lane)

    def _alive(self, letter: Letter, old: Backfilled, lane: "_Lane") -> tuple[Letter, Foreseen, Backfilled | None]:
        """A command that has ended goes out in its next life; the others of its record stay as they are."""
        plan = lane.plan(old, self.asked.now)
        if letter.revived is not None and isinstance(plan, Planned):
            ids = [command.id for command in plan.commands] + [end.command.id for end in plan.ended]
            lives = past_lives(letter.revived, ids, self.guard.done.get(letter.key, 0))
            if lives is None and ids:
                return letter, Foreseen(Fate.IGNORED, 0, "other_recipients"), None
            if lives is not None:
                old = replace(old, revive=lives[1])
                plan = only(lane.plan(old, self.asked.now), old.settled_id(lives[0]))
        seen = foreseen(plan, self.asked.now)
        return letter, seen, old if seen.fate is Fate.GOES else None


class _Doors:
    """A door for each lane, opened when it is needed. `confirmed` counts what went through all of them for good."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._open: dict[str, tuple[BackfillDoor, AsyncExitStack]] = {}
        self.confirmed = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for lane in list(self._open):
            await self.close(lane)

    async def to(self, lane: str) -> BackfillDoor:
        """The lane's own."""
        if lane not in self._open:
            stack = AsyncExitStack()
            door = await stack.enter_async_context(BackfillDoor(self._settings, backfill_topic(lane)))
            self._open[lane] = (door, stack)
        return self._open[lane][0]

    async def close(self, lane: str) -> None:
        """The next record to the lane opens another one."""
        door, stack = self._open.pop(lane)
        self.confirmed += door.confirmed
        await stack.aclose()

    async def flush(self) -> Trouble | None:
        """Until everything is durable; the first trouble where that cannot be."""
        for door, _ in self._open.values():
            trouble = await door.flush()
            if trouble is not None:
                return trouble
        return None


@dataclass(frozen=True, slots=True)
class _Lane:
    """What the lane would make of a record in its backfill topic."""

    planner: Planner
    topic: str

    def plan(self, old: Backfilled, now: float) -> Plan:
        record = old.record
        return self.planner.plan(Record(Position(self.topic, 0, 0), now, record.key, record.value, old.to_headers()))


def _lane(setup: Setup, name: str) -> _Lane | str:
    if name not in setup.config.names:
        return f'the configuration has no lane "{name}"'
    if not setup.config.lane(name).backfill:
        return f"{name} does not read its backfill topic: say `backfill: true` there and deploy it"
    return _Lane(Planner(lane_profile(setup.config, name, setup.sources.formats), setup.routes), backfill_topic(name))


async def begin(
    setup: Setup, settings: KafkaSettings, reader: RangeReader, asked: Asked, found: Shelf
) -> Redrive | Trouble:
    """A redrive of the letters on the shelf: what was redriven before is known from the backfill topics."""
    done: Counter[LetterKey] = Counter()
    keys = frozenset(letter.key for letter in found.letters)
    since = min((letter.died_at for letter in found.letters), default=asked.now)
    lanes = {name: backfill_topic(name) for name in {letter.head.lane for letter in found.letters}}

    def tell(key: LetterKey, _old: Backfilled, _record: Record) -> None:
        done[key] += 1

    trouble = await redriven(reader, lanes, since, tell)
    if trouble is not None:
        return trouble
    guard = Guard(done, latest_lives(found.read), asked.max_redrives, asked.again)
    return Redrive(setup, settings, reader, asked, guard, keys, asked.wanted.since)
