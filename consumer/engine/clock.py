"""Broker time: what the broker's clock said at the lane's claim, counted on by the monotonic clock."""

import asyncio
import math
from collections.abc import Callable


class BrokerClock:
    """No host's wall clock takes part in any decision of a lane, so a stepped or skewed one harms nobody."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._monotonic: Callable[[], float] = _unanchored

    def anchor(self, broker_timestamp: float, monotonic: float) -> None:
        """The broker's time was `broker_timestamp` when the loop's clock said `monotonic`; both in seconds."""
        self._offset = broker_timestamp - monotonic
        # Bound once: the clock is read a dozen times for each request; to ask for the loop costs more than its time.
        self._monotonic = asyncio.get_running_loop().time

    @property
    def anchored(self) -> bool:
        """Whether the lane has claimed once, so that there is a time to tell."""
        return self._offset is not None

    def now(self) -> float:
        """Seconds since 1970; the lane must have been anchored."""
        return self._monotonic() + (self._offset or 0.0)

    async def sleep_until(self, moment: float, wake: asyncio.Event) -> None:
        """Return at `moment`, or when `wake` is set; forever is allowed."""
        seconds = moment - self.now()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else max(seconds, 0.0)):
                await wake.wait()
        except TimeoutError:
            return


def _unanchored() -> float:
    raise RuntimeError("the lane's clock is read before its first claim")
