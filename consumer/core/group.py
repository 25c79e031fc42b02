"""Commands that wait with equal wordings and terms, so that one request can tell many of them."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol

from consumer.core.model import Command, Message, OnUnsure, Terms

# What has left stays in the line of a crowd up to this many times what is there.
_STALE_FACTOR = 2
_STALE_ROOM = 64
# A number of 60 bits takes 32 bytes, one of 64 bits 48.
_HASH_BITS = (1 << 60) - 1

# A route that wants no wait at all still needs a scale for its slack.
LEAST_WITHIN_SECONDS = 0.001

GroupKey = tuple[tuple[Message, ...], OnUnsure, float, float, bool, tuple[bool, ...]]


def group_key(wordings: tuple[Message, ...], terms: Terms) -> GroupKey:
    """What commands must have in common to be one group: everything but the route that they came from."""
    return wordings, terms.on_unsure, terms.weight, terms.deliver_within_seconds, terms.ladder, terms.unique


class Holder(Protocol):
    """Whoever has the commands, of which a group knows the ids alone."""

    def command(self, id_: bytes) -> Command: ...

    def stands_in(self, id_: bytes, group: "Group") -> bool:
        """Whether the command waits in that group."""
        ...


class Group:
    """One group of open commands. It never is empty while an outbox shows it.

    `size` is unique recipients, `oldest` when the oldest of its commands arrived, in broker seconds. Most texts are
    somebody's own: a group of one needs no index.
    """

    __slots__ = (
        "_crowd",
        "_holder",
        "number",
        "oldest",
        "only",
        "order",
        "place",
        "shown",
        "size",
        "source",
        "terms",
        "turn",
        "weight",
        "within_seconds",
        "wordings",
    )

    def __init__(self, command: Command, holder: Holder, number: int = 0) -> None:
        self.number = number
        self.wordings = command.wordings
        self.terms: Terms = command.terms
        # Asked for at every decision, so not looked up each time.
        self.weight = command.terms.weight
        self.within_seconds = max(command.terms.deliver_within_seconds, LEAST_WITHIN_SECONDS)
        self.source = command.source
        self.size = 0
        self.oldest = command.arrived
        self._holder = holder
        # The id of its command, as long as it has had but one.
        self.only: bytes | None = None
        self._crowd: _Crowd | None = None
        # The order in which it stands, where, and by which id if not by itself: an order alone changes these.
        self.order: object = None
        self.turn, self.place = 0.0, 0
        self.shown: bytes | None = None

    def __iter__(self) -> Iterator[Command]:
        """Its commands, the oldest first, the others in no order."""
        return map(self._holder.command, self._ids())

    @property
    def due(self) -> float:
        """When its oldest command should have been delivered."""
        return self.oldest + self.within_seconds

    @property
    def message(self) -> Message:
        return self.wordings[0]

    @property
    def level(self) -> int:
        """The level at which it waits. A coarser one is chosen for one request only, so this is the most personal."""
        return 0

    @property
    def may_coarsen(self) -> bool:
        """There is a coarser wording, and its route lets the ladder be walked."""
        return self.terms.ladder and len(self.wordings) > 1

    @property
    def is_unique(self) -> bool:
        """Its wording names something that is the recipient's alone, so that the group cannot grow."""
        return bool(self.terms.unique) and self.terms.unique[0]

    def coarser(self, steps: int) -> tuple[Message, int]:
        """The wording that many steps up the ladder, or the last one; and its level."""
        level = min(steps, len(self.wordings) - 1)
        return self.wordings[level], level

    def takes(self, command: Command) -> bool:
        """Whether a command has all in common with it that it must."""
        if command.wordings is self.wordings and command.terms is self.terms:
            return True
        return self.key == group_key(command.wordings, command.terms)

    @property
    def key(self) -> GroupKey:
        return group_key(self.wordings, self.terms)

    def add(self, command: Command) -> None:
        if command.wordings is not self.wordings:
            # Equal by the group's key: sharing one object only saves the room of the other.
            object.__setattr__(command, "wordings", self.wordings)
        if not self.size:
            self.only, self.size, self.oldest = command.id, 1, command.arrived
            return
        if self._crowd is None:
            self._crowd, first = _Crowd(), self.first()
            self._crowd.add(first)
            self.only = None
        self._crowd.add(command)
        self.size, self.oldest = len(self._crowd.members), self._crowd.oldest

    def in_line(self) -> Iterator[Command]:
        """Its commands in the order of their arrival. Who asks for the next one may have let the others leave."""
        for id_ in self._crowd.line() if self._crowd is not None else self._ids():
            if self._holder.stands_in(id_, self):
                yield self._holder.command(id_)

    def discard(self, *commands: Command) -> None:
        """Take commands out; they `stand_in` the group no more."""
        crowd = self._crowd
        if crowd is not None:
            for command in commands:
                crowd.discard(command)
            if crowd.members:
                crowd.tidy(lambda id_: self._holder.stands_in(id_, self))
                self.size, self.oldest = len(crowd.members), crowd.oldest
                return
        self._crowd, self.only, self.size = None, None, 0

    def first(self) -> Command:
        """The command that arrived first."""
        return self._holder.command(next(iter(self._ids())))

    def of_recipients(self, told: set[str]) -> list[Command]:
        """Its commands for any of these recipients."""
        if self._crowd is None:
            return [command for command in self if command.recipient in told]
        found = map(self._holder.command, self._crowd.of_recipients(told))
        return [command for command in found if command.recipient in told]

    def _ids(self) -> Iterable[bytes]:
        """The one that arrived first comes first."""
        if self._crowd is not None:
            return self._crowd.ids()
        return () if self.only is None else (self.only,)


