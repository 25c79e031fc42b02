"""One tenure: what an owner does between its claim and the loss of the lane."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from consumer.core.desk import Desk
from consumer.core.explain import Waiting
from consumer.core.facts import (
    CommandEnded,
    CommitFailed,
    GateOpened,
    OffsetsCommitted,
)
from consumer.core.landing import Landed, lost, unknown_routes
from consumer.core.model import (
    Batch,
    Blocked,
    Ended,
    Outcome,
    TopicPartition,
)
from consumer.engine.bell import Bell
from consumer.engine.eviction import Evictions
from consumer.engine.flight import Flight, Office, announce, report_ends, write_landings
from consumer.engine.gate import Gate, Grant
from consumer.engine.intake import Intake
from consumer.engine.night import Night
from consumer.engine.repeats import Repeats
from consumer.engine.settings import LaneSettings
from consumer.engine.view import LaneView
from schemas.journal import Outcomes

TEND_SECONDS = 1.0
COMMIT_SECONDS = 1.0
IDS_PER_RECORD = 5000


Launch = Callable[[Coroutine[None, None, None]], None]


class Tenure:
    """The working loops of an owner. They may be cancelled and begun again, as long as no other claim lies between:
    everything that must live on is in the desk, the gate and the intake."""

    def __init__(self, office: Office, settings: LaneSettings, desk: Desk, gate: Gate, epoch: int) -> None:
        self.desk = desk
        self.gate = gate
        self.epoch = epoch
        self.intake = Intake(office, settings, desk, self.wake)
        self._office = office
        self._settings = settings
        self._bell = Bell()
        self._commit_lock = asyncio.Lock()
        self._number = 0
        self._repeats = Repeats(office, desk, gate)
        self._night = Night(office, desk)
        self._evictions = Evictions(office, desk)
        self._started: dict[int, float] = {}
        self._back: dict[int, tuple[Flight, Landed]] = {}
        self._landing = False
        self._handed_in = 0
        self._requests = self._landings = self._commits = 0

    def renew(self, epoch: int) -> None:
        """The same owner goes on under a newer claim of its own."""
        self.epoch = epoch
        self._number = 0

    def wake(self) -> None:
        """Something changed that may let a request go out, or put somebody to sleep, or ask for a letter."""
        self._night.fall()
        self._bell.ring()
        self.intake.letters.wake()

    # --- requests out -------------------------------------------------------------------------------------------------

    async def dispatch(self, launch: Launch) -> None:
        """Something is due, a slot is free, the credential is fresh, the gate grants: only now is a batch bound."""
        while True:
            await self._bell.until(self._may_go)
            # Patience first: a key that was mended while the lane was blocked is read after it, not before.
            await self.gate.patience()
            unfit = await self._office.parts.sink.ready()
            if unfit is not None:
                self.gate.refuse(unfit)
                if isinstance(unfit, Blocked):
                    self._office.board.block("provider", unfit.reason, unfit.detail)
                continue
            departing = dict(self._departing(await self.gate.grant(self.desk.least)))
            if departing:
                launch(self._depart(departing, launch))

    def _departing(self, grant: Grant | None) -> Iterator[tuple[int, Flight]]:
        """All that goes out in one breath, numbered: what let the first one go lets others go too, while the gate
        grants at once."""
        while grant is not None:
            flight = (self._repeats.next(self.epoch, grant) or self._bind(grant)) if self._office.may_send else None
            if flight is None:
                self.gate.give_back(grant)
                return
            self.gate.carry(grant, len(flight.batch.recipients))
            self._office.parts.emit(GateOpened(self._office.lane, grant.waited_seconds, grant.cause))
            self._requests += 1
            self._started[self._requests] = self._office.clock.now()
            yield self._requests, flight
            grant = self.gate.at_once(self.desk.least) if self._may_go() else None

    @property
    def flying(self) -> int:
        """Requests without a landing that is durable."""
        return len(self._started)

    @property
    def _due(self) -> bool:
        return self._office.may_send and (self.desk.due or self._repeats.waiting)

    def _may_go(self) -> bool:
        return self._due and self._slot_free()

    def _slot_free(self) -> bool:
        # While the provider fails one request at a time is enough to learn that it is back.
        slots = 1 if self.gate.failing else self._settings.in_flight
        return self.flying - self._handed_in < slots and not self._office.stopping()

    def _bind(self, grant: Grant) -> Flight | None:
        if not self._night.fall():
            return None
        now = self._office.clock.now()
        capacity = self.gate.fit(self._office.parts.sink.capacity)
        parcels = self.desk.take(now, self.gate.gap_seconds, capacity, probe=self.gate.probing)
        parcels, ended = self.desk.doorman.sift(parcels, now)
        report_ends(self._office, ended)
        if not parcels:
            return None
        self._number += 1
        batch = Batch(f"{self.epoch}.{self._number}", self.epoch, parcels)
        return Flight(self._office, self.desk, self.gate, batch, grant, self._repeats.put)

    async def _depart(self, flights: Mapping[int, Flight], launch: Launch) -> None:
        """They are announced together, so that one answer of the journal lets all of them go."""
        try:
            await announce(self._office, flights.values())
        except BaseException:
            self._over(flights)
            raise
        first, *others = flights.items()
        for number, flight in others:
            launch(self._fly(number, flight, launch))
        await self._fly(*first, launch)

    async def _fly(self, number: int, flight: Flight, launch: Launch) -> None:
        try:
            landed = await flight.fly()
        except BaseException:
            self._over([number])
            raise
        if landed is None:
            self._over([number])
            return
        self._back[number] = flight, landed
        if not self._landing:
            self._landing = True
            launch(self._land())

    async def _land(self) -> None:
        """What comes back while the journal takes some landings is written together after them."""
        try:
            while self._back:
                back, self._back = self._back, {}
                # A slot is a request on the wire. What is announced from here on is handed to the journal behind these.
                self._handed_in = len(back)
                self._bell.ring()
                try:
                    await write_landings(self._office, list(back.values()))
                finally:
                    self._handed_in = 0
                    self._over(back)
        finally:
            self._landing = False

    def _over(self, numbers: Iterable[int]) -> None:
        """Nothing is under way for these any more."""
        for number in numbers:
            del self._started[number]
            self._landings += 1
        self.wake()

    # --- what time does -----------------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Expire what is stale, whatever the gate says, and forget what no longer matters."""
        while True:
            now = self._office.clock.now()
            report_ends(self._office, self.desk.expire(now))
            self._office.memory.forget(now)
            await self._night.tend()
            await self._evictions.tend()
            self.wake()
            moments = (self.desk.outbox.next_expiry(), self._night.next_alarm(now))
            soonest = min((moment for moment in moments if moment is not None), default=math.inf)
            await asyncio.sleep(min(max(soonest - now, 0.05), TEND_SECONDS))

    async def settle_doubts(self, claimed_at: float) -> None:
        """Wait one request timeout for late landings of the earlier owner; then write the missing ones."""
        patience = claimed_at + self._office.parts.sink.timeout_seconds - self._office.clock.now()
        await asyncio.sleep(max(patience, 0.0))
        for attempt in self.desk.doubts:
            if self._office.parts.sink.idempotent:
                await self._repeats.take_up(attempt.id, self.epoch)
                self.wake()
            elif attempt.id in self._office.memory.open_attempts:
                record = lost(attempt, self.epoch, self._office.memory)
                await self._office.parts.journal.append(record)
                for route, count in unknown_routes(attempt, record).items():
                    self._office.parts.emit(
                        CommandEnded(self._office.lane, route, Outcome.UNKNOWN, record.reason, count)
                    )

    def notice(self) -> None:
        """The memory has moved: late landings may have settled a doubt."""
        if self.desk.doubts:
            report_ends(self._office, self.desk.doubts.resolve())
        self.wake()

    # --- durable first, settled second, committed third ---------------------------------------------------------------

    async def commit(self) -> None:
        """Each second: the ends that needed no request into the journal, then the offsets."""
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.settle_up()

    async def settle_up(self) -> None:
        async with self._commit_lock:
            await self._night.park(self.epoch)
            # Both are read in one breath: every end that let an offset advance is among those written first.
            offsets = self.desk.ledger.committable()
            await self._write_ends()
            if offsets and not self.desk.closed:
                await self._commit(offsets)

    async def _write_ends(self) -> None:
        ends, self.desk.unwritten = self.desk.unwritten, []
        try:
            for record in outcome_records(ends, self.epoch):
                await self._office.parts.journal.append(record)
        except BaseException:
            # Cancelled before the broker had it: the next settling writes it again, which does no harm.
            self.desk.unwritten[:0] = ends
            raise

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        clock = self._office.clock
        began = clock.now()
        trouble = await self._office.parts.source.commit(offsets)
        self._commits += 1
        if trouble is not None:
            self._office.parts.emit(CommitFailed(self._office.lane, trouble.reason))
            return
        self.desk.ledger.mark_committed(offsets)
        self._office.parts.emit(OffsetsCommitted(self._office.lane, len(offsets), clock.now() - began))

    # --- how it stands ------------------------------------------------------------------------------------------------

    def wanted(self) -> dict[str, int]:
        """What should happen at this moment, if all is well outside, and how often it has happened so far."""
        healthy = not self.gate.probing and self.gate.opens(self.desk.least)
        late = self._office.clock.now() - self._office.parts.sink.timeout_seconds
        wanted = {
            "request": (self._requests, self._due and self._slot_free() and healthy),
            "landing": (self._landings, any(started < late for started in self._started.values())),
            # A commit that the broker refuses is trouble of the broker's: it has happened.
            "commit": (self._commits, not self.desk.closed and bool(self.desk.ledger.committable())),
        }
        return {name: count for name, (count, is_wanted) in wanted.items() if is_wanted}

    def show(self, view: LaneView) -> LaneView:
        """The lane's view with what this tenure holds."""
        desk, outbox, now = self.desk, self.desk.outbox, self._office.clock.now()
        gap, capacity = self.gate.gap_seconds, self._office.parts.sink.capacity
        return replace(
            view,
            read=dict(self.intake.expected),
            waiting=outbox.waiting,
            waiting_bytes=outbox.waiting_bytes,
            held=outbox.held,
            groups=outbox.group_count,
            in_flight=desk.bound,
            in_doubt=desk.in_doubt,
            requests_in_flight=self.flying,
            parked=desk.parked,
            joined=desk.joined,
            oldest_waiting_seconds=0.0 if outbox.oldest is None else max(0.0, now - outbox.oldest),
            seconds_to_clear=outbox.seconds_to_clear(gap, capacity),
            quota_used=self.gate.used,
            gap_seconds=gap,
            holds=self._holds(view),
            drift=desk.drift,
        )

    def open_groups(self, limit: int) -> list[Waiting]:
        """The open groups that go out next, as things stand."""
        return self.desk.outbox.explain(
            self._office.clock.now(), self.gate.gap_seconds, self._office.parts.sink.capacity, limit
        )

    def _holds(self, view: LaneView) -> str:
        """Why the next request does not go out at once, the gravest reason first."""
        reasons = {
            "blocked": bool(view.blockages),
            "breaker": self.gate.held,
            "no_data": not self._due,
            "in_flight": not self._slot_free(),
            "ceiling": self.gate.full,
        }
        return next((reason for reason, holds in reasons.items() if holds), "quota")


def outcome_records(ends: list[Ended], epoch: int) -> list[Outcomes]:
    """Ends in columns, one record for each outcome and reason, at most `IDS_PER_RECORD` commands a record."""

    def kind(end: Ended) -> tuple[str, str]:
        return end.outcome.value, end.reason

    records = []
    for (_, reason), group in groupby(sorted(ends, key=kind), key=kind):
        alike = list(group)
        for start in range(0, len(alike), IDS_PER_RECORD):
            part = alike[start : start + IDS_PER_RECORD]
            records.append(
                Outcomes(
                    epoch=epoch,
                    outcome=part[0].outcome.value,
                    reason=reason,
                    ids=[end.command.id.hex() for end in part],
                    digests=[end.command.digest.hex() for end in part],
                    routes=[end.command.terms.route for end in part],
                )
            )
    return records
