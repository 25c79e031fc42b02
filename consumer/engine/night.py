"""Commands that wait for a time of their own: out of the outbox, into the journal, and back when it has come."""

import asyncio

from consumer.core.desk import Desk
from consumer.core.facts import CommandsParked
from consumer.core.parking import parked_records
from consumer.engine.flight import Office, report_ends


class Night:
    """What an owner does for its sleepers."""

    def __init__(self, office: Office, desk: Desk) -> None:
        self._office = office
        self._desk = desk

    def fall(self) -> bool:
        """Put to sleep whose quiet hours have begun; False while some were not looked at yet."""
        report_ends(self._office, self._desk.hush(self._office.clock.now()))
        return not self._desk.lot.drowsy

    async def tend(self) -> None:
        """All that is due at this moment, giving the loop back between two handfuls."""
        woken = 1
        while woken or not self.fall():
            woken, ended = self._desk.wake(self._office.clock.now())
            report_ends(self._office, ended)
            await asyncio.sleep(0)

    def next_alarm(self, now: float) -> float | None:
        """When somebody wakes; None when nobody can, because the outbox has no room."""
        alarm = self._desk.lot.next_alarm()
        return None if alarm is None or (alarm <= now and self._desk.outbox.full) else alarm

    async def park(self, epoch: int) -> None:
        """Write the sleepers down; only when the record was read back are their source records settled. Whatever
        claim stands before it in the journal has closed the desk by then, and the record is void."""
        sleepers = self._desk.lot.unwritten(self._office.clock.now())
        for record, written in parked_records(sleepers, epoch, "quiet_hours"):
            appended = await self._office.parts.journal.append(record)
            await self._office.follower.reached(appended.offset)
            if self._desk.closed:
                return
            count = self._desk.lot.park(written)
            self._office.parts.emit(CommandsParked(self._office.lane, record.reason, count))
