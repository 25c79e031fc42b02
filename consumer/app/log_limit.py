"""A bound on log lines: of one event at most ten a second, with the number of those that were left out."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LINES_PER_SECOND = 10
WINDOW_SECONDS = 1.0
EVENTS_LIMIT = 500


@dataclass(slots=True)
class _Window:
    """The present second of one event."""

    since: float
    lines: int = 0
    suppressed: int = 0


class LineLimit(logging.Filter):
    """Lets ten lines of an event through each second. The next line that comes after that second tells how many more
    there were, in a line of its own: `lines_suppressed`, with `of` and `count`."""

    def __init__(self, monotonic: Callable[[], float], tell: Callable[[str, int], object]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._tell = tell
        self._windows: dict[str, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._monotonic()
        event = _event(record)
        self._close(now)
        if len(self._windows) >= EVENTS_LIMIT:
            self._windows.clear()
        window = self._windows.setdefault(event, _Window(now))
        window.lines += 1
        if window.lines <= LINES_PER_SECOND:
            return True
        window.suppressed += 1
        return False

    def _close(self, now: float) -> None:
        """Forget seconds that are over, and tell what they left out."""
        over = {event: each for event, each in self._windows.items() if now - each.since >= WINDOW_SECONDS}
        # All of them first: what is told comes through this filter again.
        for event in over:
            del self._windows[event]
        for event, window in over.items():
            if window.suppressed:
                self._tell(event, window.suppressed)


def _event(record: logging.LogRecord) -> str:
    """Our lines by their constant name, a library's by its logger."""
    return str(record.msg.get("event", "")) if isinstance(record.msg, Mapping) else f"logger {record.name}"
