"""One attempt: into the journal, a last look, the wire, and its landing, whatever came of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from consumer.core.bisection import Sentence
from consumer.core.desk import Desk
from consumer.core.facts import CommandEnded, DeadLettered, Pushed, RequestSent, RequestWithdrawn
from consumer.core.landing import Landed, attempt_records, land, withdrawn
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Blocked,
    Command,
    Deferred,
    Delivered,
    Ended,
    Outcome,
    Parcel,
    Position,
    Record,
    Refused,
    Rejection,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.ports import DeadLetter
from consumer.core.repeats import is_lost
from consumer.core.value import value
from consumer.engine.board import Board
from consumer.engine.clock import BrokerClock
from consumer.engine.cutoff import Cutoff
from consumer.engine.follower import Follower
from consumer.engine.gate import Gate, Grant
from consumer.engine.settings import LaneParts
from consumer.engine.switch import Switch
from consumer.engine.watchlist import Watchlist
from schemas.journal import Attempt, Repeat

# The worst news of a batch is what the gate and the lane go by.
_GRAVITY: tuple[type[Verdict], ...] = (Blocked, Unsure, Deferred, Refused, Delivered)


Ends = defaultdict[tuple[str, Outcome, str], int]
"""How many commands of each route had which outcome, and for what reason."""


@dataclass(frozen=True, slots=True)
class Office:
    """What a flight needs of its lane. `cutoff` is the end of the drain's budget."""

    lane: str
    parts: LaneParts
    memory: Memory
    follower: Follower
    clock: BrokerClock
    board: Board
    stopping: Callable[[], bool]
    cutoff: Cutoff
    watchlist: Watchlist
    switch: Switch

    @property
    def may_send(self) -> bool:
        """Whether a request may be begun: whom not to tell is known, and nobody has paused the lane."""
        return self.watchlist.complete and self.switch.on and not self.stopping()


@value
class Flight:
    """A batch under way. It keeps its own desk and gate: whoever owns the lane when it ends, it lands.

    Only where its answer was lost, and the sink knows its requests by keys, it ends without a landing: the attempt
    stays open, and `repeat` sends the very same request again.
    """

    office: Office
    desk: Desk
    gate: Gate
    batch: Batch
    grant: Grant
    repeat: Callable[[Batch], None]

    def announcement(self) -> Sequence[Attempt | Repeat]:
        """What the journal must have before the request is made."""
        places = {command.id: self.desk.positions(command) for command in self.batch.commands}
        return attempt_records(self.batch, places)

    async def fly(self) -> Landed | None:
        """From the last look on, for it was announced, to what came of it, with its letters written; None where the
        attempt stays open."""
        forbidden = self._forbidden()
        if forbidden is None:
            landed = await self._answered(await self._send())
        else:
            self.gate.give_back(self.grant)
            self.office.parts.emit(RequestWithdrawn(self.office.lane, self.batch.id, forbidden))
            landed = await self._withdrawn(forbidden)
        for command, verdict in () if landed is None else landed.letters:
            await bury(self.office, self.desk, Sentence(command, "refused", verdict), self._places(command))
        return landed

    async def _answered(self, verdicts: Verdicts) -> Landed | None:
        if self.office.parts.sink.idempotent:
            lost = next((verdict.reason for verdict in verdicts if is_lost(verdict)), None)
            if lost is not None:
                await self._wait_again(lost)
                return None
        return land(self.batch, verdicts, self.office.memory, self.desk.bisection.suspects(self.batch))

    async def _wait_again(self, reason: str) -> None:
        record = Repeat(attempt=self.batch.id, epoch=self.batch.epoch, sent=False, reason=reason)
        await self.office.parts.journal.append(record)
        self.repeat(self.batch)

    async def _withdrawn(self, forbidden: str) -> Landed | None:
        return withdrawn(self.batch, forbidden)

    def _places(self, _command: Command) -> Sequence[Position]:
        """Where a command's records are, if the desk does not know it."""
        return ()

    def _forbidden(self) -> str | None:
        """The look: reasons not to make the request after all. From here to the socket nothing is awaited."""
        memory, now = self.office.memory, self.office.clock.now()
        if memory.epoch != self.batch.epoch:
            return "superseded_owner"
        if self.office.stopping():
            return "stopping"
        if not self.office.switch.on:
            return "paused"
        return self._outdated(memory, now)

    def _outdated(self, memory: Memory, now: float) -> str | None:
        """The same of its commands: why one of them must not be told any more."""
        for command in self.batch.commands:
            if memory.ended(command.id) is not None:
                return "ended"
            if command.deadline <= now:
                return "expired"
        return "quiet_hours" if self.desk.lot.is_quiet(self.batch.commands, now) else None

    async def _send(self) -> Verdicts:
        office, started = self.office, self.office.clock.now()
        answer = await office.cutoff.until(office.parts.sink.send(self.batch))
        verdicts = self.desk.bisection.hear(self.batch, (Unsure("stopped"),) if answer is None else answer)
        seconds = office.clock.now() - started
        worst = verdicts[0] if len(verdicts) == 1 else min(verdicts, key=_gravity)
        self.gate.settle(self.grant, worst, told=_told(self.batch, verdicts))
        self._show(worst)
        reason = "" if isinstance(worst, Delivered) else worst.reason
        name, recipients = type(worst).__name__.lower(), len(self.batch.recipients)
        office.parts.emit(
            RequestSent(office.lane, office.parts.sink.provider, self.batch.id, name, reason, recipients, seconds)
        )
        return verdicts

    def _show(self, verdict: Verdict) -> None:
        match verdict:
            case Blocked():
                self.office.board.block("provider", verdict.reason, verdict.detail)
            case Delivered() | Refused():
                self.office.board.clear("provider")
            case Deferred() | Unsure():
                # Says nothing about the lane itself: what was blocked stays so until an answer proves otherwise.
                pass

    # --- landing ------------------------------------------------------------------------------------------------------

    def settle(self, landed: Landed, ends: Ends) -> None:
        """The landing is durable: its commands end, which is counted in `ends`, or wait again."""
        ended = self.desk.land(self.batch.commands, landed.outcomes, landed.refused)
        self._tell(landed, ends)
        report_ends(self.office, ended)

    def _tell(self, landed: Landed, ends: Ends) -> None:
        """A fact for what each route told in each parcel."""
        outcomes = iter(landed.outcomes)
        for parcel in self.batch.parcels:
            told: defaultdict[str, list[Command]] = defaultdict(list)
            for command, outcome in zip(parcel.commands, outcomes, strict=False):
                if outcome is Outcome.DELIVERED:
                    told[command.terms.route].append(command)
                elif outcome is not None:
                    # The record's reason is that of the others, where a batch had a verdict for each.
                    ends[command.terms.route, outcome, landed.record.reason] += 1
            for route, commands in told.items():
                ends[route, Outcome.DELIVERED, ""] += len(commands)
                self._tell_pushed(route, parcel, commands)

    def _tell_pushed(self, route: str, parcel: Parcel, commands: list[Command]) -> None:
        now, parts = self.office.clock.now(), self.office.parts
        ages = [now - command.arrived for command in commands]
        within = commands[0].terms.deliver_within_seconds
        parts.emit(
            Pushed(
                lane=self.office.lane,
                provider=parts.sink.provider,
                attempt=self.batch.id,
                route=route,
                level=parcel.level,
                message=parcel.message,
                recipients=tuple([command.recipient for command in commands]),
                ages_seconds=tuple(ages),
                in_time=sum([age <= within for age in ages]),
            )
        )


