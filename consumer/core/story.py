"""The life of commands as a lane's journal tells it: tries, naps and the one end of each that somebody asks for."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.core.attempts import is_even
from consumer.core.model import Position
from consumer.core.ports import Entry
from schemas.journal import Attempt, Claim, Columns, Landing, Outcomes, Parked, Repeat, SentMessage


class Nap(NamedTuple):
    """It was parked: when, until when, and why."""

    at: float
    until: float
    reason: str


class End(NamedTuple):
    """Its one outcome, when the journal had it, and of which attempt; "" where no request was needed."""

    at: float
    outcome: str
    reason: str
    attempt: str = ""


class Again(NamedTuple):
    """The very same request went out again (`sent`), or its answer was lost once more."""

    at: float
    sent: bool
    reason: str


@dataclass(slots=True)
class Try:
    """One attempt with the command in it. `people` is everybody whom the request tells, `texts` how many different
    messages it carries; without a verdict nobody knows yet what came of it."""

    attempt: str
    epoch: int
    member: str
    at: float
    level: int
    message: SentMessage
    people: int
    texts: int
    landed_at: float | None = None
    verdict: str = ""
    reason: str = ""
    agains: list[Again] = field(default_factory=list)


@dataclass(slots=True)
class Life:
    """What the journal knows of one command. Without a route it is known by its end alone."""

    id: str
    route: str = ""
    recipient: str = ""
    thread: str | None = None
    rank: int = 0
    arrived: float = 0.0
    deadline: float = 0.0
    positions: set[Position] = field(default_factory=set)
    tries: list[Try] = field(default_factory=list)
    naps: list[Nap] = field(default_factory=list)
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose lives are asked for: commands by id, by a source record of theirs, or by recipient."""

    ids: Collection[str] = ()
    positions: Collection[Position] = ()
    recipients: Collection[str] = ()

    def rows(self, columns: Columns) -> Iterator[int]:
        """The rows of a parcel that are asked for."""
        for row, (id_, recipient, places) in enumerate(
            zip(columns.ids, columns.recipients, columns.positions, strict=False)
        ):
            named = id_ in self.ids or recipient in self.recipients
            if named or (self.positions and any(Position(*place) in self.positions for place in places)):
                yield row


@dataclass(slots=True)
class _Open:
    """An attempt without a landing: all its commands in order, and the tries of those that are asked for. `epoch`: of
    the owner that has made the request last."""

    attempt: str
    ids: list[str] = field(default_factory=list)
    tries: dict[str, Try] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    texts: set[tuple[str, str]] = field(default_factory=set)
    parts: set[int] = field(default_factory=set)
    epoch: int = 0


class Chronicle:
    """Feed it every entry of a lane's journal in order; `lives` has what is asked for, by id."""

    def __init__(self, asked: Asked) -> None:
        self.lives: dict[str, Life] = {}
        self.epoch = 0
        self.owner = ""
        self._asked = asked
        self._open: dict[str, _Open] = {}

    def apply(self, entry: Entry) -> None:
        """Take in the next entry."""
        record, at = entry.record, entry.timestamp
        match record:
            case Claim():
                if record.epoch > self.epoch:
                    self.epoch, self.owner = record.epoch, record.member
            case Attempt() if all(is_even(parcel.commands) for parcel in record.parcels):
                self._attempt(record, at)
            case Landing():
                self._land(record, at)
            case Repeat():
                self._repeat(record, at)
            case Outcomes():
                self._end_all(record, at)
            case Parked() if is_even(record.commands) and len(record.until) == len(record.commands.ids):
                self._park(record, at)
            case _:
                # What nobody can read tells nothing of anybody; nor does what does not fit together, as in a memory.
                pass

    def _life(self, columns: Columns, row: int) -> Life:
        life = self.lives.setdefault(columns.ids[row], Life(columns.ids[row]))
        life.route, life.recipient = columns.routes[row], columns.recipients[row]
        life.thread, life.rank = columns.threads[row], columns.ranks[row]
        life.arrived, life.deadline = columns.arrived[row], columns.deadlines[row]
        life.positions.update(Position(*place) for place in columns.positions[row])
        return life

    def _attempt(self, part: Attempt, at: float) -> None:
        """A part that was written twice counts once."""
        opened = self._open.setdefault(part.id, _Open(part.id, epoch=part.epoch))
        if part.part in opened.parts:
            return
        opened.parts.add(part.part)
        for parcel in part.parcels:
            opened.ids.extend(parcel.commands.ids)
            opened.people.update(parcel.commands.recipients)
            opened.texts.add((parcel.message.title, parcel.message.text))
            for row in self._asked.rows(parcel.commands):
                life = self._life(parcel.commands, row)
                made = Try(part.id, part.epoch, self._member(part.epoch), at, parcel.wording, parcel.message, 0, 0)
                opened.tries[life.id] = made
                life.tries.append(made)
        for made in opened.tries.values():
            made.people, made.texts = len(opened.people), len(opened.texts)

    def _member(self, epoch: int) -> str:
        """Who had the lane then; "" where retention has taken the claim."""
        return self.owner if epoch == self.epoch else ""

    def _land(self, landing: Landing, at: float) -> None:
        opened = self._open.get(landing.attempt)
        if opened is None:
            return
        ends = landing.outcomes if landing.outcomes is not None else [landing.outcome] * len(opened.ids)
        if landing.epoch < opened.epoch and None in ends:
            return  # the memory does not take its word for it either
        del self._open[landing.attempt]
        for id_, outcome in zip(opened.ids, ends, strict=False):
            made = opened.tries.get(id_)
            if made is None:
                continue
            made.landed_at, made.verdict, made.reason = at, landing.verdict, landing.reason
            if outcome is not None:
                self._end(id_, End(at, outcome, landing.reason, landing.attempt))

    def _repeat(self, repeat: Repeat, at: float) -> None:
        opened = self._open.get(repeat.attempt)
        if opened is not None and repeat.sent and repeat.epoch >= self.epoch:
            opened.epoch = repeat.epoch
        for made in opened.tries.values() if opened is not None else ():
            made.agains.append(Again(at, repeat.sent, repeat.reason))

    def _end_all(self, record: Outcomes, at: float) -> None:
        for id_, route in zip(record.ids, record.routes, strict=False):
            if id_ in self._asked.ids or id_ in self.lives:
                life = self.lives.setdefault(id_, Life(id_))
                life.route = life.route or route
                self._end(id_, End(at, record.outcome, record.reason))

    def _end(self, id_: str, end: End) -> None:
        """The first outcome of a command in the log wins."""
        life = self.lives[id_]
        life.end = life.end or end

    def _park(self, record: Parked, at: float) -> None:
        for row in self._asked.rows(record.commands):
            self._life(record.commands, row).naps.append(Nap(at, record.until[row], record.reason))
