"""What a lane holds: every live command once, from its record to its one outcome.

The desk joins the outbox (what waits), the ledger (what may be committed) and the memory (what has happened before).
It is pure: it never waits and tells nobody; it answers with what must be written, and the lane writes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from consumer.core.bisection import Bisection, Refusal, Sentence
from consumer.core.books import Books
from consumer.core.doorman import Doorman, Listed, nobody
from consumer.core.doubts import Doubts
from consumer.core.ledger import Ledger
from consumer.core.lot import Lot
from consumer.core.memory import Memory
from consumer.core.model import (
    Capacity,
    Command,
    Ended,
    Ignored,
    Outcome,
    Parcel,
    Plan,
    Planned,
    Position,
    Record,
    Rejected,
    Rejection,
)
from consumer.core.outbox import Outbox
from consumer.core.shelf import Live, Place

# So many commands are looked at, or woken, in about ten milliseconds.
HUSHED_AT_ONCE = 400
WOKEN_AT_ONCE = 250

# While anything else is due, one request in so many is a part of a refused batch: it has the lowest weight, and an end.
PART_EVERY = 4


class Admitted(NamedTuple):
    """What a record became beside what now waits. Each rejection keeps its record open until its letter is durable."""

    ended: tuple[Ended, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()


NOTHING = Admitted()


class Desk:
    """One owner's holdings for one assignment; thrown away whole when another member claims the lane."""

    def __init__(self, outbox: Outbox, ledger: Ledger, memory: Memory, listed: Listed = nobody) -> None:
        self.outbox = outbox
        self.ledger = ledger
        self.memory = memory
        self.closed = False
        self.restored = len(memory.parked)
        self.books = self._books = Books(ledger, memory, outbox.live)
        self.lot = Lot(self._books, outbox)
        self.bisection = Bisection()
        self.doorman = Doorman(self._books, outbox, listed, self.bisection.withdraw)
        self.doubts = Doubts(self._books, outbox, memory, self._again)
        self._since_part = 0

    # --- records in ---------------------------------------------------------------------------------------------------

    def admit(self, record: Record, plan: Plan, now: float | None = None) -> Admitted:
        """Take up what the planner made of a record, and open it in the ledger. No `now` is the record's time."""
        position = record.position
        if isinstance(plan, Ignored):
            self.ledger.open(position, 0)
            return NOTHING
        if isinstance(plan, Rejected):
            self.ledger.open(position, 1)
            return Admitted(rejections=(plan.rejection,))
        self.ledger.open(position, len(plan.commands) + len(plan.ended) + len(plan.rejections))
        return self._admit_planned(position, plan, record.timestamp if now is None else now)

    def _admit_planned(self, position: Position, plan: Planned, now: float) -> Admitted:
        ended: list[Ended] = []
        rejections = list(plan.rejections)
        repeated: list[tuple[str, str]] = []
        for end in plan.ended:
            state = self._known(end.command, position)
            if state is None:
                self._books.hold(end.command, position, Place.WAITING)
                self._books.finish(end)
                ended.append(end)
            else:
                self._note(end.command, state, rejections, repeated)
        for command in plan.commands:
            state = self._known(command, position)
            if state is None:
                ended.extend(self._take_up(command, position, now))
            else:
                self._note(command, state, rejections, repeated)
        if not (ended or rejections or repeated):
            return NOTHING
        return Admitted(tuple(ended), tuple(rejections), tuple(repeated))

    def _known(self, command: Command, position: Position) -> str | None:
        """Whether the command is there already: it `joined` a live one, had `ended`, or is in `conflict`."""
        live = self._books.live.get(command.id)
        if live is not None:
            if live.command.digest != command.digest:
                return "conflict"
            live.positions.append(position)
            return "joined"
        sleeper = self.memory.parked.get(command.id)
        digest = sleeper.command.digest if sleeper is not None else self._books.ended_as(command.id)
        if digest is None:
            return None
        if digest != command.digest:
            return "conflict"
        self.ledger.settle(position)
        return "ended" if sleeper is None else "joined"

    def _note(self, command: Command, state: str, rejections: list[Rejection], repeated: list[tuple[str, str]]) -> None:
        if state == "conflict":
            name = f"{command.id.hex()}-{command.digest.hex()}"
            detail = "the same event id came before with another payload"
            rejections.append(Rejection(name, "event_id_conflict", detail, command.terms.route))
        else:
            self._books.planned += 1
            self._books.joined += 1
            repeated.append((command.terms.route, state))

    def _take_up(self, command: Command, position: Position, now: float) -> tuple[Ended, ...]:
        if self.doubts.about(command.id):
            self._books.hold(command, position, Place.IN_DOUBT)
            return ()
        command = self._as_attempted(command)
        self._books.hold(command, position, Place.WAITING)
        end = self.doorman.refused(command, now)
        return self._put(command) if end is None else (end,)

    def _as_attempted(self, command: Command) -> Command:
        """After a doubt, the wording of the attempt: a person who sees it twice sees the same."""
        doubtful = self.memory.doubtful(command.id)
        if doubtful is None:
            return command
        return replace(command, wordings=(doubtful.message,), terms=replace(command.terms, unique=()))

    def _put(self, command: Command) -> tuple[Ended, ...]:
        ended = self._queued(command, self.outbox.put)
        if command.thread is not None and (older := self.bisection.supersede(command.thread, command.rank)):
            ended += tuple(self._end_suspect(one, Outcome.SUPERSEDED, "newer") for one in older)
        return ended

    def _queued(self, command: Command, put: Callable[[Command, int | None], tuple[Ended, ...]]) -> tuple[Ended, ...]:
        """It waits in the outbox, unless its thread forbids it; the next `hush` looks at its night."""
        older = self.lot.outdated(command) if self.lot.occupied else ()
        ended = put(command, self._newest(command))
        for end in ended:
            self._books.finish(end)
        self.lot.drowse(command)
        return (*older, *ended)

    def _newest(self, command: Command) -> int | None:
        """The highest rank of its thread that was ever attempted, or that sleeps."""
        if command.thread is None:
            return None
        attempted = self.memory.attempted(command.thread)
        if not self.lot.occupied:
            return attempted
        ranks = (attempted, self.lot.newest(command))
        return max([rank for rank in ranks if rank is not None], default=None)

    # --- requests out -------------------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether a request could carry something now."""
        return not self.lot.drowsy and (self.bisection.ready or self.outbox.open_count > 0)

    @property
    def least(self) -> int:
        """How many recipients the next request must have room for."""
        return 1 if self.outbox.open_count else max(1, self.bisection.least)

    def take(self, now: float, gap_seconds: float, capacity: Capacity, *, probe: bool = False) -> tuple[Parcel, ...]:
        """Bind what the next request carries; empty when nothing is due. A part of a refused batch goes out when
        nothing else is due, and else with every `PART_EVERY`-th request: it starves nobody, and comes to its end."""
        self._since_part += 1
        if self._part_is_next(capacity, probe=probe):
            self._since_part = 0
            parcels = self.bisection.take()
        elif probe:
            parcels = self._probe(now, capacity)
        else:
            parcels = self.outbox.take(now, gap_seconds, capacity)
        for parcel in parcels:
            for command in parcel.commands:
                self._books.move(command, Place.BOUND)
            self.memory.mark_attempted(*[(one.thread, one.rank) for one in parcel.commands if one.thread is not None])
        return parcels

    def _part_is_next(self, capacity: Capacity, *, probe: bool) -> bool:
        if not self.bisection.ready or (capacity.total is not None and self.bisection.least > capacity.total):
            return False
        return not self.outbox.open_count or (not probe and self._since_part >= PART_EVERY)

    def _probe(self, now: float, capacity: Capacity) -> tuple[Parcel, ...]:
        """Texts that were refused lately go last: one that is always refused must not stand for all. While the provider
        refuses everything, one recipient alone, who is hardly ever the one at fault."""
        if self.bisection.refusing:
            capacity = capacity._replace(recipients=1)
        parcels = self.outbox.take_probe(now, capacity, self.bisection.refused_texts)
        if not parcels:
            self.bisection.refused_texts.clear()
            parcels = self.outbox.take_probe(now, capacity)
        return parcels

    def positions(self, command: Command) -> Sequence[Position]:
        """The records that asked for a live command."""
        live = self._books.live.get(command.id)
        return live.positions if live is not None else ()

    def land(
        self, commands: Sequence[Command], outcomes: Sequence[Outcome | None], refused: Refusal | None = None
    ) -> tuple[Ended, ...]:
        """A flight's commands end, or wait again where they have no outcome, those that were `refused` together in ever
        smaller parts. The landing is durable already, so what it ended needs no other record; returned is what ended by
        coming back (a newer one of its thread waits)."""
        if self.closed:
            return ()
        ended: list[Ended] = []
        kinds = set(outcomes)
        doubted = None in kinds and any(self.memory.doubtful(command.id) is not None for command in commands)
        parted = self.bisection.follow(commands, kinds, refused, doubted)
        for command, outcome in zip(commands, outcomes, strict=True):
            if command.id in parted or command.id not in self._books.live:
                continue
            if outcome is None and self.memory.ended(command.id) is None:
                ended.extend(self._put_back(command))
            else:
                self._conclude(command, outcome)
        if parted:
            ended.extend(self._tidy_parts([command for command in commands if command.id in parted]))
        if self.bisection.refusing:
            for command in self.bisection.give_up():
                ended.extend(self._put_back(command))
        return tuple(ended)

    def _tidy_parts(self, commands: Sequence[Command]) -> list[Ended]:
        """Of those that came back to wait for another part: some have ended elsewhere, or a newer one waits."""
        for command in self.bisection.remove(lambda one: self.memory.ended(one.id) is not None, commands):
            self._conclude(command, None)
        replaced = self.bisection.remove(self.outbox.newer_waits, commands)
        return [self._end_suspect(command, Outcome.SUPERSEDED, "newer") for command in replaced]

    def convict(self, sentence: Sentence) -> tuple[Ended, ...]:
        """The letter is durable: the command ends."""
        if self.closed:
            return ()
        self.bisection.sentences.remove(sentence)
        reason = sentence.verdict.reason if sentence.reason == "refused" else sentence.reason
        return (self._end_suspect(sentence.command, Outcome.REFUSED, reason),)

    def _end_suspect(self, command: Command, outcome: Outcome, reason: str) -> Ended:
        self.outbox.land(command.thread, command.rank)
        end = Ended(command, outcome, reason)
        self._books.finish(end)
        return end

    def _put_back(self, command: Command) -> tuple[Ended, ...]:
        again = self._as_attempted(command)
        self._books.live[command.id].command = again
        self._books.move(again, Place.WAITING)
        return self._queued(again, self.outbox.put_back)

    def _conclude(self, command: Command, outcome: Outcome | None) -> None:
        """A bound command is over. Without an outcome of ours, another's record in the journal came first."""
        if command.thread is not None:
            self.outbox.land(command.thread, command.rank)
        if outcome is None:
            self._books.joined += 1
        else:
            self._books.ended += 1
        self._books.settle(command)

    # --- ends that need no request ------------------------------------------------------------------------------------

    def expire(self, now: float) -> tuple[Ended, ...]:
        """End what waits beyond its deadline, parts of refused batches included."""
        ended = list(self.outbox.expire(now))
        for end in ended:
            self._books.finish(end)
        ended.extend(self._end_suspect(one, Outcome.EXPIRED, "ttl") for one in self.bisection.expire(now))
        return tuple(ended)

    # --- who sleeps ---------------------------------------------------------------------------------------------------

    def hush(self, now: float, most: int = HUSHED_AT_ONCE) -> tuple[Ended, ...]:
        """Put to sleep those whose quiet hours have begun; returned is whom they end. Call it until `lot.drowsy` is
        False, and before every `take`."""
        return tuple(self.lot.hush(now, most))

    def wake(self, now: float, most: int = WOKEN_AT_ONCE) -> tuple[int, tuple[Ended, ...]]:
        """Let those wait again whose time has come, as far as there is room: how many, and what ended by it."""
        ended: list[Ended] = []
        for woken in range(most):
            live = self.lot.wake(now)
            if live is None:
                return woken, tuple(ended)
            if self.doubts.about(live.command.id):
                self._books.move(live.command, Place.IN_DOUBT)
            else:
                ended.extend(self._again(live))
        return most, tuple(ended)

    def _again(self, live: Live) -> tuple[Ended, ...]:
        """It waits once more, now that its time has come or nobody doubts it."""
        live.command = self._as_attempted(live.command)
        self._books.move(live.command, Place.WAITING)
        return self._put(live.command)

    # --- the books ----------------------------------------------------------------------------------------------------

    def release(self) -> int:
        """Let everything go to another owner, who plans it again; how many live commands that were."""
        self.closed = True
        self.lot.clear()
        self.bisection.clear()
        self.doubts.clear()
        self.outbox.clear()
        self.ledger.clear()
        return self._books.clear()

    @property
    def unwritten(self) -> list[Ended]:
        """Ends that are not in the journal yet."""
        return self._books.unwritten

    @unwritten.setter
    def unwritten(self, ends: list[Ended]) -> None:
        self._books.unwritten = ends

    @property
    def bound(self) -> int:
        return self._books.at(Place.BOUND)

    @property
    def in_doubt(self) -> int:
        return self._books.at(Place.IN_DOUBT)

    @property
    def parked(self) -> int:
        """Those that wait for a time of their own, in the journal already or not."""
        return self._books.at(Place.ASLEEP) + len(self._books.parked)

    @property
    def joined(self) -> int:
        return self._books.joined

    @property
    def drift(self) -> int:
        """planned − (ended + joined + waiting + parked + bound + in doubt): zero, always."""
        books = self._books
        held = self.outbox.waiting + self.parked + self.bound + self.in_doubt
        return books.planned - books.ended - books.joined - held