async def announce(office: Office, flights: Iterable[Flight]) -> None:
    """The journal has what these are about to do, and the memory knows all that stands before it."""
    records = [record for flight in flights for record in flight.announcement()]
    appended = await office.parts.journal.append(*records)
    await office.follower.reached(appended.offset)


async def write_landings(office: Office, landings: Sequence[tuple[Flight, Landed]]) -> None:
    """Durable first, settled second."""
    appended = await office.parts.journal.append(*[landed.record for _, landed in landings])
    capped = office.memory.told.wanted
    if any(landed.record.doubtful or (capped and flight.batch.marketing) for flight, landed in landings):
        # What waits again takes the attempt's wording from the memory, and caps are counted there: it must have read
        # the landings first.
        await office.follower.reached(appended.offset)
    ends: Ends = defaultdict(int)
    for flight, landed in landings:
        flight.settle(landed, ends)
    _report(office, ends)


def _gravity(verdict: Verdict) -> int:
    return _GRAVITY.index(type(verdict))


def _told(batch: Batch, verdicts: Verdicts) -> int:
    """How many people the request may have reached."""
    if len(verdicts) == 1:
        return len(batch.recipients) if _reaches(verdicts[0]) else 0
    pairs = zip(batch.commands, verdicts, strict=True)
    return len({command.recipient for command, verdict in pairs if _reaches(verdict)})


def _reaches(verdict: Verdict) -> bool:
    return isinstance(verdict, Delivered) or is_lost(verdict)


async def bury(office: Office, desk: Desk, sentence: Sentence, places: Sequence[Position] = ()) -> None:
    """Write the dead letter of a command, with its original record: where the desk knows none, one of `places`."""
    command, reason = sentence.command, sentence.reason
    positions = desk.positions(command) or places
    fetched = await office.parts.source.fetch(positions[0]) if positions else None
    if not isinstance(fetched, Record):
        fetched = Record(positions[0] if positions else Position(command.source, -1, -1), command.arrived)
    detail = _detail(sentence.verdict)
    rejection = Rejection(f"{command.id.hex()}-{reason}", reason, detail, command.terms.route)
    await office.parts.dead_letters.append(DeadLetter(office.lane, fetched, rejection, command.id.hex()))
    office.parts.emit(DeadLettered(office.lane, reason, command.terms.route, detail))


def _detail(verdict: Refused) -> str:
    return f"{verdict.reason}: {verdict.detail}" if verdict.detail else verdict.reason


def report_ends(office: Office, ended: tuple[Ended, ...]) -> None:
    """Say the ends that needed no request, one fact for each route, outcome and reason."""
    if not ended:
        return
    _report(office, Counter((end.command.terms.route, end.outcome, end.reason) for end in ended))


def _report(office: Office, ends: Mapping[tuple[str, Outcome, str], int]) -> None:
    for (route, outcome, reason), count in ends.items():
        office.parts.emit(CommandEnded(office.lane, route, outcome, reason, count))
