"""The head of the line: the first record of each partition that is not settled, and the command that holds it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from consumer.core.desk import Desk
from consumer.core.model import Position, TopicPartition
from consumer.core.whereabouts import whereabouts

# Records are settled all the time; one that stands there for less holds nothing back worth telling.
YOUNG_SECONDS = 10.0
# Where nothing is live of a record that is open, its dead letter is not written yet.
LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Head:
    """The record at which a partition's committed prefix ends. `since` is when it came to stand there, on the clock of
    whoever looked; `where` is what its `command` (an id in hex) does, as `whereabouts.Where` has
    it, or `dead_letter`."""

    position: Position
    since: float
    command: str = ""
    route: str = ""
    where: str = ""


class Heads:
    """Remembers since when each head stands there. Look every few seconds: one look at old heads that it has not seen
    before goes through all live commands once."""

    def __init__(self) -> None:
        self._since: dict[Position, float] = {}
        self._holders: dict[Position, bytes] = {}

    def look(self, desk: Desk, partitions: Iterable[TopicPartition], now: float) -> tuple[Head, ...]:
        """Heads that have stood for some seconds, the oldest first."""
        first = (desk.ledger.oldest(partition) for partition in partitions)
        self._since = {each: self._since.get(each, now) for each in first if each is not None}
        old = [each for each, since in self._since.items() if now - since >= YOUNG_SECONDS]
        self._holders = _holders(desk, old, self._holders)
        return tuple(sorted((self._head(desk, each) for each in old), key=lambda head: head.since))

    def _head(self, desk: Desk, position: Position) -> Head:
        since, id_ = self._since[position], self._holders.get(position)
        found = None if id_ is None else whereabouts(desk, id_)
        if id_ is None or found is None:
            return Head(position, since, where=LETTER)
        return Head(position, since, id_.hex(), found.route, found.where.value)


def _holders(desk: Desk, positions: Collection[Position], known: dict[Position, bytes]) -> dict[Position, bytes]:
    """A live command of each of these records."""
    live = desk.books.live
    found = {each: known[each] for each in positions if known.get(each) in live}
    wanted = set(positions) - found.keys()
    if not wanted:
        return found
    for id_, unsettled in live.open_records():
        for position in unsettled:
            if position in wanted:
                found[position] = id_
                wanted.discard(position)
        if not wanted:
            break
    return found
