"""The books of a desk: every live command once, with the records that asked for it and the one end that it comes to."""

from collections import Counter
from collections.abc import Iterable

from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import Command, Ended, Position
from consumer.core.shelf import Live, Place, Shelf

# Ends that the memory knows by now are kept up to so many more.
_FRESH_ROOM = 1024


class Books:
    """Counts what it is told, so that nothing is lost between two places. `planned` are all that came in: from records,
    and parked ones taken over from an earlier owner."""

    def __init__(self, ledger: Ledger, memory: Memory, live: Shelf) -> None:
        self.ledger = ledger
        self.memory = memory
        self.live = live
        self.parked: set[bytes] = {sleeper.command.id for sleeper in memory.parked}
        self.unwritten: list[Ended] = []
        self.planned = len(self.parked)
        self.ended = 0
        self.joined = 0
        self._places: Counter[Place] = Counter()
        self._courted: Counter[str] = Counter()
        self._has_caps = memory.told.wanted
        self._fresh: dict[bytes, bytes] = {}
        self._fresh_room = _FRESH_ROOM

    # --- in and about -------------------------------------------------------------------------------------------------

    def hold(self, command: Command, position: Position, place: Place) -> None:
        """A command that came with a record is live from now on."""
        self.planned += 1
        self.live.add(Live(command, [position], place))
        self._places[place] += 1

    def move(self, command: Command, place: Place) -> None:
        """From where it is to another place."""
        live = self.live[command.id]
        self._leave(live)
        live.place = place
        self._places[place] += 1
        if self._has_caps and place is Place.BOUND and command.terms.marketing:
            self._courted[command.recipient] += 1

    def _leave(self, live: Live) -> None:
        self._places[live.place] -= 1
        if self._has_caps and live.place is Place.BOUND and live.command.terms.marketing:
            recipient = live.command.recipient
            self._courted[recipient] -= 1
            if not self._courted[recipient]:
                del self._courted[recipient]

    def at(self, place: Place) -> int:
        """How many live commands are there."""
        return self._places[place]

    def courted(self, command: Command) -> int:
        """Marketing to the same person that is under way, without this command, where there is a cap."""
        live = self.live.get(command.id)
        own = live is not None and live.place is Place.BOUND and command.terms.marketing
        return self._courted.get(command.recipient, 0) - own

    # --- parked -------------------------------------------------------------------------------------------------------

    def park(self, id_: bytes) -> None:
        """Its record is durable and the memory has it: its source records are settled, and it is live no more."""
        live = self.live.pop(id_)
        self._leave(live)
        self.parked.add(id_)
        self._settle_all(live.positions[live.settled :])

    def unpark(self, id_: bytes) -> Live | None:
        """It is live again; None where it ended meanwhile, by another's record in the journal."""
        self.parked.discard(id_)
        sleeper = self.memory.parked.get(id_)
        if sleeper is None:
            self.joined += 1
            return None
        live = Live(sleeper.command, list(sleeper.positions), Place.ASLEEP, len(sleeper.positions))
        self.live.add(live)
        self._places[Place.ASLEEP] += 1
        return live

    # --- ends ---------------------------------------------------------------------------------------------------------

    def finish(self, end: Ended) -> None:
        """An end that needs no request settles at once; it must be durable before the next commit.

        The memory learns of it from the journal. A desk that is let go before takes it along: who owns the lane next,
        this process or another, plans the command again, and ends it again.
        """
        self.unwritten.append(end)
        self.ended += 1
        self._close(end.command)

    def ended_as(self, id_: bytes) -> bytes | None:
        """The digest under which a command has ended, durably or in these books alone."""
        return self._fresh.get(id_) or self.memory.ended(id_)

    def settle(self, command: Command) -> None:
        """It is over: its landing is in the journal. Whether as the first one of its attempt, and under no newer claim,
        the memory learns from there; who was cut off meanwhile must not take its own word for it as owner again."""
        self._close(command)

    def _close(self, command: Command) -> None:
        self._remember(command)
        live = self.live.pop(command.id)
        self._leave(live)
        self._settle_all(live.positions[live.settled :])

    def _remember(self, command: Command) -> None:
        self._fresh[command.id] = command.digest
        if len(self._fresh) > self._fresh_room:
            self._fresh = {id_: self._fresh[id_] for id_ in self.memory.unended(self._fresh)}
            self._fresh_room = _FRESH_ROOM + 2 * len(self._fresh)

    def _settle_all(self, positions: Iterable[Position]) -> None:
        for position in positions:
            self.ledger.settle(position)

    def clear(self) -> int:
        """Let everything go; how many commands that were."""
        released = len(self.live) + len(self.parked)
        self.live.clear()
        self.parked.clear()
        self.unwritten.clear()
        self._fresh.clear()
        self._places.clear()
        self._courted.clear()
        return released
