"""How a live command is folded small: numbers side by side in bytes, and what many have in common once."""

from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, count
from struct import Struct, error
from typing import Generic, NamedTuple, TypeVar

from consumer.core.group import Group
from consumer.core.model import Command, Message, Position, Quiet, Terms

# Digest, thread, rank, arrived, deadline, numbers of the group and of the kind, the place and what else is so, how many
# positions, and how many of them are settled. Behind it the positions, and then the recipient.
_FOLD = Struct("<4sQqddIHBBB")
_THREADED, _ALONE = 0x80, 0x40
_PLACE = _ALONE - 1
_FLAGS_AT, _COUNT_AT = _FOLD.size - 3, _FOLD.size - 2
# The number of the partition, and the offset in five bytes: a thousand billion records.
_POSITION = Struct("<HBI")
_LOW, _LOW_BITS = 0xFFFFFFFF, 32
# Of a group that is folded with its only command: its place in the order, what it shares of its wordings by number, and
# how many they are. Behind it what is its own, the recipient and the parts of the other wordings: the length of each in
# characters and one more, 0 for one that is not there, and all of them as one text.
_GROUP = Struct("<QIB")
_RANK, _ARRIVED, _DEADLINE = Struct("<12xq"), Struct("<20xd"), Struct("<28xd")
_NUMBER, _KIND = Struct("<36xI"), Struct("<40xH")
# What a text of JSON may hold, UTF-8 may not.
_TEXT = ("utf-8", "surrogatepass")
_PARTS = len(Message._fields)

Kind = tuple[Terms, str, Quiet | None]
"""What many commands share: terms, source, quiet hours."""

Thing = TypeVar("Thing", bound=Hashable)


class State(NamedTuple):
    """Where a command is, by its number, and how many of its records are settled; whether its group is folded too."""

    place: int
    settled: int
    alone: bool


class Folds:
    """Folds and unfolds, and remembers what the folded have in common."""

    def __init__(self) -> None:
        self._kinds: _Numbered[Kind] = _Numbered()
        self._partitions: _Numbered[tuple[str, int]] = _Numbered()
        self._rungs: _Counted[tuple[Message, ...]] = _Counted()

    def fold(self, command: Command, group: Group, positions: Sequence[Position], state: State) -> bytes | None:
        """None where some number is too great for it, or a text too long."""
        kind = self._kinds.number((command.terms, command.source, command.quiet))
        flags = state.place | (0 if command.thread is None else _THREADED) | (_ALONE if state.alone else 0)
        try:
            fixed = _FOLD.pack(
                command.digest, command.thread or 0, command.rank, command.arrived, command.deadline,
                group.number, kind, flags, len(positions), state.settled,
            )  # fmt: skip
            placed = [self._placed(position) for position in positions]
            rest = self._alone(command, group) if state.alone else command.recipient.encode(*_TEXT)
        except (error, OverflowError):
            return None
        return b"".join((fixed, *placed, rest))

    def _alone(self, command: Command, group: Group) -> bytes:
        own, shared = _apart(command.wordings, command.terms.unique)
        parts = (command.recipient, *chain.from_iterable(own))
        lengths = array("H", [0 if part is None else 1 + len(part) for part in parts]).tobytes()
        text = "".join([part for part in parts if part]).encode(*_TEXT)
        return _GROUP.pack(group.place, self._rungs.take(shared), len(command.wordings)) + lengths + text

    def unfold(self, id_: bytes, folded: bytes, group: Group | None) -> tuple[Command, State]:
        """Of the group that it is in; without one, of which it is alone, in the group that `unfolded_group` makes."""
        digest, thread, rank, arrived, deadline, _, kind, flags, _, settled = _FOLD.unpack_from(folded)
        terms, source, quiet = self._kinds.things[kind]
        if group is None:
            recipient, wordings = self.said(folded)
        else:
            recipient, wordings = folded[_end(folded) :].decode(*_TEXT), group.wordings
        line = thread if flags & _THREADED else None
        command = Command(id_, digest, terms, recipient, wordings, line, rank, arrived, deadline, source, quiet)
        return command, State(flags & _PLACE, settled, group is None)

    def restore(self, group: Group, folded: bytes) -> None:
        """A group of one has its place in the order again, and the folded one gives up what it shares."""
        group.place, rungs, _ = _GROUP.unpack_from(folded, _end(folded))
        group.shown = group.only
        self._rungs.give(rungs)

    # --- what is asked without unfolding ------------------------------------------------------------------------------

    def kind(self, folded: bytes) -> Kind:
        return self._kinds.things[int(_KIND.unpack_from(folded)[0])]

    def said(self, folded: bytes) -> tuple[str, tuple[Message, ...]]:
        """The recipient and the wordings of one whose group is folded too."""
        at = _end(folded)
        _, rungs, levels = _GROUP.unpack_from(folded, at)
        shared = self._rungs.things[rungs]
        parts = _parts(folded[at + _GROUP.size :], 1 + _PARTS * (levels - len(shared)))
        own = [Message._make(parts[begin : begin + _PARTS]) for begin in range(1, len(parts), _PARTS)]
        return parts[0] or "", _together(own, shared, self.kind(folded)[0].unique)

    def levels(self, folded: bytes) -> int:
        """How many wordings one has whose group is folded too."""
        return int(_GROUP.unpack_from(folded, _end(folded))[2])

    def positions(self, folded: bytes) -> list[Position]:
        partitions = self._partitions.things
        return [
            Position(*partitions[int(number)], high << _LOW_BITS | low)
            for number, high, low in _POSITION.iter_unpack(folded[_FOLD.size : _end(folded)])
        ]

    def open_positions(self, folded: bytes) -> list[Position]:
        """Of the records that are not settled."""
        return self.positions(folded)[folded[_FOLD.size - 1] :]

    def _placed(self, position: Position) -> bytes:
        number, offset = self._partitions.number(position[:2]), position[2]
        return _POSITION.pack(number, offset >> _LOW_BITS, offset & _LOW)


