"""What is wrong with a lane now: causes that are put up and taken down, and the one that is shown."""

from collections.abc import Callable
from dataclasses import dataclass

from consumer.core.facts import Fact, LaneBlocked, LaneUnblocked


@dataclass(frozen=True, slots=True)
class Blockage:
    """Why a lane cannot work. `since` is on the monotonic clock, in seconds."""

    cause: str
    reason: str
    detail: str
    since: float


class Board:
    """Causes do not hide one another: each is told when it comes and when it goes."""

    def __init__(self, lane: str, emit: Callable[[Fact], None], monotonic: Callable[[], float]) -> None:
        self._lane = lane
        self._emit = emit
        self._monotonic = monotonic
        self._causes: dict[str, Blockage] = {}

    def block(self, cause: str, reason: str, detail: str = "") -> None:
        """`cause` is the part that fails (provider, journal, source …); `reason` the metric's label."""
        known = self._causes.get(cause)
        if known is not None and known.reason == reason:
            return
        self.clear(cause)
        self._causes[cause] = Blockage(cause, reason, detail, self._monotonic())
        self._emit(LaneBlocked(self._lane, reason, detail))

    def replace(self, cause: str, reason: str, detail: str) -> None:
        """The same for a cause that people write: one with other words is another."""
        known = self._causes.get(cause)
        if known is not None and known.detail != detail:
            self.clear(cause)
        self.block(cause, reason, detail)

    def clear(self, cause: str) -> None:
        known = self._causes.pop(cause, None)
        if known is not None:
            self._emit(LaneUnblocked(self._lane, known.reason, self._monotonic() - known.since))

    def clear_all(self, prefix: str) -> None:
        """Take down every cause whose name begins so."""
        for cause in [cause for cause in self._causes if cause.startswith(prefix)]:
            self.clear(cause)

    def now(self) -> float:
        """The clock on which causes are dated."""
        return self._monotonic()

    @property
    def blockages(self) -> tuple[Blockage, ...]:
        """The oldest first."""
        return tuple(self._causes.values())
