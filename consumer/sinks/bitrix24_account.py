"""What a Bitrix24 account remembers between calls: its token, where the portal lives, and how long a limit lasts."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

from consumer.core.model import Blocked, Deferred, Delivered, Verdict, Verdicts
from consumer.sinks.answer import read_object
from consumer.sinks.base import Access
from consumer.sinks.http import Reply
from consumer.sinks.oauth import TokenGuard

QUERY_LIMIT_CAP_SECONDS = 60.0
OPERATION_LIMIT_CAP_SECONDS = 600.0
_JITTER = 0.2


class Bitrix24Account:
    """`moved` tells where a reply sends us, when we may go there. `dice` gives 0 to 1."""

    def __init__(
        self,
        guard: TokenGuard,
        moved: Callable[[Reply], str | None],
        *,
        steady: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._guard = guard
        self._moved = moved
        self._steady = steady
        self._dice = dice
        self._home = ""
        self._limits: dict[str, int] = {}
        self._operating_until: float | None = None

    @property
    def access(self) -> Access | None:
        token = self._guard.access_token
        return None if token is None else Access(token, self._home)

    async def ready(self) -> Blocked | Deferred | None:
        return await self._guard.ready()

    def learn(self, used: Access, reply: Reply, verdicts: Verdicts) -> Verdicts:
        self._home = self._moved(reply) or self._home
        return tuple(self._learned(used, reply, verdict) for verdict in verdicts)

    async def close(self) -> None:
        await self._guard.close()

    def _learned(self, used: Access, reply: Reply, verdict: Verdict) -> Verdict:
        match verdict:
            case Delivered():
                self._guard.accepted(used.secret)
                self._limits.clear()
                self._remember_operating(reply)
            case Deferred(reason="token_expired"):
                return self._guard.refused(used.secret) or verdict
            case Deferred(reason="query_limit_exceeded", after_seconds=float(start)):
                return replace(verdict, after_seconds=self._grown("query", start, QUERY_LIMIT_CAP_SECONDS))
            case Deferred(reason="operation_time_limit", after_seconds=float(start)):
                return replace(verdict, after_seconds=self._operating_seconds(start))
            case _:
                pass
        return verdict

    def _grown(self, what: str, start_seconds: float, cap_seconds: float) -> float:
        """Twice as long each time in a row, with jitter on top so that neighbours behind one address part."""
        times = self._limits.get(what, 0)
        self._limits[what] = times + 1
        return float(min(cap_seconds, start_seconds * 2.0 ** min(times, 16)) * (1 + _JITTER * self._dice()))

    def _operating_seconds(self, start_seconds: float) -> float:
        until = self._operating_until
        left_seconds = until - self._steady() if until is not None else 0.0
        if left_seconds > 0:
            return left_seconds + 1.0
        return self._grown("operating", start_seconds, OPERATION_LIMIT_CAP_SECONDS)

    def _remember_operating(self, reply: Reply) -> None:
        """`operating_reset_at` counts on the portal's clock, so its distance from the reply's own end is what holds."""
        told = (read_object(reply.body) or {}).get("time")
        if not isinstance(told, dict):
            return
        reset, finish = told.get("operating_reset_at"), told.get("finish")
        if isinstance(reset, (int, float)) and isinstance(finish, (int, float)):
            self._operating_until = self._steady() + min(max(0.0, reset - finish), OPERATION_LIMIT_CAP_SECONDS)
