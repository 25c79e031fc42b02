"""Every live command once, by its id: whole while it is new or under way, and folded small while it waits for long."""

from collections import deque
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from struct import Struct, error
from typing import Generic, TypeVar

from consumer.core.group import Group
from consumer.core.model import Command, Position, Quiet, Terms
from consumer.core.threads import Threads

# Up to so many are all whole: to fold and unfold one takes 4 µs. Of more, this part is whole, those that came last.
_ALL_WHOLE = 8192
_LAST = 1 / 32
# Digest, thread, rank, arrived, deadline, numbers of the group and of the kind, the place and whether there is a
# thread, how many positions, and how many of them are settled. Behind it the positions, and then the recipient.
_FOLD = Struct("<4sQqddIHBBB")
_THREADED = 0x80
# The number of the partition, and the offset in five bytes: a thousand billion records.
_POSITION = Struct("<HBI")
_LOW, _LOW_BITS = 0xFFFFFFFF, 32
_RANK, _DEADLINE, _GROUP, _KIND = Struct("<12xq"), Struct("<28xd"), Struct("<36xI"), Struct("<40xH")
# What a text of JSON may hold, UTF-8 may not.
_TEXT = ("utf-8", "surrogatepass")

Kind = tuple[Terms, str, Quiet | None]
"""What many commands share: terms, source, quiet hours."""

Thing = TypeVar("Thing", bound=Hashable)


class Place(IntEnum):
    """Where a live command is. What is parked is in the memory, and live again only when its time has come. `LOOSE` is
    what waits in an outbox that belongs to no desk."""

    WAITING = auto()
    BOUND = auto()
    IN_DOUBT = auto()
    ASLEEP = auto()
    LOOSE = auto()


# To look into a dictionary takes a tenth of what it takes to ask the enumeration.
_PLACES = {int(place): place for place in Place}


@dataclass(slots=True)
class Live:
    """A live command, and the records that asked for it: one command may have several, and one outcome. The first
    `settled` of them are settled already, because the command was parked. `group` is where it is open."""

    command: Command
    positions: list[Position]
    place: Place
    settled: int = 0
    group: Group | None = None


