"""An event loop whose clock jumps to the next timer, so that hours pass in milliseconds and nothing sleeps."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import ParamSpec

P = ParamSpec("P")

_TURN_SECONDS = 1e-9


class _Selector(selectors.SelectSelector):
    """Instead of waiting for sockets, moves the loop's clock on."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for ever: nothing will ever happen again")
        # Each turn of the loop takes a little, as it does in life: who waits for a moment that rounding puts just
        # beyond a timer would turn for ever otherwise.
        self.loop.clock += timeout or _TURN_SECONDS
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire in order without any real waiting; there is no network on it."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.clock = 1000.0
        super().__init__(selector)
        # The test's own time-outs must not be cut by rounding: timers due now are due.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.clock


def virtual(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run an async test in virtual time; one that would need more than a week hangs, and fails."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), 7 * 86_400))

    return run
