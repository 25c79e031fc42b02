"""The event loop of a long-running process: a fast one where it is installed, and a garbage collector that rests."""

import asyncio
import gc
import importlib.util
from collections.abc import Callable

# A young generation of 700 objects is gone through with every second request, and finds nothing: what a request leaves
# behind ends with its last reference.
YOUNG, MIDDLE, OLD = 20_000, 20, 20


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """How to make the loop: uvloop's (`vestnik[fast]`), or asyncio's own where that is not installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - an extra

    return uvloop.new_event_loop


def tame_collector() -> None:
    """Leave what there is after the start out of every later collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
