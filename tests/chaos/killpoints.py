"""`vestnik run` with a trap in it: `python -m tests.chaos.killpoints run …` kills itself with SIGKILL at a named point.

Nothing in the product knows of this: the adapters' methods are wrapped from here, in the process that a test starts,
and only where `CHAOS_KILL_AT=point:n` says at which call. Calls count from SIGUSR2 on, so that a process is killed in
the midst of its work. SIGUSR1 blocks the event loop for `CHAOS_BLOCK_SECONDS`.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.app.signals import STOP

KILL_AT = "CHAOS_KILL_AT"
BLOCK_SECONDS = "CHAOS_BLOCK_SECONDS"

When = Callable[[Any, Any], bool]
"""Whether a call counts, by its first argument and its result."""


@dataclass(frozen=True, slots=True)
class Before:
    """Dead before the call is made."""

    owner: type
    name: str
    when: When = lambda _argument, _result: True


@dataclass(frozen=True, slots=True)
class After:
    """Dead when the call has returned, before its caller knows."""

    owner: type
    name: str
    when: When = lambda _argument, _result: True


@dataclass(frozen=True, slots=True)
class During:
    """Dead so long after the call has begun, where it is still under way."""

    owner: type
    name: str
    seconds: float
    when: When = lambda _argument, _result: True


Spot = Before | After | During


def spots() -> Mapping[str, Spot]:
    """Every point at which a process can be killed; the first thirteen are the matrix's row C1, in its order."""
    from consumer.core.plan import Planner  # noqa: PLC0415
    from consumer.engine.gate import Gate  # noqa: PLC0415
    from consumer.engine.lane import Lane  # noqa: PLC0415
    from consumer.sinks.base import ProviderSink  # noqa: PLC0415
    from consumer.sinks.tokens import FilePen  # noqa: PLC0415
    from consumer.streams.dead_letters import KafkaDeadLetters  # noqa: PLC0415
    from consumer.streams.journal import KafkaJournal  # noqa: PLC0415
    from consumer.streams.source import KafkaSource  # noqa: PLC0415
    from schemas.journal import Attempt, Landing  # noqa: PLC0415

    def attempt(argument: Any, _result: Any) -> bool:
        return isinstance(argument, Attempt)

    def landing(argument: Any, _result: Any) -> bool:
        return isinstance(argument, Landing)

    return {
        "after-poll": After(KafkaSource, "poll", lambda _, polled: isinstance(polled, list) and bool(polled)),
        "after-plan": After(Planner, "plan"),
        "gate-wait": During(Gate, "grant", 0.02),
        "before-attempt": Before(KafkaJournal, "append", attempt),
        "after-attempt": After(KafkaJournal, "append", attempt),
        "on-the-wire": During(ProviderSink, "send", 0.1),
        "answered": After(ProviderSink, "send"),
        "after-landing": After(KafkaJournal, "append", landing),
        "before-commit": Before(KafkaSource, "commit"),
        "after-commit": After(KafkaSource, "commit"),
        "dead-letter": During(KafkaDeadLetters, "append", 0.0005),
        "token-refresh": During(ProviderSink, "ready", 0.1),
        "revoke": Before(Lane, "revoked"),
        "token-kept": Before(FilePen, "write"),
        "dead-letter-asked": During(KafkaDeadLetters, "append", 0.3),
    }


POINTS = (
    "after-poll",
    "after-plan",
    "gate-wait",
    "before-attempt",
    "after-attempt",
    "on-the-wire",
    "answered",
    "after-landing",
    "before-commit",
    "after-commit",
    "dead-letter",
    "token-refresh",
    "revoke",
)


@dataclass(slots=True)
class Trap:
    """Counts calls once it is armed, and springs at the last one."""

    left: int
    armed: bool = False

    def arm(self) -> None:
        self.armed = True

    def spring(self) -> None:
        self.left -= self.armed
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def lay(self, spot: Spot) -> None:
        """Wrap the method of the class, for all lanes of this process."""
        method = getattr(spot.owner, spot.name)
        wrapped = self._awaited(spot, method) if asyncio.iscoroutinefunction(method) else self._called(spot, method)
        setattr(spot.owner, spot.name, wrapped)

    def _called(self, spot: Spot, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(owner: Any, *arguments: Any, **named: Any) -> Any:
            result = method(owner, *arguments, **named)
            if spot.when(next(iter(arguments), None), result):
                self.spring()
            return result

        return call

    def _awaited(self, spot: Spot, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(owner: Any, *arguments: Any, **named: Any) -> Any:
            argument = next(iter(arguments), None)
            fuse = self._lit(spot, argument)
            try:
                result = await method(owner, *arguments, **named)
            finally:
                if fuse is not None:
                    fuse.cancel()
            if isinstance(spot, After) and spot.when(argument, result):
                self.spring()
            return result

        return call

    def _lit(self, spot: Spot, argument: Any) -> asyncio.TimerHandle | None:
        if isinstance(spot, Before) and spot.when(argument, None):
            self.spring()
        if isinstance(spot, During) and spot.when(argument, None):
            return asyncio.get_running_loop().call_later(spot.seconds, self.spring)
        return None


def run(arguments: list[str]) -> None:
    """What `vestnik` does, after the trap is laid."""
    STOP.install()
    asked = os.environ.get(KILL_AT, "")
    if asked:
        point, _, count = asked.partition(":")
        trap = Trap(int(count))
        trap.lay(spots()[point])
        signal.signal(signal.SIGUSR2, lambda _number, _frame: trap.arm())
    if seconds := os.environ.get(BLOCK_SECONDS):
        signal.signal(signal.SIGUSR1, lambda _number, _frame: time.sleep(float(seconds)))
    from consumer.app.cli import app  # noqa: PLC0415

    app(args=arguments)


if __name__ == "__main__":
    run(sys.argv[1:])
