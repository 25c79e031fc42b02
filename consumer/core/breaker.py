"""The breaker: after failures of the provider only probes go out, ever more rarely, until one is answered."""

import math

from consumer.core.model import Blocked, Deferred, Delivered, Refused, Unsure, Verdict
from consumer.core.quota import Past
from consumer.core.retry import BLOCKED, LIMIT, UNREACHABLE, UNSURE, Backoff, honour

# One lost answer is an accident, two in a row are a provider that is down.
UNSURE_IN_A_ROW = 2


class Breaker:
    """Closed, requests go out as the quota allows. Open, one probe a back-off step.

    It opens at once when the lane is blocked or the provider cannot be reached, and after two lost answers in a row. It
    closes at the first request that was answered with a yes or a no. A limit answer says that the provider is well: it
    only asks for a pause, which grows when it is repeated, and which no other answer lifts. All times are broker
    seconds, `dice` a number in [0, 1).
    """

    def __init__(self) -> None:
        self.is_open = False
        self.reason = ""
        self._failures = 0
        self._limits = 0
        self._failed_until = -math.inf
        self._limited_until = -math.inf

    @property
    def suspicious(self) -> bool:
        """The last answer was a failure or a limit: one request at a time is enough to learn more."""
        return self._failures > 0 or self._limits > 0

    @property
    def until(self) -> float:
        """Nothing goes out before."""
        return max(self._failed_until, self._limited_until)

    def holds(self, now: float) -> bool:
        """Whether failures keep the lane back now: it is open, or waits after a first lost answer."""
        return self.is_open or now < self._failed_until

    def settle(self, verdict: Verdict, now: float, dice: float) -> None:
        """A request came to its end."""
        match verdict:
            case Delivered() | Refused():
                self._close()
            case Deferred(limit=True):
                self._limit(verdict.after_seconds, now, dice)
            case Deferred(left=False):
                self._fail(UNREACHABLE, now, dice, verdict.after_seconds)
                self._open(verdict.reason)
            case Deferred():
                self._fail(UNREACHABLE, now, dice, verdict.after_seconds)
                self._suspect(verdict.reason)
            case Unsure():
                self._fail(UNSURE, now, dice)
                self._suspect(verdict.reason)
            case _:
                self._fail(BLOCKED, now, dice)
                self._open(verdict.reason)

    def refuse(self, verdict: Blocked | Deferred, now: float, dice: float) -> None:
        """There is no credential that would be fit for a request."""
        if isinstance(verdict, Blocked):
            self._fail(BLOCKED, now, dice)
        else:
            # A credential keeps a back-off of its own, and says how much of it is left.
            named = verdict.after_seconds
            seconds = UNREACHABLE.delay(self._failures, dice) if named is None else honour(named)
            self._failures += 1
            self._failed_until = max(self._failed_until, now + seconds)
        self._open(verdict.reason)

    def restore(self, past: list[Past]) -> None:
        """An earlier owner's last requests may have got no answer: then the first one is a probe, and goes at once."""
        landed = sorted((one.completed, one.lost) for one in past if one.completed is not None)
        if len(landed) >= UNSURE_IN_A_ROW and all(lost for _, lost in landed[-UNSURE_IN_A_ROW:]):
            self._failures = UNSURE_IN_A_ROW
            self._open("earlier_owner")

    def _close(self) -> None:
        self.is_open, self.reason = False, ""
        self._failures = self._limits = 0
        self._failed_until = -math.inf

    def _open(self, reason: str) -> None:
        self.is_open, self.reason = True, reason

    def _suspect(self, reason: str) -> None:
        if self._failures >= UNSURE_IN_A_ROW:
            self._open(reason)

    def _fail(self, backoff: Backoff, now: float, dice: float, after_seconds: float | None = None) -> None:
        self._failed_until = max(self._failed_until, now + _pause(backoff, self._failures, after_seconds, dice))
        self._failures += 1

    def _limit(self, after_seconds: float | None, now: float, dice: float) -> None:
        self._limited_until = max(self._limited_until, now + _pause(LIMIT, self._limits, after_seconds, dice))
        self._limits += 1


def _pause(backoff: Backoff, before: int, after_seconds: float | None, dice: float) -> float:
    """The provider names the time itself, which is better than our guess; where it was wrong before, the longer of the
    two holds."""
    if after_seconds is None:
        return backoff.delay(before, dice)
    named = honour(after_seconds)
    return named if before == 0 else max(named, backoff.delay(before - 1, dice))
