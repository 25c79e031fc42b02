"""Ends what waits for those who came onto the list of suppressions, at once and not when its turn would come."""

from collections import deque
from collections.abc import Callable

from consumer.core.books import Books
from consumer.core.lot import Lot
from consumer.core.model import Command, Ended, Outcome
from consumer.core.outbox import Outbox
from consumer.core.shelf import Place


class Eviction:
    """A walk through all that a desk holds, in handfuls. What is in flight or in doubt is left to its landing; what is
    left of a refused batch is looked at before it goes out, as every batch is."""

    def __init__(self, books: Books, outbox: Outbox, lot: Lot, listed: Callable[[str, float], bool]) -> None:
        self._books = books
        self._outbox = outbox
        self._lot = lot
        self._listed = listed
        self._left: deque[bytes] = deque()

    def begin(self) -> None:
        """Look at everything once more: the list has changed."""
        self._left = deque([*self._books.live, *self._books.parked])

    @property
    def over(self) -> bool:
        """Whether everything was looked at."""
        return not self._left

    def look(self, now: float, most: int) -> tuple[Ended, ...]:
        """At most so many commands; those that end by it."""
        ended = []
        for _ in range(min(most, len(self._left))):
            command = self._named(self._left.popleft(), now)
            if command is not None:
                ended.append(Ended(command, Outcome.SUPPRESSED, "listed"))
                self._books.finish(ended[-1])
        return tuple(ended)

    def _named(self, id_: bytes, now: float) -> Command | None:
        """The command, out of wherever it waited, if its recipient is listed."""
        live = self._books.live.get(id_)
        sleeper = self._books.memory.parked.get(id_) if id_ in self._books.parked else None
        command = live.command if live is not None else sleeper.command if sleeper is not None else None
        if command is None or not self._listed(command.recipient, now):
            return None
        if live is not None and live.place is Place.WAITING:
            return command if self._outbox.remove(command) else None
        sleeps = live is None or live.place is Place.ASLEEP
        return command if sleeps and self._lot.rouse(id_) is not None else None
