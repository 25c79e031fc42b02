"""An event loop with virtual seconds and a real network: sockets as they are, and hours that pass in a moment."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import ParamSpec

P = ParamSpec("P")


class _Selector(selectors.DefaultSelector):
    """Waits for sockets a part of the time that it is asked to."""

    def __init__(self, pace: float) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._pace)


class FastLoop(asyncio.SelectorEventLoop):
    """Its clock runs `pace` times as fast as the host's; timers keep to it, and the network is as it is."""

    def __init__(self, pace: float) -> None:
        super().__init__(_Selector(pace))
        self._pace = pace
        self._began = super().time()

    def time(self) -> float:
        now = super().time()
        return now + (now - self._began) * (self._pace - 1) if hasattr(self, "_began") else now


def fast(pace: float) -> Callable[[Callable[P, Coroutine[None, None, None]]], Callable[P, None]]:
    """Run an async test so many times as fast as its clocks say."""

    def decorated(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            with asyncio.Runner(loop_factory=lambda: FastLoop(pace)) as runner:
                runner.run(asyncio.wait_for(test(*args, **kwargs), 3600))

        return run

    return decorated


async def seconds(count: float) -> None:
    """Let so many of the loop's seconds pass."""
    await asyncio.sleep(count)