class Shelf:
    """A mapping of live commands by id. Only what is open in a group is ever folded; who asks for it gets it whole,
    and may change it until somebody asks for another one."""

    def __init__(self, all_whole: int = _ALL_WHOLE) -> None:
        self._all_whole = all_whole
        self._last = int(_LAST * all_whole)
        self.groups: dict[int, Group] = {}
        self.threads = Threads(self.rank)
        self._lives: dict[bytes, Live | bytes] = {}
        self._whole: deque[bytes] = deque()
        self._kinds: _Numbered[Kind] = _Numbered()
        self._partitions: _Numbered[tuple[str, int]] = _Numbered()

    def __len__(self) -> int:
        return len(self._lives)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lives)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._lives

    def __getitem__(self, id_: bytes) -> Live:
        live = self._lives[id_]
        return self._unfold(id_, live) if isinstance(live, bytes) else live

    def get(self, id_: bytes) -> Live | None:
        live = self._lives.get(id_)
        return self._unfold(id_, live) if isinstance(live, bytes) else live

    def add(self, live: Live) -> None:
        self._lives[live.command.id] = live

    def pop(self, id_: bytes) -> Live:
        live = self[id_]
        del self._lives[id_]
        return live

    def clear(self) -> None:
        self._lives.clear()
        self._whole.clear()
        self.groups.clear()

    # --- what is asked without unfolding ------------------------------------------------------------------------------

    def command(self, id_: bytes) -> Command:
        return self[id_].command

    def look(self, id_: bytes) -> Group | None:
        """The group in which a command is open."""
        live = self.get(id_)
        return None if live is None else live.group

    def stands_in(self, id_: bytes, group: Group) -> bool:
        """Whether the command is open in that group."""
        live = self._lives.get(id_)
        if isinstance(live, bytes):
            return bool(_GROUP.unpack_from(live)[0] == group.number)
        return live is not None and live.group is group

    def rank(self, id_: bytes) -> int:
        live = self._lives[id_]
        return int(_RANK.unpack_from(live)[0]) if isinstance(live, bytes) else live.command.rank

    def open_until(self, id_: bytes) -> float | None:
        """The deadline of what is open; None of anything else."""
        live = self._lives.get(id_)
        if isinstance(live, bytes):
            return float(_DEADLINE.unpack_from(live)[0])
        return None if live is None or live.group is None else live.command.deadline

    def of_quiet(self, quiets: Collection[Quiet]) -> Iterator[bytes]:
        """Those that have one of these quiet hours."""
        for id_, live in self._lives.items():
            if (self._quiet(live) if isinstance(live, bytes) else live.command.quiet) in quiets:
                yield id_

    def _quiet(self, folded: bytes) -> Quiet | None:
        return self._kinds.things[int(_KIND.unpack_from(folded)[0])][2]

    def open_records(self) -> Iterator[tuple[bytes, list[Position]]]:
        """Each with the records that it keeps from being settled."""
        for id_, live in self._lives.items():
            if isinstance(live, bytes):
                yield id_, self._positions(live)[live[_FOLD.size - 1] :]
            else:
                yield id_, live.positions[live.settled :]

    # --- folding ------------------------------------------------------------------------------------------------------

    def rest(self, id_: bytes) -> None:
        """It is in a group, and may be folded when enough others have come after it."""
        whole = self._whole
        whole.append(id_)
        if len(self._lives) > self._all_whole:
            for _ in range(min(2, len(whole) - self._last)):
                oldest = whole.popleft()
                if oldest != id_:
                    self._fold(oldest)
        elif len(whole) > 2 * self._all_whole:
            self._whole = deque(dict.fromkeys(each for each in whole if self.open_until(each) is not None))

    def _fold(self, id_: bytes) -> None:
        live = self._lives.get(id_)
        if not isinstance(live, Live) or live.group is None:
            return
        command, positions = live.command, live.positions
        kind = self._kinds.number((command.terms, command.source, command.quiet))
        try:
            fixed = _FOLD.pack(
                command.digest, command.thread or 0, command.rank, command.arrived, command.deadline,
                live.group.number, kind, live.place | (0 if command.thread is None else _THREADED),
                len(positions), live.settled,
            )  # fmt: skip
            placed = [self._placed(position) for position in positions]
        except error:
            return  # Some number is too great: it stays whole.
        self._lives[id_] = b"".join((fixed, *placed, command.recipient.encode(*_TEXT)))
        if command.thread is not None:
            self.threads.fold(command.thread, id_)

    def _unfold(self, id_: bytes, folded: bytes) -> Live:
        digest, thread, rank, arrived, deadline, number, kind, flags, count, settled = _FOLD.unpack_from(folded)
        group, (terms, source, quiet) = self.groups[number], self._kinds.things[kind]
        command = Command(
            id=id_,
            digest=digest,
            terms=terms,
            recipient=folded[_FOLD.size + count * _POSITION.size :].decode(*_TEXT),
            wordings=group.wordings,
            thread=thread if flags & _THREADED else None,
            rank=rank,
            arrived=arrived,
            deadline=deadline,
            source=source,
            quiet=quiet,
        )
        place = _PLACES[flags & ~_THREADED]
        live = self._lives[id_] = Live(command, self._positions(folded), place, settled, group)
        if flags & _THREADED:
            self.threads.unfold(thread, id_)
        self.rest(id_)
        return live

    def _placed(self, position: Position) -> bytes:
        number, offset = self._partitions.number(position[:2]), position[2]
        return _POSITION.pack(number, offset >> _LOW_BITS, offset & _LOW)

    def _positions(self, folded: bytes) -> list[Position]:
        begin, partitions = _FOLD.size, self._partitions.things
        placed = folded[begin : begin + folded[begin - 2] * _POSITION.size]
        return [
            Position(*partitions[int(number)], high << _LOW_BITS | low)
            for number, high, low in _POSITION.iter_unpack(placed)
        ]


class _Numbered(Generic[Thing]):
    """Few things that many share, by a number that fits into two bytes."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self._numbers: dict[Thing, int] = {}

    def number(self, thing: Thing) -> int:
        number = self._numbers.setdefault(thing, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number
