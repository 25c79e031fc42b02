"""Follows what people say of the lane; nothing is sent before that was read to its end, or while it is paused."""

import asyncio
from collections.abc import Callable

from consumer.core.control import Control
from consumer.core.ports import Table
from consumer.engine.board import Board

CAUSE = "control"
PAUSED = "paused"
READ_SECONDS = 1.0


class Switch:
    """Whether people let one lane send. Without a table nobody can pause it. `now`: seconds since 1970.

    A paused lane reads on up to its bounds, keeps its offsets, and lands what is in flight.
    """

    def __init__(self, lane: str, table: Table | None, now: Callable[[], float]) -> None:
        self._control = Control(lane)
        self._table = table
        self._now = now
        self.complete = table is None

    @property
    def on(self) -> bool:
        """Whether a request may go out."""
        return self.complete and (not self._control.ordered or self._control.pause(self._now()) is None)

    @property
    def resumes(self) -> int:
        """How often somebody said that the lane may go on; whoever stopped it for a person's sake looks at it."""
        return self._control.resumes

    @property
    def unreadable(self) -> int:
        """Orders to the lane that said nothing to this version."""
        return self._control.unreadable

    async def start(self) -> None:
        if self._table is not None:
            await self._table.start()

    async def stop(self) -> None:
        if self._table is not None:
            await self._table.stop()

    async def run(self, board: Board, turned: Callable[[], None]) -> None:
        """Read for ever; `turned` is called when that may let something go out."""
        if self._table is None:
            return
        was_on, resumes = False, 0
        while True:
            for row in await self._table.read(READ_SECONDS):
                self._control.apply(row.key, row.value)
            self.complete = self.complete or self._table.complete
            self._show(board, self._table)
            if (self.on and not was_on) or self.resumes != resumes:
                turned()
            was_on, resumes = self.on, self.resumes
            await asyncio.sleep(0)

    def _show(self, board: Board, table: Table) -> None:
        trouble = table.trouble
        if trouble is None:
            board.clear(CAUSE)
        elif not self.complete:
            board.block(CAUSE, CAUSE, f"{trouble.reason} {trouble.detail}".strip())
        pause = self._control.pause(self._now())
        if pause is None:
            board.clear(PAUSED)
        else:
            board.replace(PAUSED, PAUSED, pause.words)
