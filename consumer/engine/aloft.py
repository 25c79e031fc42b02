"""The flights of a lane. They are the lane's, not a tenure's: they land whoever owns it by then."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress


class Aloft:
    """What is under way between its request and its landing."""

    def __init__(self) -> None:
        self._flights: set[asyncio.Task[None]] = set()

    def launch(self, tasks: asyncio.TaskGroup, flight: Coroutine[None, None, None]) -> None:
        task = tasks.create_task(flight)
        self._flights.add(task)
        task.add_done_callback(self._flights.discard)

    async def landed(self, seconds: float) -> None:
        """Wait until all have landed, those too that are launched meanwhile; so long at the most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._flights:
                    await asyncio.wait(self._flights)

    def cancel(self) -> None:
        for flight in self._flights:
            flight.cancel()
