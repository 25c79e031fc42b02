"""Watches a lane once a second: trouble of its streams onto the board, its lag, and how it stands as a fact."""

import asyncio
from collections.abc import Callable

from consumer.core.model import Trouble
from consumer.engine.board import Board
from consumer.engine.clock import BrokerClock
from consumer.engine.settings import LaneParts
from consumer.engine.tenure import Tenure
from consumer.engine.view import LaneView, gauges

GAUGE_SECONDS = 1.0
LAG_EVERY = 5


class Lookout:
    """`lag` is records not yet read and the age of the oldest of them in seconds; None until it was measured."""

    def __init__(
        self,
        parts: LaneParts,
        clock: BrokerClock,
        view: Callable[[], LaneView],
        tenure: Callable[[], Tenure | None],
    ) -> None:
        self.lag: tuple[int, float] | None = None
        self._parts = parts
        self._clock = clock
        self._view = view
        self._tenure = tenure

    async def run(self, board: Board) -> None:
        """Look for ever."""
        tick = 0
        while True:
            self._look_at_streams(board)
            if tick % LAG_EVERY == 0 and self._view().state == "working":
                await self._measure_lag()
            tick += 1
            self._parts.emit(gauges(self._view()))
            await asyncio.sleep(GAUGE_SECONDS)

    def _look_at_streams(self, board: Board) -> None:
        for stream, trouble in (
            ("journal", self._parts.journal.trouble),
            ("dead_letters", self._parts.dead_letters.trouble),
        ):
            if trouble is None:
                board.clear(stream)
            else:
                board.block(stream, stream, f"{trouble.reason} {trouble.detail}".strip())

    async def _measure_lag(self) -> None:
        extents = await self._parts.source.extents()
        tenure = self._tenure()
        if isinstance(extents, Trouble) or tenure is None:
            return
        behind = {tp: tenure.intake.behind(tp, extent) for tp, extent in extents.items()}
        now = self._clock.now()
        ages = [now - tenure.intake.last_timestamps.get(tp, now) for tp, records in behind.items() if records > 0]
        self.lag = sum(behind.values()), max(ages, default=0.0)
