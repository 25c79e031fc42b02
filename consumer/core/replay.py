"""What a replay would do, command by command and without saying anything: who would be told, who would not, and why.

A forecast sees every record of the range once. What it keeps of them is packed: eight bytes a command and some thirty a
thread and a person, so that a million events take a few dozen megabytes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from consumer.core.backfill import Backfilled, next_life
from consumer.core.compiled import CompiledRoute, Ladder
from consumer.core.event_types import Read
from consumer.core.formats import Opened
from consumer.core.hindsight import FirstEnd, Hindsight
from consumer.core.model import Command, Ended, Ignored, Outcome, Plan, Planned, Position, Record, Rejected
from consumer.core.model import TopicPartition as TopicPartition
from consumer.core.packed import Packed
from consumer.core.plan import LaneProfile, Planner, Reading, Way
from consumer.core.replay_quota import Estimate, Pace, Sayings
from consumer.core.routes import RouteSet

_RANK_BIAS = 1 << 62
_RANK_LIMIT = (1 << 64) - 1
_HASH_MASK = (1 << 64) - 1
# So many routes of a lane have a bit each; the commands of the others, and those of equal rank, are counted one by one.
_BITS = 63


class Fate(StrEnum):
    """What a replay would do with a command: tell it, or not because of how it ended or where it is."""

    TOLD = "told"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    REPEATED = "repeated"
    CONFLICT = "conflict"

    # Fates are counted once a command; that of an enumeration is made in Python each time.
    __hash__ = str.__hash__


class Judgement(NamedTuple):
    """A fate, and in one word what says so: `journal` where the lane's journal does."""

    fate: Fate
    why: str = ""


TOLD = Judgement(Fate.TOLD)
OUTDATED = Judgement(Fate.SUPERSEDED, "newer")


