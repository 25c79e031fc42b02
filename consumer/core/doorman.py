"""Who must not be told: listed, told often enough already, or asleep just now."""

from collections.abc import Callable, Iterable, Sequence

from consumer.core.books import Books
from consumer.core.eviction import Eviction
from consumer.core.lot import Lot
from consumer.core.model import Command, Ended, Outcome, Parcel
from consumer.core.outbox import Outbox

Listed = Callable[[str, float], bool]
"""Whether the list of suppressions names a recipient at a moment, in broker seconds."""

Withdraw = Callable[[Sequence[Command]], None]
"""Told of those who were bound and have ended: the search in a refused batch goes on without them."""


def nobody(_recipient: str, _now: float) -> bool:
    """A list without anybody."""
    return False


class Doorman:
    """Asked when a command comes in, again when a request has bound it, and of all that waits when the list changes."""

    def __init__(self, books: Books, outbox: Outbox, listed: Listed, withdraw: Withdraw) -> None:
        self._books = books
        self._outbox = outbox
        self._caps = books.memory.told
        self._listed = listed
        self._withdraw = withdraw

    def refused(self, command: Command, now: float) -> Ended | None:
        """Its end, where its recipient is not to be told: it is in the books as over. What is under way counts for the
        caps as if it were delivered."""
        if self._listed(command.recipient, now):
            reason = "listed"
        elif self._caps.wanted and command.terms.marketing and self._is_told_enough(command, now):
            reason = "frequency_cap"
        else:
            return None
        end = Ended(command, Outcome.SUPPRESSED, reason)
        self._books.finish(end)
        return end

    def sift(self, parcels: Iterable[Parcel], now: float) -> tuple[tuple[Parcel, ...], tuple[Ended, ...]]:
        """A bound request without those who must not be told any more: while they waited they were listed, or were
        told as often as the caps allow. They end here."""
        kept: list[Parcel] = []
        ended: list[Ended] = []
        for parcel in parcels:
            ends = [end for command in parcel.commands if (end := self.refused(command, now)) is not None]
            if not ends:
                kept.append(parcel)
                continue
            for end in ends:
                self._outbox.land(end.command.thread, end.command.rank)
            over = {end.command.id for end in ends}
            left = tuple(command for command in parcel.commands if command.id not in over)
            if left:
                kept.append(parcel._replace(commands=left))
            ended.extend(ends)
        if ended:
            self._withdraw([end.command for end in ended])
        return tuple(kept), tuple(ended)

    def eviction(self, lot: Lot) -> Eviction:
        """A walk through what waits, for when the list has changed."""
        return Eviction(self._books, self._outbox, lot, self._listed)

    def _is_told_enough(self, command: Command, now: float) -> bool:
        return self._caps.full(command.recipient, now, self._books.courted(command))
