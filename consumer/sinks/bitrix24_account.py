"""What a Bitrix24 account remembers between calls: its token, where the portal lives, what it allows, and for how long
a limit lasts."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from consumer.core.facts import RequestsNarrowed
from consumer.core.model import Blocked, Capacity, Deferred, Delivered, Verdict, Verdicts
from consumer.core.ports import Emit
from consumer.sinks.answer import read_object
from consumer.sinks.base import Access
from consumer.sinks.bitrix24_lines import METHOD
from consumer.sinks.http import Reply
from consumer.sinks.oauth import TokenGuard, loop_seconds

QUERY_LIMIT_CAP_SECONDS = 60.0
OPERATION_LIMIT_CAP_SECONDS = 600.0
BATCH_NOT_ALLOWED = Deferred("batch_not_allowed", 0.0)
# Beyond this part of the operating time a lane waits by itself, instead of finding the door shut for ten minutes.
BUDGET_SHARE = 0.9
# How long an answer is waited for that tells how much operating time has been freed.
PROBE_SECONDS = 5.0
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds that never jump, and dice that give 0 to 1."""

    steady: Callable[[], float] = loop_seconds
    dice: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Portal:
    """The account as it is configured. `moved` tells where a reply sends us, when we may go there. The operating time
    is None where the portal has no limit."""

    address: str
    moved: Callable[[Reply], str | None]
    lane: str
    emit: Emit
    operating_limit_seconds: float | None = None


class Budget:
    """The operating time that methods have used in the last ten minutes, as the portal tells it: for each method the
    sum, and until when it holds. What a portal bills to a batch and what to the methods in it, its pages disagree
    about; so each is kept, and the larger one counts."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._used: dict[str, tuple[float, float]] = {}

    def note(self, method: str, told: object) -> None:
        """Take the `time` of an answer. `operating_reset_at` is on the portal's clock, so its distance from the
        answer's own end is what holds."""
        if not isinstance(told, dict):
            return
        used, reset, finish = (_number(told.get(name)) for name in ("operating", "operating_reset_at", "finish"))
        if used is not None and reset is not None and finish is not None:
            seconds = min(max(0.0, reset - finish), OPERATION_LIMIT_CAP_SECONDS)
            self._used[method] = (used, self._steady() + seconds)

    def left_seconds(self) -> float:
        """How long until the portal frees a part of the operating time; 0 or less when it has, or nothing is known."""
        now = self._steady()
        return max((until - now for _, until in self._used.values()), default=0.0)

    def over_seconds(self, most_seconds: float) -> float:
        """How long to wait, because a method has used so much; 0 when a request may go. After the wait one request
        finds out how much has been freed, and the next ones wait for its answer."""
        now = self._steady()
        over = {method: until for method, (used, until) in self._used.items() if used >= most_seconds}
        if not over:
            return 0.0
        left_seconds = max(over.values()) + 1.0 - now
        if left_seconds <= 0:
            self._used.update({method: (self._used[method][0], now + PROBE_SECONDS) for method in over})
        return max(0.0, left_seconds)


class Bitrix24Account:
    """One portal. What it must not forget lies beside the tokens: its new address, and that it takes no batches."""

    def __init__(self, guard: TokenGuard, portal: Portal, clock: Clock | None = None) -> None:
        self._guard = guard
        self._portal = portal
        self._clock = clock or Clock()
        self._limits: dict[str, int] = {}
        self._budget = Budget(self._clock.steady)

    @property
    def access(self) -> Access | None:
        token = self._guard.access_token
        return None if token is None else Access(token, str(self._known.get("home", "")))

    @property
    def _known(self) -> dict[str, Any]:
        """What was learnt of this portal; what was learnt of another one, before the configuration changed, is void."""
        known = self._guard.notes.get("learnt")
        return known if isinstance(known, dict) and known.get("portal") == self._portal.address else {}

    def capacity(self, usual: Capacity) -> Capacity:
        return usual._replace(parcels=1) if self._known.get("single") else usual

    async def ready(self) -> Blocked | Deferred | None:
        return await self._guard.ready() or self._over_budget()

    def _over_budget(self) -> Deferred | None:
        limit_seconds = self._portal.operating_limit_seconds
        wait_seconds = 0.0 if limit_seconds is None else self._budget.over_seconds(limit_seconds * BUDGET_SHARE)
        return Deferred("operating_budget", wait_seconds, limit=True, left=False) if wait_seconds else None

    def learn(self, used: Access, reply: Reply, verdicts: Verdicts) -> Verdicts:
        answer = read_object(reply.body) or {}
        if home := self._portal.moved(reply):
            self._note(home=home)
        if BATCH_NOT_ALLOWED in verdicts and not self._known.get("single"):
            self._note(single=True)
            portal = self._portal
            portal.emit(RequestsNarrowed(portal.lane, "bitrix24", BATCH_NOT_ALLOWED.reason))
        if Delivered() in verdicts:
            self._guard.accepted(used.secret)
            self._limits.clear()
        self._note_time(answer)
        # Once for each different verdict: fifty commands that meet one limit have met it once.
        learned = {verdict: self._learned(used, verdict) for verdict in dict.fromkeys(verdicts)}
        return tuple(learned[verdict] for verdict in verdicts)

    async def close(self) -> None:
        await self._guard.close()

    def _note(self, **learnt: Any) -> None:
        self._guard.note("learnt", {**self._known, "portal": self._portal.address, **learnt})

    def _learned(self, used: Access, verdict: Verdict) -> Verdict:
        match verdict:
            case Deferred(reason="token_expired"):
                return self._guard.refused(used.secret) or verdict
            case Deferred(reason="query_limit_exceeded", after_seconds=float(start)):
                return replace(verdict, after_seconds=self._grown("query", start, QUERY_LIMIT_CAP_SECONDS))
            case Deferred(reason="operation_time_limit", after_seconds=float(start)):
                return replace(verdict, after_seconds=self._operating_seconds(start))
            case _:
                return verdict

    def _grown(self, what: str, start_seconds: float, cap_seconds: float) -> float:
        """Twice as long each time in a row, with jitter on top so that neighbours behind one address part."""
        times = self._limits.get(what, 0)
        self._limits[what] = times + 1
        return float(min(cap_seconds, start_seconds * 2.0 ** min(times, 16)) * (1 + _JITTER * self._clock.dice()))

    def _operating_seconds(self, start_seconds: float) -> float:
        left_seconds = self._budget.left_seconds()
        if left_seconds > 0:
            return left_seconds + 1.0
        return self._grown("operating", start_seconds, OPERATION_LIMIT_CAP_SECONDS)

    def _note_time(self, answer: dict[str, Any]) -> None:
        result = answer.get("result")
        self._budget.note("batch" if isinstance(result, dict) else METHOD, answer.get("time"))
        times = result.get("result_time") if isinstance(result, dict) else None
        for told in (times.values() if isinstance(times, dict) else times) if isinstance(times, (dict, list)) else ():
            self._budget.note(METHOD, told)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