class Tally(NamedTuple):
    """So many commands of a route have this fate."""

    route: str
    fate: Fate
    why: str
    commands: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of a replay. Empty sets are everything.

    `again`: also who was told already. `extend_ttl_seconds` is added to every ttl.
    """

    replay: str
    routes: frozenset[str] = frozenset()
    again: bool = False
    extend_ttl_seconds: float = 0.0

    def of(self, record: Record) -> Backfilled:
        """A record as the lane would get it, if all its routes were wanted."""
        return Backfilled(record, self.replay, frozenset(), self.again, self.extend_ttl_seconds)


class Foresight(Planner):
    """Plans as the lane does, and renders nothing: commands without wordings, ten times as many a second."""

    def __init__(self, profile: LaneProfile, routes: RouteSet) -> None:
        super().__init__(profile, routes)
        self._silent: dict[str, Ladder] = {}

    def _ladder(self, route: CompiledRoute, reading: Reading) -> Ladder:
        known = self._silent.get(route.route.id)
        if known is None:
            known = self._silent[route.route.id] = Ladder((), route.terms_of(()))
        return known


Listed = Callable[[str, float], bool]


@dataclass(frozen=True, slots=True)
class Outlook:
    """A lane seen from outside at the moment `now` (seconds since 1970).

    `committed`: its group's offsets; what lies there or behind it the lane itself will still tell. `listed`: whom the
    list of suppressions names at a moment.
    """

    foresight: Foresight
    planner: Planner
    hindsight: Hindsight
    now: float
    committed: Mapping[TopicPartition, int | None] = field(default_factory=dict)
    listed: Listed = lambda _recipient, _now: False


class Forecast:
    """One lane's. `see` every record of the range, then read the figures; then ask `wanted` of every record again for
    what is to be published."""

    def __init__(self, outlook: Outlook, asked: Asked) -> None:
        self._outlook = outlook
        self._asked = asked
        self._counts: Counter[tuple[str, Judgement]] = Counter()
        self._seen = Packed()
        self._told = Packed()
        self._sent = Packed()
        self._ways: dict[str, Way] = {}
        self._threads = _Threads()
        self._people = _People()
        self._doubted = {command.id for one in outlook.hindsight.open_attempts.values() for command in one.commands}
        self.sayings = Sayings()
        self.ignored: Counter[str] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.late = 0

    # --- the first reading --------------------------------------------------------------------------------------------

    def see(self, record: Record, event: Read | Opened) -> None:
        """Judge every command that the record would become; `event` is what its bytes were decoded to, with what was
        in its envelope where it had one."""
        plan = self._plan(record, event)
        if isinstance(plan, Ignored):
            self.ignored[plan.reason] += 1
        elif isinstance(plan, Rejected):
            self.rejected["", plan.rejection.reason] += 1
        else:
            self._see_planned(record, plan)

    def _plan(self, record: Record, event: Read | Opened) -> Plan:
        topic = record.position.topic
        way = self._ways.get(topic)
        if way is None:
            # What a plan asks of it is the same for all records of a topic.
            way = self._ways[topic] = Way(topic, self._outlook.now, self._asked.of(record))
        read = event if isinstance(event, Opened) else Opened(record, event)
        return self._outlook.foresight.plan_event(read.record, way, read.event)

    def _see_planned(self, record: Record, plan: Planned) -> None:
        for rejection in plan.rejections:
            if self._wants(rejection.route or ""):
                self.rejected[rejection.route or "", rejection.reason] += 1
        for end in plan.ended:
            if self._wants(end.command.terms.route):
                self._judge(end.command, record, end)
        for command in plan.commands:
            if self._wants(command.terms.route):
                self._judge(command, record)
            elif command.thread is not None:
                # Not asked for, and newer all the same.
                self._outdate(command.thread, command, told=False)

    def _wants(self, route: str) -> bool:
        return not self._asked.routes or route in self._asked.routes

    def _judge(self, command: Command, record: Record, end: Ended | None = None) -> None:
        if not self._seen.add(_key(command.id)):
            self._count(command, Judgement(Fate.REPEATED))
            return
        id_, past = self._life(command)
        judgement = self._past_of(id_, past, record.position) or self._present(command, end)
        if judgement is None and self.sayings.wanted and not self._sayable(command, record):
            self.rejected[command.terms.route, "render"] += 1
            return
        told = judgement is None
        if command.thread is not None and end is None and self._outdate(command.thread, command, told=told) and told:
            judgement, told = OUTDATED, False
        self._count(command, judgement or TOLD)
        if told:
            self._told.add(_key(id_))
            self._people.note(command.recipient, 1)

    def _life(self, command: Command) -> tuple[bytes, FirstEnd | None]:
        """The command's id and end; where more time is asked for, those of its latest life: what has expired untold may
        try once more."""
        id_ = command.id
        past = self._outlook.hindsight.end_of(id_, command.digest)
        while past is not None and past.outcome is Outcome.EXPIRED and self._asked.extend_ttl_seconds:
            id_ = next_life(id_)
            past = self._outlook.hindsight.end_of(id_, command.digest)
        return id_, past

    def _past_of(self, id_: bytes, past: FirstEnd | None, position: Position) -> Judgement | None:
        if past is not None:
            return Judgement(Fate(past.outcome), "journal") if past.alike else Judgement(Fate.CONFLICT, "payload")
        if id_ in self._doubted:
            return Judgement(Fate.WAITING, "in_doubt")
        if self._outlook.hindsight.parked.get(id_) is not None:
            return Judgement(Fate.WAITING, "parked")
        if not self._outlook.committed:
            return None
        committed = self._outlook.committed.get(position.topic_partition)
        return Judgement(Fate.WAITING, "lane") if committed is not None and position.offset >= committed else None

    def _present(self, command: Command, end: Ended | None) -> Judgement | None:
        now = self._outlook.now
        if end is not None:
            return Judgement(Fate.SUPPRESSED, end.reason)
        if self._outlook.listed(command.recipient, now):
            return Judgement(Fate.SUPPRESSED, "listed")
        if command.deadline <= now:
            return Judgement(Fate.EXPIRED, "deadline")
        attempted = None if command.thread is None else self._outlook.hindsight.attempted(command.thread)
        return OUTDATED if attempted is not None and attempted > command.rank else None

    def _outdate(self, thread: int, command: Command, *, told: bool) -> bool:
        """Note its rank: older ones of the thread that were to be told are not. Whether it is outdated itself."""
        outdated = self._threads.note(thread, command.rank, command.terms.route if told else None)
        if outdated is None:
            return True
        for older, count in outdated:
            self._counts[older, TOLD] -= count
            self._counts[older, OUTDATED] += count
            self._people.note(command.recipient, -count)
        return False

    def _count(self, command: Command, judgement: Judgement) -> None:
        self._counts[command.terms.route, judgement] += 1

    def _sayable(self, command: Command, record: Record) -> bool:
        """Whether it can be rendered; what it would say is kept for the estimate of requests."""
        made = self._outlook.planner.plan(record)
        for each in made.commands if isinstance(made, Planned) else ():
            if (each.terms.route, each.recipient) == (command.terms.route, command.recipient):
                self.sayings.add(each)
                return True
        return False

    # --- figures ------------------------------------------------------------------------------------------------------

    @property
    def told(self) -> int:
        """How many commands would be told."""
        return sum(count for (_, judgement), count in self._counts.items() if judgement == TOLD)

    @property
    def people(self) -> int:
        """How many people would be told something."""
        return self._people.count

    def estimate(self, pace: Pace) -> Estimate:
        """What the lane's quota needs for it."""
        return self.sayings.estimate(self.told, self.people, pace, self._threads.is_outdated)

    def tallies(self) -> list[Tally]:
        """Every fate of every route, those that are told first."""
        found = [Tally(route, *judgement, count) for (route, judgement), count in self._counts.items() if count]
        order = list(Fate)
        return sorted(found, key=lambda tally: (tally.route, order.index(tally.fate), tally.why))

    # --- the second reading -------------------------------------------------------------------------------------------

    def wanted(
        self, record: Record, event: Read | Opened, now: float, *, published: bool = False
    ) -> tuple[Backfilled, int] | None:
        """The record as it is to be published, and how many commands that are; None where it tells nobody.
        `published`: it was already, so that its copies are not. What has expired since the plan is counted in `late`.
        """
        plan = self._plan(record, event)
        commands = plan.commands if isinstance(plan, Planned) else ()
        routes: set[str] = set()
        revive: set[bytes] = set()
        count = 0
        for command, id_ in self._standing(commands):
            if published:
                continue
            if command.deadline <= now:
                self.late += 1
                continue
            count += 1
            routes.add(command.terms.route)
            revive.update(_lives_before(command.id, id_))
        if not count:
            return None
        asked = self._asked
        old = Backfilled(
            record, asked.replay, frozenset(routes), asked.again, asked.extend_ttl_seconds, frozenset(revive)
        )
        return old, count

    def _standing(self, commands: tuple[Command, ...]) -> Iterator[tuple[Command, bytes]]:
        """Those that were judged as told and are not outdated, each once, with the id of their latest life."""
        for command in commands:
            id_, _ = self._life(command)
            if _key(id_) not in self._told or not self._wants(command.terms.route):
                continue
            if command.thread is not None and self._threads.is_outdated(command.thread, command.rank):
                continue
            if self._sent.add(_key(id_)):
                yield command, id_


