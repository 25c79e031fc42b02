"""Waiting for something that others change."""

import asyncio
from collections.abc import Callable


class Bell:
    """Rung by whoever changes something, heard by the one who waits for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; it is looked at after each ring."""
        while not condition():
            self._rung.clear()
            await self._rung.wait()

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the next ring."""
        self._rung.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
