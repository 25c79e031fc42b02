"""One attempt: into the journal, a last look, the wire, and its landing, whatever came of it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

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
    Trouble,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.ports import DeadLetter
from consumer.engine.board import Board
from consumer.engine.clock import BrokerClock
from consumer.engine.follower import Follower
from consumer.engine.gate import Gate, Grant
from consumer.engine.settings import LaneParts

# The worst news of a batch is what the gate and the lane go by.
_GRAVITY: tuple[type[Verdict], ...] = (Blocked, Unsure, Deferred, Refused, Delivered)


@dataclass(frozen=True, slots=True)
class Office:
    """What a flight needs of its lane. `cutoff` is done when the drain's budget is spent."""

    lane: str
    parts: LaneParts
    memory: Memory
    follower: Follower
    clock: BrokerClock
    board: Board
    stopping: Callable[[], bool]
    cutoff: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch under way. It keeps its own desk and gate: whoever owns the lane when it ends, it lands."""

    office: Office
    desk: Desk
    gate: Gate
    batch: Batch
    grant: Grant

    async def fly(self) -> None:
        await self._write_attempt()
        forbidden = self._forbidden()
        if forbidden is None:
            verdicts = await self._send()
            landed = land(self.batch, verdicts, self.office.memory)
        else:
            self.gate.give_back(self.grant)
            self.office.parts.emit(RequestWithdrawn(self.office.lane, self.batch.id, forbidden))
            landed = withdrawn(self.batch, forbidden)
        await self._land(landed)

    async def _write_attempt(self) -> None:
        places = {command.id: self.desk.positions(command) for command in self.batch.commands}
        offset = 0
        for record in attempt_records(self.batch, places):
            offset = (await self.office.parts.journal.append(record)).offset
        await self.office.follower.reached(offset)

    def _forbidden(self) -> str | None:
        """The look: reasons not to make the request after all. From here to the socket nothing is awaited."""
        memory, now = self.office.memory, self.office.clock.now()
        if memory.epoch != self.batch.epoch:
            return "superseded_owner"
        if self.office.stopping():
            return "stopping"
        if any(memory.ended(command.id) is not None for command in self.batch.commands):
            return "ended"
        if any(command.deadline <= now for command in self.batch.commands):
            return "expired"
        return None

    async def _send(self) -> Verdicts:
        started = self.office.clock.now()
        verdicts = await self._until_cutoff()
        seconds = self.office.clock.now() - started
        worst = min(verdicts, key=lambda verdict: _GRAVITY.index(type(verdict)))
        self.gate.settle(self.grant, worst)
        self._show(worst)
        reason = "" if isinstance(worst, Delivered) else worst.reason
        name = type(worst).__name__.lower()
        recipients = len({command.recipient for command in self.batch.commands})
        provider = self.office.parts.sink.provider
        self.office.parts.emit(
            RequestSent(self.office.lane, provider, self.batch.id, name, reason, recipients, seconds)
        )
        return verdicts

    async def _until_cutoff(self) -> Verdicts:
        send = asyncio.ensure_future(self.office.parts.sink.send(self.batch))
        try:
            either: set[asyncio.Future[Any]] = {send, self.office.cutoff}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return send.result() if send.done() else (Unsure("stopped"),)
        finally:
            send.cancel()

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

    async def _land(self, landed: Landed) -> None:
        for command, verdict in landed.letters:
            await self._bury(command, verdict)
        appended = await self.office.parts.journal.append(landed.record)
        if landed.record.doubtful:
            # What waits again takes the attempt's wording from the memory, which must have read it first.
            await self.office.follower.reached(appended.offset)
        self.desk.halve(landed.halves)
        again = {command.id for parcel in landed.halves for command in parcel.commands}
        rest = [pair for pair in zip(self.batch.commands, landed.outcomes, strict=True) if pair[0].id not in again]
        ended = self.desk.land([command for command, _ in rest], [outcome for _, outcome in rest])
        self._tell(landed)
        report_ends(self.office, ended)

    async def _bury(self, command: Command, verdict: Refused) -> None:
        """The dead letter of a refused command carries its original record."""
        positions = self.desk.positions(command)
        record = await self._original(positions[0]) if positions else None
        if record is None:
            record = Record(positions[0] if positions else Position(command.source, -1, -1), command.arrived)
        rejection = Rejection(f"{command.id.hex()}-refused", "refused", _detail(verdict), command.terms.route)
        letter = DeadLetter(self.office.lane, record, rejection, command.id.hex())
        await self.office.parts.dead_letters.append(letter)
        self.office.parts.emit(DeadLettered(self.office.lane, "refused", command.terms.route, _detail(verdict)))

    async def _original(self, position: Position) -> Record | None:
        fetched = await self.office.parts.source.fetch(position)
        return None if isinstance(fetched, Trouble) else fetched

    def _tell(self, landed: Landed) -> None:
        lane, emit = self.office.lane, self.office.parts.emit
        pairs = list(zip(self.batch.commands, landed.outcomes, strict=True))
        counts = Counter((command.terms.route, outcome) for command, outcome in pairs if outcome is not None)
        for (route, outcome), count in counts.items():
            emit(CommandEnded(lane, route, outcome, landed.record.reason, count))
        delivered = {command.id for command, outcome in pairs if outcome is Outcome.DELIVERED}
        for parcel in self.batch.parcels:
            told = sorted((c for c in parcel.commands if c.id in delivered), key=lambda c: c.terms.route)
            for route, commands in groupby(told, key=lambda c: c.terms.route):
                emit(self._pushed(route, parcel, list(commands)))

    def _pushed(self, route: str, parcel: Parcel, commands: list[Command]) -> Pushed:
        now = self.office.clock.now()
        ages = tuple(now - command.arrived for command in commands)
        within = commands[0].terms.deliver_within_seconds
        return Pushed(
            lane=self.office.lane,
            provider=self.office.parts.sink.provider,
            attempt=self.batch.id,
            route=route,
            level=parcel.level,
            message=parcel.message,
            recipients=tuple(command.recipient for command in commands),
            ages_seconds=ages,
            in_time=sum(age <= within for age in ages),
        )


def _detail(verdict: Refused) -> str:
    return f"{verdict.reason}: {verdict.detail}" if verdict.detail else verdict.reason


def report_ends(office: Office, ended: tuple[Ended, ...]) -> None:
    """Say the ends that needed no request, one fact for each route, outcome and reason."""
    counts = Counter((end.command.terms.route, end.outcome, end.reason) for end in ended)
    for (route, outcome, reason), count in counts.items():
        office.parts.emit(CommandEnded(office.lane, route, outcome, reason, count))
