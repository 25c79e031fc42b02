"""Requests that go out again as they were, under their keys: after a lost answer, and after the death of an owner."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from consumer.core.bisection import Sentence, refused_whole
from consumer.core.desk import Desk
from consumer.core.facts import CommandEnded
from consumer.core.landing import Landed, land
from consumer.core.memory import OpenAttempt
from consumer.core.model import Batch, Blocked, Command, Deferred, Outcome, Position, Refused, Unsure, Verdicts
from consumer.core.repeats import KILLS, buried, is_fatal, rebuilt
from consumer.core.value import value
from consumer.engine.flight import Ends, Flight, Office, bury
from consumer.engine.gate import Gate, Grant
from schemas.journal import Repeat

_LETTER = Refused(KILLS, "every process that made this request has died in it")

# Why a request is not made now, and may be later.
_LATER = ("superseded_owner", "stopping", "paused")


@value
class RepeatFlight(Flight):
    """An open attempt on its way once more. `restored`: it comes from the journal, so that its commands are not bound
    on the desk but in doubt there, and the journal's own reader lets them go."""

    restored: OpenAttempt | None = None

    async def _answered(self, verdicts: Verdicts) -> Landed | None:
        """That this repeat did not happen says nothing of what went before it: the attempt stays open. One that is
        refused whole will not be repeated under its key, and what went before it may still arrive: the routes decide
        whether its people are told under another one."""
        reasons = [verdict.reason for verdict in verdicts if isinstance(verdict, Blocked | Deferred)]
        refusal = refused_whole(verdicts)
        if len(reasons) == len(verdicts):
            await self._wait_again(reasons[0])
            return None
        if refusal is not None:
            return land(self.batch, (Unsure(refusal.reason),), self.office.memory)
        return await Flight._answered(self, verdicts)

    def announcement(self) -> Sequence[Repeat]:
        return (Repeat(attempt=self.batch.id, epoch=self.batch.epoch, sent=True),)

    def _forbidden(self) -> str | None:
        if self.batch.id not in self.office.memory.open_attempts:
            return "landed"
        return Flight._forbidden(self)

    async def _withdrawn(self, forbidden: str) -> Landed | None:
        """What may have happened already is not withdrawn: it waits on, or it is over and the routes decide."""
        if forbidden in _LATER:
            await self._wait_again(forbidden)
            return None
        return None if forbidden == "landed" else land(self.batch, (Unsure(forbidden),), self.office.memory)

    def _places(self, command: Command) -> Sequence[Position]:
        return () if self.restored is None else places(self.restored, command)

    def settle(self, landed: Landed, ends: Ends) -> None:
        if self.restored is None:
            Flight.settle(self, landed, ends)
        else:
            self._tell(landed, ends)


class Repeats:
    """What waits to go out again. It gets every second request while other work is due, so that one request that always
    fails starves nobody."""

    def __init__(self, office: Office, desk: Desk, gate: Gate) -> None:
        self._office = office
        self._desk = desk
        self._gate = gate
        self._waiting: deque[tuple[Batch, OpenAttempt | None]] = deque()
        self._taken_up: set[str] = set()
        self._turn = False

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def put(self, batch: Batch, restored: OpenAttempt | None = None) -> None:
        """The answer of this request was lost."""
        self._waiting.append((batch, restored))

    def next(self, epoch: int, grant: Grant) -> RepeatFlight | None:
        """The next one, under the owner's present epoch."""
        self._turn = not self._turn
        if not self._waiting or (self._desk.due and not self._turn):
            return None
        batch, restored = self._waiting.popleft()
        again = partial(self.put, restored=restored)
        return RepeatFlight(self._office, self._desk, self._gate, replace(batch, epoch=epoch), grant, again, restored)

    async def take_up(self, attempt_id: str, epoch: int) -> None:
        """An attempt that an earlier owner has left without a landing goes out again, unless it kills its owners."""
        attempt = self._office.memory.open_attempts.get(attempt_id)
        if attempt is None or attempt_id in self._taken_up:
            return
        self._taken_up.add(attempt_id)
        if is_fatal(attempt):
            await self._bury(attempt, epoch)
        else:
            self.put(rebuilt(attempt, epoch), attempt)

    async def _bury(self, attempt: OpenAttempt, epoch: int) -> None:
        commands = rebuilt(attempt, epoch).commands
        for command in commands:
            await bury(self._office, self._desk, Sentence(command, KILLS, _LETTER), places(attempt, command))
        await self._office.parts.journal.append(buried(attempt, epoch))
        for route, count in Counter(command.terms.route for command in commands).items():
            self._office.parts.emit(CommandEnded(self._office.lane, route, Outcome.REFUSED, KILLS, count))


def places(attempt: OpenAttempt, command: Command) -> list[Position]:
    """The records that asked for a command, as its attempt names them."""
    rows = (row for row in attempt.commands if row.id == command.id)
    return [Position(*position) for row in rows for position in row.positions]
