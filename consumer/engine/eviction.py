"""When somebody came onto the list of suppressions, what waits for them ends: in the outbox, asleep or parked."""

import asyncio

from consumer.core.desk import Desk
from consumer.engine.flight import Office, report_ends

# So many are looked at in about ten milliseconds: each costs a hash.
LOOKED_AT_ONCE = 2_000
# A long list that is being written asks for many walks; one at a time is enough, and then a rest.
REST_SECONDS = 10.0


class Evictions:
    """What an owner does for the list, beside asking it of each command that comes or goes."""

    def __init__(self, office: Office, desk: Desk) -> None:
        self._office = office
        self._walk = desk.doorman.eviction(desk.lot)
        self._changes = 0
        self._rests_until = 0.0

    async def tend(self) -> None:
        """Walk through everything if the list has changed, giving the loop back between two handfuls."""
        watchlist, now = self._office.watchlist, self._office.clock.now()
        if not watchlist.complete or watchlist.changes == self._changes or now < self._rests_until:
            return
        self._changes = watchlist.changes
        self._rests_until = now + REST_SECONDS
        self._walk.begin()
        while not self._walk.over:
            report_ends(self._office, self._walk.look(self._office.clock.now(), LOOKED_AT_ONCE))
            await asyncio.sleep(0)
