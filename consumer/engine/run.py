"""Runs the lanes of one process side by side; what happens to one is nothing to the others."""

import asyncio
import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumer.core.facts import LaneCrashed
from consumer.core.ports import Emit
from consumer.engine.lane import Lane
from consumer.engine.view import LaneView

CRASHES = 3
CRASH_WINDOW_SECONDS = 300.0
RESTART_SECONDS = 1.0
# The interpreter ends after that, within a second: 25 s in all are promised.
EXIT_SECONDS = 24.0

# Exit codes beside 0 for a clean stop; the last two are those of sysexits.h.
FAILED = 1
STUCK = 70
UNFINISHED = 75


@dataclass(frozen=True, slots=True)
class Berth:
    """A place for a lane: a crashed one is replaced by a new one, which begins from the journal."""

    id: str
    build: Callable[[], Lane]
    emit: Emit


@dataclass(slots=True)
class Process:
    """The lanes of one process. `run` returns its exit code: 0 after `stop`; 1 when a lane crashes again and again; 70
    after `give_up`; 75 when requests were cut off by the stop, so that nobody knows what came of them. `why` says the
    reason of any other code than 0."""

    berths: Sequence[Berth]
    lanes: dict[str, Lane] = field(default_factory=dict)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failed: str = ""
    stuck: str = ""
    _late: int = 0

    def give_up(self, why: str) -> None:
        """Only a new process can help: stop as far as that is possible, and end with a code of its own."""
        self.stuck = self.stuck or why
        self.stop()

    def stop(self) -> None:
        """Drain every lane, then return from `run`; at most `EXIT_SECONDS`."""
        self.stopping.set()
        for lane in self.lanes.values():
            lane.stop()

    def views(self) -> list[LaneView]:
        return [lane.view() for lane in self.lanes.values()]

    async def run(self) -> int:
        """Run until stopped; the exit code of the process."""
        tasks = [asyncio.create_task(self._keep(berth), name=berth.id) for berth in self.berths]
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await asyncio.wait(tasks, timeout=EXIT_SECONDS)
            self._late = sum(not task.done() for task in tasks)
        finally:
            for task in (stop, *tasks):
                task.cancel()
        return self.code

    @property
    def code(self) -> int:
        """The exit code, once the lanes have ended."""
        if self.stuck:
            return STUCK
        if self.failed:
            return FAILED
        return UNFINISHED if self.why else 0

    @property
    def why(self) -> str:
        """Why the exit code is not 0, in words; empty when it is."""
        cut_off = sum(lane.cut_off for lane in self.lanes.values())
        unfinished = [
            *([f"requests cut off: {cut_off}"] if cut_off else []),
            *([f"lanes that did not stop in time: {self._late}"] if self._late else []),
        ]
        return self.stuck or self.failed or ", ".join(unfinished)

    async def _keep(self, berth: Berth) -> None:
        crashes: list[float] = []
        loop = asyncio.get_running_loop()
        while not self.stopping.is_set():
            lane = self.lanes[berth.id] = berth.build()
            error = await _crash_of(lane)
            if error is None:
                return
            berth.emit(LaneCrashed(berth.id, _trace(error)))
            crashes = [at for at in crashes if loop.time() - at < CRASH_WINDOW_SECONDS] + [loop.time()]
            if len(crashes) >= CRASHES:
                self.failed = f"lane {berth.id} crashed {CRASHES} times within {CRASH_WINDOW_SECONDS:.0f} s"
                return
            await asyncio.sleep(RESTART_SECONDS * math.exp2(len(crashes) - 1))


async def _crash_of(lane: Lane) -> Exception | None:
    try:
        await lane.run()
    except Exception as error:  # noqa: BLE001 - the outermost line: a bug in one lane must not end the others
        return error
    return None


def _trace(error: BaseException) -> str:
    """Where it happened, without the values of any variable. Of a group of errors, its first leaf."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-4:][::-1]
    )
    return f"{type(error).__name__} at {places}"
