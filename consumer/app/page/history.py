"""The last hour of each lane, in steps of ten seconds: how many were told, and how old the news was."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from consumer.core import facts

STEP_SECONDS = 10
STEPS = 360


class History:
    """Fed by facts, asked by the page. `wall` gives seconds since 1970."""

    def __init__(self, lanes: Sequence[str], wall: Callable[[], float]) -> None:
        self._wall = wall
        self._steps: deque[tuple[int, dict[str, list[float]]]] = deque(maxlen=STEPS)
        self._lanes = tuple(lanes)

    def see(self, fact: facts.Fact) -> None:
        """Take note of people who were told."""
        if ear := self.ear(type(fact)):
            ear(fact)

    def ear(self, kind: type[facts.Fact]) -> Callable[[Any], None] | None:
        """Who takes note of facts of a kind; None where nobody does."""
        return self._note if kind is facts.Pushed else None

    def _note(self, fact: facts.Pushed) -> None:
        if fact.lane in self._lanes:
            told = self._now().setdefault(fact.lane, [0.0, 0.0])
            told[0] += len(fact.recipients)
            told[1] = max(told[1], *fact.ages_seconds, 0.0)

    def report(self) -> dict[str, Any]:
        """Columns for a chart: `at` in seconds since 1970, and of each lane people told a minute and the oldest news in
        seconds; null where nobody was told."""
        self._now()
        steps = list(self._steps)
        per_minute = 60 / STEP_SECONDS
        return {
            "at": [at for at, _ in steps],
            "lanes": {
                lane: {
                    "told": [round(told.get(lane, [0.0])[0] * per_minute) for _, told in steps],
                    "oldest": [round(told[lane][1], 1) if lane in told else None for _, told in steps],
                }
                for lane in self._lanes
            },
        }

    def _now(self) -> dict[str, list[float]]:
        """The step of this moment, with empty ones for the time in which nothing happened."""
        at = int(self._wall()) // STEP_SECONDS * STEP_SECONDS
        if self._steps and self._steps[-1][0] == at:
            return self._steps[-1][1]
        last = self._steps[-1][0] if self._steps else at - STEP_SECONDS
        # A clock that went back writes into the newest step.
        for missing in range(max(last, at - STEPS * STEP_SECONDS) + STEP_SECONDS, at + 1, STEP_SECONDS):
            self._steps.append((missing, {}))
        return self._steps[-1][1]
