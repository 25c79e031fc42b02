"""The end of a drain's budget: whatever still waits for an answer then waits no longer."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Cutoff:
    """One for a lane. `cancel` ends every wait that is under way, and every later one at once."""

    def __init__(self) -> None:
        self._over = False
        self._limits: set[asyncio.Timeout] = set()

    def cancel(self) -> None:
        """The budget is spent."""
        self._over = True
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            limit.reschedule(now)

    async def until(self, work: Awaitable[T]) -> T | None:
        """What comes of the work; None where the budget was spent first, and the work is cancelled."""
        limit = asyncio.timeout(0 if self._over else None)
        try:
            async with limit:
                self._limits.add(limit)
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            return None
        finally:
            self._limits.discard(limit)
