"""What a lane holds: every live command once, from its record to its one outcome.

The desk joins the outbox (what waits), the ledger (what may be committed) and the memory (what has happened before).
It is pure: it never waits and tells nobody; it answers with what must be written, and the lane writes it.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from consumer.core.ledger import Ledger
from consumer.core.memory import Memory, OpenAttempt
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


class Place(Enum):
    """Where a live command is."""

    WAITING = auto()
    BOUND = auto()
    IN_DOUBT = auto()


@dataclass(slots=True)
class Live:
    """A live command, and the records that asked for it: one command may have several, and one outcome."""

    command: Command
    positions: list[Position]
    place: Place


class Admitted(NamedTuple):
    """What a record became beside what now waits. Each rejection keeps its record open until its letter is durable."""

    ended: tuple[Ended, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()


class Desk:
    """One owner's holdings for one assignment; thrown away whole when another member claims the lane."""

    def __init__(self, outbox: Outbox, ledger: Ledger, memory: Memory) -> None:
        self.outbox = outbox
        self.ledger = ledger
        self.memory = memory
        self.closed = False
        self.unwritten: list[Ended] = []
        self._live: dict[bytes, Live] = {}
        self._doubts: dict[str, OpenAttempt] = {}
        self._doubted: set[bytes] = set()
        self._halves: deque[tuple[Parcel, ...]] = deque()
        self._halves_turn = False
        self._places: Counter[Place] = Counter()
        self._counts: Counter[str] = Counter()

    # --- records in ---------------------------------------------------------------------------------------------------

    def admit(self, record: Record, plan: Plan) -> Admitted:
        """Take up what the planner made of a record, and open it in the ledger."""
        position = record.position
        if isinstance(plan, Ignored):
            self.ledger.open(position, 0)
            return Admitted()
        if isinstance(plan, Rejected):
            self.ledger.open(position, 1)
            return Admitted(rejections=(plan.rejection,))
        self.ledger.open(position, len(plan.commands) + len(plan.ended) + len(plan.rejections))
        return self._admit_planned(position, plan)

    def _admit_planned(self, position: Position, plan: Planned) -> Admitted:
        ended: list[Ended] = []
        rejections = list(plan.rejections)
        repeated: list[tuple[str, str]] = []
        for end in plan.ended:
            state = self._known(end.command, position)
            if state is None:
                self._counts["planned"] += 1
                self._hold(end.command, position, Place.WAITING)
                self._finish(end)
                ended.append(end)
            self._note(end.command, state, rejections, repeated)
        for command in plan.commands:
            state = self._known(command, position)
            if state is None:
                ended.extend(self._take_up(command, position))
            self._note(command, state, rejections, repeated)
        return Admitted(tuple(ended), tuple(rejections), tuple(repeated))

    def _known(self, command: Command, position: Position) -> str | None:
        """Whether the command is there already: it `joined` a live one, had `ended`, or is in `conflict`."""
        live = self._live.get(command.id)
        if live is not None:
            if live.command.digest != command.digest:
                return "conflict"
            live.positions.append(position)
            return "joined"
        digest = self.memory.ended(command.id)
        if digest is None:
            return None
        if digest != command.digest:
            return "conflict"
        self.ledger.settle(position)
        return "ended"

    def _note(
        self, command: Command, state: str | None, rejections: list[Rejection], repeated: list[tuple[str, str]]
    ) -> None:
        if state == "conflict":
            name = f"{command.id.hex()}-{command.digest.hex()}"
            detail = "the same event id came before with another payload"
            rejections.append(Rejection(name, "event_id_conflict", detail, command.terms.route))
        elif state is not None:
            self._counts["planned"] += 1
            self._counts["joined"] += 1
            repeated.append((command.terms.route, state))

    def _take_up(self, command: Command, position: Position) -> tuple[Ended, ...]:
        self._counts["planned"] += 1
        if command.id in self._doubted:
            self._hold(command, position, Place.IN_DOUBT)
            return ()
        command = self._as_attempted(command)
        self._hold(command, position, Place.WAITING)
        return self._put(command)

    def _as_attempted(self, command: Command) -> Command:
        """After a doubt, the wording of the attempt: a person who sees it twice sees the same."""
        doubtful = self.memory.doubtful(command.id)
        if doubtful is None:
            return command
        return replace(command, wordings=(doubtful.message,), terms=replace(command.terms, unique=()))

    def _hold(self, command: Command, position: Position, place: Place) -> None:
        self._live[command.id] = Live(command, [position], place)
        self._places[place] += 1

    def _put(self, command: Command) -> tuple[Ended, ...]:
        thread = command.thread
        ended = self.outbox.put(command, None if thread is None else self.memory.attempted(thread))
        for end in ended:
            self._finish(end)
        return ended

    # --- requests out -------------------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether a request could carry something now."""
        return bool(self._halves) or self.outbox.open_count > 0

    def take(self, now: float, gap_seconds: float, capacity: Capacity) -> tuple[Parcel, ...]:
        """Bind what the next request carries; empty when nothing is due. Halves of refused batches get at most every
        second request, so that a poisoned batch starves nobody."""
        self._halves_turn = not self._halves_turn
        if self._halves and (self._halves_turn or not self.outbox.open_count):
            parcels = self._halves.popleft()
        else:
            parcels = self.outbox.take(now, gap_seconds, capacity)
        for parcel in parcels:
            for command in parcel.commands:
                self._move(command, Place.BOUND)
                if command.thread is not None:
                    self.memory.mark_attempted(command.thread, command.rank)
        return parcels

    def halve(self, parcels: Iterable[Parcel]) -> None:
        """Both halves of a refused parcel go out again, each in a request of its own, until the guilty stands alone."""
        if self.closed:
            return
        for parcel in parcels:
            middle = len(parcel.commands) // 2
            for commands in (parcel.commands[:middle], parcel.commands[middle:]):
                if commands:
                    self._halves.append((parcel._replace(commands=commands),))

    def positions(self, command: Command) -> Sequence[Position]:
        """The records that asked for a live command."""
        live = self._live.get(command.id)
        return live.positions if live is not None else ()

    def land(self, commands: Iterable[Command], outcomes: Iterable[Outcome | None]) -> tuple[Ended, ...]:
        """A flight's commands end, or wait again where they have no outcome. The landing is durable already, so what
        it ended needs no other record; returned is what ended by coming back (a newer one of its thread waits)."""
        ended: list[Ended] = []
        for command, outcome in zip(commands, outcomes, strict=True):
            if self.closed or command.id not in self._live:
                continue
            if outcome is None and self.memory.ended(command.id) is None:
                ended.extend(self._put_back(command))
            else:
                self._conclude(command, outcome)
        return tuple(ended)

    def _put_back(self, command: Command) -> tuple[Ended, ...]:
        again = self._as_attempted(command)
        self._live[command.id].command = again
        self._move(again, Place.WAITING)
        thread = again.thread
        ended = self.outbox.put_back(again, None if thread is None else self.memory.attempted(thread))
        for end in ended:
            self._finish(end)
        return ended

    def _conclude(self, command: Command, outcome: Outcome | None) -> None:
        """A bound command is over. Without an outcome of ours, another's record in the journal came first."""
        if command.thread is not None:
            self.outbox.land(command.thread, command.rank)
        self._counts["joined" if outcome is None else "ended"] += 1
        self._settle(command)

    # --- ends that need no request ------------------------------------------------------------------------------------

    def expire(self, now: float) -> tuple[Ended, ...]:
        """End what waits beyond its deadline, halves of refused batches included."""
        ended = list(self.outbox.expire(now))
        for end in ended:
            self._finish(end)
        for _ in range(len(self._halves)):
            parcels = tuple(self._unexpired(parcel, now, ended) for parcel in self._halves.popleft())
            if any(parcel.commands for parcel in parcels):
                self._halves.append(tuple(parcel for parcel in parcels if parcel.commands))
        return tuple(ended)

    def _unexpired(self, parcel: Parcel, now: float, ended: list[Ended]) -> Parcel:
        stale = [command for command in parcel.commands if command.deadline <= now]
        for command in stale:
            if command.thread is not None:
                self.outbox.land(command.thread, command.rank)
            end = Ended(command, Outcome.EXPIRED, "ttl")
            self._finish(end)
            ended.append(end)
        if not stale:
            return parcel
        return parcel._replace(commands=tuple(command for command in parcel.commands if command.deadline > now))

    def _finish(self, end: Ended) -> None:
        """An end that needs no request settles at once; it must be durable before the next commit."""
        self.unwritten.append(end)
        self._counts["ended"] += 1
        self._settle(end.command)

    def _settle(self, command: Command) -> None:
        live = self._live.pop(command.id)
        self._places[live.place] -= 1
        self.memory.end(command.id, command.digest)
        for position in live.positions:
            self.ledger.settle(position)

    def _move(self, command: Command, place: Place) -> None:
        live = self._live[command.id]
        self._places[live.place] -= 1
        self._places[place] += 1
        live.place = place

    # --- doubts of an earlier owner -----------------------------------------------------------------------------------

    def doubt(self, attempts: Iterable[OpenAttempt]) -> None:
        """Attempts without a landing, found when the lane was taken over: their commands and threads wait."""
        for attempt in attempts:
            self._doubts[attempt.id] = attempt
            for command in attempt.commands:
                if self.memory.ended(command.id) is None:
                    self._doubted.add(command.id)
                for end in self.outbox.fly(command.thread, command.rank):
                    self._finish(end)

    @property
    def doubts(self) -> tuple[OpenAttempt, ...]:
        return tuple(self._doubts.values())

    def resolve_doubts(self) -> tuple[Ended, ...]:
        """Let go of what is in doubt no longer: the memory has a landing for its attempt."""
        ended: list[Ended] = []
        for attempt in self.doubts:
            if attempt.id not in self.memory.open_attempts:
                del self._doubts[attempt.id]
                for command in attempt.commands:
                    if command.thread is not None:
                        self.outbox.land(command.thread, command.rank)
                    ended.extend(self._undoubt(command.id))
        return tuple(ended)

    def _undoubt(self, command_id: bytes) -> tuple[Ended, ...]:
        if any(command_id in attempt.ids for attempt in self._doubts.values()):
            return ()
        self._doubted.discard(command_id)
        live = self._live.get(command_id)
        if live is None or live.place is not Place.IN_DOUBT:
            return ()
        if self.memory.ended(command_id) is not None:
            self._counts["joined"] += 1
            self._settle(live.command)
            return ()
        live.command = self._as_attempted(live.command)
        self._move(live.command, Place.WAITING)
        return self._put(live.command)

    # --- the books ----------------------------------------------------------------------------------------------------

    def release(self) -> int:
        """Let everything go to another owner, who plans it again; how many live commands that were."""
        released = len(self._live)
        self.closed = True
        self._live.clear()
        self._halves.clear()
        self._doubts.clear()
        self.outbox.clear()
        self.ledger.clear()
        self.unwritten.clear()
        return released

    @property
    def bound(self) -> int:
        return self._places[Place.BOUND]

    @property
    def in_doubt(self) -> int:
        return self._places[Place.IN_DOUBT]

    @property
    def joined(self) -> int:
        return self._counts["joined"]

    @property
    def drift(self) -> int:
        """planned − (ended + joined + waiting + bound + in doubt): zero, always."""
        held = self.outbox.waiting + self.bound + self.in_doubt
        return self._counts["planned"] - self._counts["ended"] - self._counts["joined"] - held
