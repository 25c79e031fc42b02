"""Processes on one virtual loop which can be stopped or killed between any two of their steps, as signals do it.

Every callback, timer and task carries the context it was made in, and the context names the process. So the loop can
hold back exactly the steps of one process (SIGSTOP) or drop them for ever (SIGKILL): no `finally` runs, nothing is
tidied up, and what the process gave to the network goes on without it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from tests.virtual import VirtualLoop

T = TypeVar("T")

# So many steps without any time passing are a loop that spins.
SPIN_STEPS = 100_000


class State(Enum):
    RUNNING = auto()
    FROZEN = auto()
    DEAD = auto()
    BURIED = auto()  # the world is over: its tasks may unwind, and nothing they do leaves the process


@dataclass
class Mine:
    """Kills a process at its n-th call of one door: before it, or after it took effect and before it returns."""

    call: str
    countdown: int
    after: bool


def _nothing() -> None:
    """Nobody looks."""


class Life:
    """One process from its start to its end. `after_step` is called after each of its steps, so that what must always
    hold can be looked at at every instant that anybody could see."""

    def __init__(self, name: str, on_kill: Callable[["Life"], None]) -> None:
        self.name = name
        self.state = State.RUNNING
        self.mine: Mine | None = None
        self.calls: Counter[str] = Counter()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.after_step: Callable[[], None] = _nothing
        self._on_kill = on_kill
        self._shelf: list[Step] = []

    @property
    def runs(self) -> bool:
        return self.state is State.RUNNING

    def holds(self, step: "Step") -> bool:
        """Whether the step may not be taken now; it is kept."""
        if self.state is State.RUNNING or self.state is State.BURIED:
            return False
        self._shelf.append(step)
        return True

    def freeze(self) -> None:
        if self.state is State.RUNNING:
            self.state = State.FROZEN

    def thaw(self) -> None:
        """All that should have happened meanwhile happens now, in its order."""
        if self.state is State.FROZEN:
            self.state = State.RUNNING
            self._unshelve()

    def kill(self, how: str = "kill") -> None:
        """Nothing more of this process ever runs."""
        if self.state in (State.RUNNING, State.FROZEN):
            self.state = State.DEAD
            self._on_kill(self)
            if not self.over.done():
                self.over.set_result(how)

    def bury(self) -> None:
        self.state = State.BURIED
        self._unshelve()

    def _unshelve(self) -> None:
        shelf, self._shelf = self._shelf, []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WorldLoop)
        for step in shelf:
            loop.resume(step)

    # --- doors to the world -------------------------------------------------------------------------------------------

    async def through(self, call: str, effect: Callable[[], Awaitable[T]]) -> T:
        """One call of an adapter; the process may die on either side of it."""
        await self._step(call, after=False)
        result = await effect()
        await self._step(call, after=True)
        return result

    def touch(self, call: str) -> bool:
        """A call that does not wait; False when the process is dead, so that it has no effect."""
        self._trip(call, after=False)
        return self.runs

    async def _step(self, call: str, *, after: bool) -> None:
        self._trip(call, after=after)
        if self.state is State.BURIED:
            raise asyncio.CancelledError
        if self.state is State.DEAD:
            await asyncio.get_running_loop().create_future()

    def _trip(self, call: str, *, after: bool) -> None:
        if not after:
            self.calls[call] += 1
        mine = self.mine
        if mine is not None and self.runs and mine.call == call and mine.after == after:
            mine.countdown -= 1
            if mine.countdown <= 0:
                self.kill(f"mine {call} {'after' if after else 'before'}")


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Step:
    """One callback of a process, which the process's state may hold back."""

    __slots__ = ("args", "callback", "context", "handle", "life")

    def __init__(self, life: Life, callback: Callable[..., Any], args: tuple[Any, ...], context: Context) -> None:
        self.life = life
        self.callback = callback
        self.args = args
        self.context = context
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if not self.life.holds(self) and not (self.handle is not None and self.handle.cancelled()):
            self.callback(*self.args)
            self.life.after_step()


class WorldLoop(VirtualLoop):
    """A virtual loop that knows whose step it takes."""

    def __init__(self) -> None:
        super().__init__()
        self._spun_at = 0.0
        self._spins = 0

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context  # an empty one is false
        self._count()
        life = context.get(LIFE)
        if life is None:
            return super().call_soon(callback, *args, context=context)
        step = Step(life, callback, args, context)
        step.handle = super().call_soon(step, context=context)
        return step.handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context  # an empty one is false
        life = context.get(LIFE)
        if life is None:
            return super().call_at(when, callback, *args, context=context)
        step = Step(life, callback, args, context)
        step.handle = timer = super().call_at(when, step, context=context)
        return timer

    def resume(self, step: Step) -> None:
        super().call_soon(step, context=step.context)

    def _count(self) -> None:
        if self.clock != self._spun_at:
            self._spun_at, self._spins = self.clock, 0
        self._spins += 1
        if self._spins == SPIN_STEPS:
            raise RuntimeError(f"{SPIN_STEPS} steps at one moment: something spins")


class Outside:
    """The world beyond the processes: what is given to it goes on whatever becomes of the giver."""

    def __init__(self) -> None:
        self.context = copy_context()
        self._tasks: set[asyncio.Task[Any]] = set()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Timers and tasks that the function makes belong to no process."""
        return self.context.copy().run(function, *args)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(coroutine, context=self.context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=self.context.copy())
        return task

    def enter(self, life: Life, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """The first task of a process."""
        context = self.context.copy()
        context.run(LIFE.set, life)
        return asyncio.get_running_loop().create_task(coroutine, context=context)