class _Crowd:
    """The ids of many: by a hash of the recipient, which takes half the room of the name, and in the line of their
    arrivals (those that came at once as they were put).

    Who leaves from the middle stays in the line until it is tidied: to move all behind it would cost more."""

    __slots__ = ("_arrivals", "_count", "_head", "_line", "members")

    def __init__(self) -> None:
        # Nearly everybody has one command here. Who has many is no reason to search: nobody stalls a lane by one name.
        self.members: dict[int, bytes | dict[bytes, None]] = {}
        self._count = 0
        self._line: list[bytes] = []
        self._arrivals = array("d")
        self._head = 0

    @property
    def oldest(self) -> float:
        return self._arrivals[self._head]

    def line(self) -> Iterable[bytes]:
        """In the order of arrivals; some have left, or stand twice."""
        return islice(self._line, self._head, None)

    def ids(self) -> Iterator[bytes]:
        yield self._line[self._head]
        for known in self.members.values():
            yield from (id_ for id_ in _all(known) if id_ != self._line[self._head])

    def of_recipients(self, told: set[str]) -> list[bytes]:
        """Theirs, and once in a lifetime somebody else's."""
        sought = set(map(_hashed, told))
        if self.members.keys().isdisjoint(sought):
            return []
        return [id_ for hashed, known in self.members.items() if hashed in sought for id_ in _all(known)]

    def add(self, command: Command) -> None:
        hashed = _hashed(command.recipient)
        known = self.members.setdefault(hashed, command.id)
        if isinstance(known, dict):
            known[command.id] = None
        elif known != command.id:
            self.members[hashed] = {known: None, command.id: None}
        self._count += 1
        at = bisect_right(self._arrivals, command.arrived, self._head)
        if at == self._head > 0:
            # It comes back to the front, where its place or another's is free.
            self._head -= 1
            self._line[self._head], self._arrivals[self._head] = command.id, command.arrived
        else:
            self._line.insert(at, command.id)
            self._arrivals.insert(at, command.arrived)

    def discard(self, command: Command) -> None:
        hashed = _hashed(command.recipient)
        known = self.members[hashed]
        if isinstance(known, dict):
            del known[command.id]
            if len(known) == 1:
                (self.members[hashed],) = known
        else:
            del self.members[hashed]
        self._count -= 1

    def tidy(self, stands: Callable[[bytes], bool]) -> None:
        """The head of the line is somebody who is here."""
        while not stands(self._line[self._head]):
            self._head += 1
        if len(self._line) > _STALE_FACTOR * self._count + _STALE_ROOM:
            entries = zip(self._line[self._head :], self._arrivals[self._head :], strict=True)
            here = dict.fromkeys(entry for entry in entries if stands(entry[0]))
            self._line, self._arrivals = [id_ for id_, _ in here], array("d", [at for _, at in here])
            self._head = 0


def _hashed(recipient: str) -> int:
    return hash(recipient) & _HASH_BITS


def _all(known: bytes | dict[bytes, None]) -> Iterable[bytes]:
    return known if isinstance(known, dict) else (known,)