def is_alone(folded: bytes) -> bool:
    """Whether its group is folded with it."""
    return bool(folded[_FLAGS_AT] & _ALONE)


def group_number(folded: bytes) -> int:
    return int(_NUMBER.unpack_from(folded)[0])


def rank(folded: bytes) -> int:
    return int(_RANK.unpack_from(folded)[0])


def arrived(folded: bytes) -> float:
    return float(_ARRIVED.unpack_from(folded)[0])


def deadline(folded: bytes) -> float:
    return float(_DEADLINE.unpack_from(folded)[0])


def _end(folded: bytes) -> int:
    """Behind the positions."""
    return _FOLD.size + folded[_COUNT_AT] * _POSITION.size


def _parts(told: bytes, count: int) -> list[str | None]:
    """So many texts, of their lengths and all of them in one."""
    lengths = array("H", told[: 2 * count])
    text, begin = told[2 * count :].decode(*_TEXT), 0
    parts: list[str | None] = []
    for length in lengths:
        parts.append(text[begin : begin + length - 1] if length else None)
        begin += max(length - 1, 0)
    return parts


def _is_shared(level: int, unique: Sequence[bool]) -> bool:
    """A coarser wording that names nothing of the recipient's own is everybody's on the route."""
    return 0 < level < len(unique) and not unique[level]


def _apart(wordings: Iterable[Message], unique: Sequence[bool]) -> tuple[list[Message], tuple[Message, ...]]:
    """What is a command's own, and what it shares."""
    own: list[Message] = []
    shared: list[Message] = []
    for level, message in enumerate(wordings):
        (shared if _is_shared(level, unique) else own).append(message)
    return own, tuple(shared)


def _together(own: Sequence[Message], shared: Sequence[Message], unique: Sequence[bool]) -> tuple[Message, ...]:
    """As they were before they were put apart."""
    owned, common = iter(own), iter(shared)
    levels = range(len(own) + len(shared))
    return tuple([next(common if _is_shared(level, unique) else owned) for level in levels])


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


class _Counted(Generic[Thing]):
    """Things by number, as long as anybody has them."""

    def __init__(self) -> None:
        self.things: dict[int, Thing] = {}
        self._numbers: dict[Thing, int] = {}
        self._counts: Counter[int] = Counter()
        self._fresh = count()

    def take(self, thing: Thing) -> int:
        number = self._numbers.get(thing)
        if number is None:
            number = self._numbers[thing] = next(self._fresh)
            self.things[number] = thing
        self._counts[number] += 1
        return number

    def give(self, number: int) -> None:
        self._counts[number] -= 1
        if not self._counts[number]:
            del self._counts[number], self._numbers[self.things.pop(number)]