def _lives_before(first: bytes, last: bytes) -> Iterator[bytes]:
    while first != last:
        yield first
        first = next_life(first)


def _key(id_: bytes) -> int:
    return int.from_bytes(id_[:8])


class _People:
    """How many people have something to be told, and how much each."""

    def __init__(self) -> None:
        self._commands = Packed(1)
        self.count = 0

    def note(self, recipient: str, change: int) -> None:
        place = self._commands.place(hash(recipient) & _HASH_MASK)
        commands = self._commands.columns[0]
        before = commands[place]
        commands[place] = before + change
        self.count += (before + change > 0) - (before > 0)


class _Threads:
    """The newest rank of each thread of the range, and of which routes its commands would be told."""

    def __init__(self) -> None:
        self._known = Packed(2)
        self._bits: dict[str, int] = {}
        self._names: list[str] = []
        # Of routes beyond the bits, and of equal rank: which there hardly ever are.
        self._more: dict[int, Counter[str]] = {}

    def is_outdated(self, thread: int, rank: int) -> bool:
        """Whether a newer one came."""
        newest = self._known.get(thread)
        return newest > 0 and newest - _RANK_BIAS > rank

    def note(self, thread: int, rank: int, route: str | None) -> list[tuple[str, int]] | None:
        """A command comes; `route` where it would be told. Returned is which others it replaces, by route; None where
        a newer one came before it."""
        biased = min(max(rank + _RANK_BIAS, 1), _RANK_LIMIT)
        place = self._known.place(thread)
        ranks, masks = self._known.columns
        known, mask = ranks[place], masks[place]
        if biased < known:
            return None
        replaced: list[tuple[str, int]] = []
        if biased > known:
            replaced, mask = list(self._standing(thread, mask)), 0
        ranks[place], masks[place] = biased, self._with(thread, mask, route)
        return replaced

    def _standing(self, thread: int, mask: int) -> Iterator[tuple[str, int]]:
        while mask:
            bit = mask & -mask
            yield self._names[bit.bit_length() - 1], 1
            mask ^= bit
        yield from self._more.pop(thread, Counter()).items()

    def _with(self, thread: int, mask: int, route: str | None) -> int:
        if route is None:
            return mask
        number = self._bits.get(route)
        if number is None:
            number = self._bits[route] = len(self._bits)
            self._names.append(route)
        if number >= _BITS or mask >> number & 1:
            self._more.setdefault(thread, Counter())[route] += 1
            return mask
        return mask | 1 << number
