"""Watches a lane once a second: trouble of its streams onto the board, its lag, its watchdogs, and how it stands."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumer.core.facts import LaneStuck, PartitionFreed, PartitionStuck
from consumer.core.head import Head, Heads
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Extent
from consumer.engine.board import Board
from consumer.engine.clock import BrokerClock
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.tenure import Tenure
from consumer.engine.view import LaneView, gauges
from consumer.engine.watchdog import Backlog, Partitions, Progress, Stuck

GAUGE_SECONDS = 1.0
LAG_EVERY = 5


@dataclass(frozen=True, slots=True)
class Sight:
    """What a lookout looks at: the lane as it stands, its tenure if it has one, and what should happen just now."""

    view: Callable[[], LaneView]
    tenure: Callable[[], Tenure | None]
    wanted: Callable[[], Mapping[str, int]]


class Lookout:
    """`lag` is records not yet read and the age of the oldest of them in seconds; None until it was measured."""

    def __init__(self, settings: LaneSettings, parts: LaneParts, clock: BrokerClock, sight: Sight) -> None:
        self.lag: tuple[int, float] | None = None
        self.heads: tuple[Head, ...] = ()
        self.stuck: tuple[Stuck, ...] = ()
        self._lane = settings.id
        self._parts = parts
        self._clock = clock
        self._sight = sight
        self._heads = Heads()
        self._progress = Progress(settings.patience.progress_seconds)
        self._partitions = Partitions(settings.patience.partition_seconds)
        self._gave_up = False

    async def run(self, board: Board) -> None:
        """Look for ever."""
        tick = 0
        while True:
            self._look_at_streams(board)
            if tick % LAG_EVERY == 0:
                await self._look_at_partitions(board)
            tick += 1
            self._look_for_progress()
            self._parts.emit(gauges(self._sight.view()))
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

    # --- partitions ---------------------------------------------------------------------------------------------------

    async def _look_at_partitions(self, board: Board) -> None:
        tenure = self._sight.tenure()
        working = tenure is not None and self._sight.view().state == "working"
        extents = await self._parts.source.extents() if working else {}
        # While the broker was asked the lane may have gone to another.
        tenure = self._sight.tenure()
        if tenure is None or isinstance(extents, Trouble):
            extents = {}
        elif working:
            self._measure_lag(tenure, extents)
        now = asyncio.get_running_loop().time()
        self.heads = () if tenure is None else self._heads.look(tenure.desk, sorted(tenure.intake.partitions), now)
        backlogs = {} if tenure is None else _backlogs(tenure, extents, board)
        self._tell_stuck(self._partitions.look(now, backlogs), now)

    def _measure_lag(self, tenure: Tenure, extents: Mapping[TopicPartition, Extent]) -> None:
        behind = {tp: tenure.intake.behind(tp, extent) for tp, extent in extents.items()}
        now = self._clock.now()
        ages = [now - tenure.intake.last_timestamps.get(tp, now) for tp, records in behind.items() if records > 0]
        self.lag = sum(behind.values()), max(ages, default=0.0)

    def _tell_stuck(self, stuck: tuple[Stuck, ...], now: float) -> None:
        before = {(each.partition, each.reason): each for each in self.stuck}
        after = {(each.partition, each.reason): each for each in stuck}
        for key in before.keys() - after.keys():
            self._parts.emit(PartitionFreed(self._lane, *before[key].partition, now - before[key].since))
        for key in sorted(after.keys() - before.keys()):
            each = after[key]
            seconds = now - each.since
            self._parts.emit(PartitionStuck(self._lane, *each.partition, each.reason, each.records, seconds))
        self.stuck = tuple(sorted(stuck, key=lambda each: each.since))

    # --- progress -----------------------------------------------------------------------------------------------------

    def _look_for_progress(self) -> None:
        """A lane that is blocked says why, and nothing is expected of it."""
        wanted = {} if self._sight.view().blockages else self._sight.wanted()
        stall = self._progress.look(asyncio.get_running_loop().time(), wanted)
        if stall is not None and not self._gave_up:
            self._gave_up = True
            detail = f"a {stall.what} was possible for {stall.seconds:.0f} s and did not come about"
            self._parts.emit(LaneStuck(self._lane, f"no_{stall.what}", detail))


def _backlogs(tenure: Tenure, extents: Mapping[TopicPartition, Extent], board: Board) -> dict[TopicPartition, Backlog]:
    reasons = {each.cause: each.reason for each in board.blockages}
    return {
        partition: Backlog(
            tenure.intake.behind(partition, extent),
            tenure.intake.expected.get(partition, extent.end),
            # A source that gives nothing at all is in trouble that is told apart.
            tenure.intake.held_by(partition) or reasons.get("source", ""),
            reasons.get(f"source {partition}", ""),
        )
        for partition, extent in extents.items()
    }
