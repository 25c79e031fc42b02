"""Our own records in a topic, known without reading them: while what the broker acks follows one another, nobody else
has written anything between."""

import asyncio
import math
from collections.abc import Sequence

from consumer.core.ports import Appended, Entry
from schemas.journal import AnyRecord

# Whoever writes nothing for so long reads again, and hears of others as soon as they write.
QUIET_SECONDS = 0.25


class Echo:
    """Off, where one must read. Begun at an offset it gives back what we append there and behind it, until a gap shows
    that somebody else has written too: as many offsets as records, or others are among them."""

    def __init__(self) -> None:
        self.on = False
        # What comes next to who follows the topic, while this is on.
        self.next = 0
        self._acked = -1
        self._at = -math.inf
        self._entries: list[Entry] = []
        self._came = asyncio.Event()

    def acked(self, records: Sequence[AnyRecord], appended: Appended) -> bool:
        """These were appended together, the last one there. Whether they are given back without being read."""
        self._acked, self._at = max(self._acked, appended.offset), asyncio.get_running_loop().time()
        if not self.on:
            return False
        self._came.set()
        first = appended.offset + 1 - len(records)
        if first != self.next:
            self.on = False
            return False
        self._entries += [Entry(first + number, appended.timestamp, each) for number, each in enumerate(records)]
        self.next = appended.offset + 1
        return True

    def begin(self, offset: int) -> bool:
        """From this offset on, if all that was acked lies before it, and lately."""
        lately = asyncio.get_running_loop().time() - self._at < QUIET_SECONDS
        self.on, self.next = lately and self._acked < offset, offset
        self._came.clear()
        return self.on

    def reset(self) -> None:
        """Somebody reads from elsewhere."""
        self.on = False
        self._entries.clear()

    async def take(self, timeout_seconds: float) -> Sequence[Entry]:
        """What came since the last time. Nothing: nobody has written for a while, or others have; then it is off."""
        if self.on and not self._entries:
            try:
                async with asyncio.timeout(min(timeout_seconds, QUIET_SECONDS)):
                    await self._came.wait()
            except TimeoutError:
                self.on = False
        self._came.clear()
        entries, self._entries = self._entries, []
        return entries
