"""A row of groups that stays in the order of their turn while they come, go and move."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain

from consumer.core.group import Group

# A block that has grown to twice as many is cut in two. At 50,000 groups, 100 to 1,000 cost about the same to keep.
_BLOCK = 100

Who = Group | bytes
"""A group, or the id of its only command: a group that waits alone for long is nothing else."""

Entry = tuple[float, int, float, Who]
"""Somebody's place: the turn orders, a number tells equal turns apart, and when it is due. Broker seconds."""


class Block:
    """Neighbours in a row, in columns: an object for each of very many would be most of what they take."""

    __slots__ = ("_due", "dues", "numbers", "turns", "who")

    def __init__(
        self,
        turns: "array[float]",
        numbers: "array[int]",
        dues: "array[float]",
        who: list[Who],
        due: float | None = None,
    ) -> None:
        self.turns = turns
        self.numbers = numbers
        self.dues = dues
        self.who = who
        self._due = due

    def __len__(self) -> int:
        return len(self.who)

    def __iter__(self) -> Iterator[Entry]:
        return zip(self.turns, self.numbers, self.dues, self.who, strict=True)

    @property
    def due(self) -> float:
        """The earliest due; counted again only after the one that had it has left."""
        if self._due is None:
            self._due = min(self.dues)
        return self._due

    @property
    def last(self) -> tuple[float, int]:
        """Turn and number of the last one."""
        return self.turns[-1], self.numbers[-1]

    def append(self, turn: float, number: int, due: float, who: Who) -> None:
        """Behind all others."""
        self.turns.append(turn)
        self.numbers.append(number)
        self.dues.append(due)
        self.who.append(who)
        if self._due is not None and due < self._due:
            self._due = due

    def insert(self, turn: float, number: int, due: float, who: Who) -> None:
        at = self.place(turn, number)
        self.turns.insert(at, turn)
        self.numbers.insert(at, number)
        self.dues.insert(at, due)
        self.who.insert(at, who)
        if self._due is not None and due < self._due:
            self._due = due

    def remove(self, turn: float, number: int) -> None:
        dues, at = self.dues, self.place(turn, number)
        if dues[at] == self._due:
            self._due = None
        del self.turns[at], self.numbers[at], dues[at], self.who[at]

    def place(self, turn: float, number: int) -> int:
        """Where it stands, or would."""
        turns, numbers = self.turns, self.numbers
        at = bisect_left(turns, turn)
        if at < len(turns) and turns[at] == turn and numbers[at] < number:
            # Of one turn are many where many came at once.
            at = bisect_left(numbers, number, at, bisect_right(turns, turn, at))
        return at

    def halves(self) -> list["Block"]:
        parts = (slice(None, _BLOCK), slice(_BLOCK, None))
        return [Block(self.turns[part], self.numbers[part], self.dues[part], self.who[part]) for part in parts]


class Row:
    """Sorted entries in blocks, so that whoever comes or goes moves few others."""

    __slots__ = ("_lasts", "blocks")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        # Turn and number of the last one of each block, to find the right one.
        self._lasts: list[tuple[float, int]] = []

    def __iter__(self) -> Iterator[Entry]:
        return chain.from_iterable(map(iter, self.blocks))

    def __bool__(self) -> bool:
        return bool(self.blocks)

    @property
    def first(self) -> Entry:
        block = self.blocks[0]
        return block.turns[0], block.numbers[0], block.dues[0], block.who[0]

    def add(self, turn: float, number: int, due: float, who: Who) -> None:
        blocks, lasts, last = self.blocks, self._lasts, (turn, number)
        if not blocks:
            blocks.append(Block(array("d", (turn,)), array("q", (number,)), array("d", (due,)), [who], due))
            lasts.append(last)
            return
        if last > lasts[-1]:
            at = len(blocks) - 1
            block = blocks[at]
            block.append(turn, number, due, who)
            lasts[at] = last
        else:
            at = bisect_left(lasts, last)
            block = blocks[at]
            block.insert(turn, number, due, who)
        if len(block.who) > 2 * _BLOCK:
            blocks[at : at + 1] = halves = block.halves()
            lasts[at : at + 1] = [half.last for half in halves]

    def remove(self, turn: float, number: int) -> None:
        lasts, last = self._lasts, (turn, number)
        at = bisect_left(lasts, last)
        block = self.blocks[at]
        block.remove(turn, number)
        if last == lasts[at]:
            if block.who:
                lasts[at] = block.last
            else:
                del self.blocks[at], lasts[at]

    def rename(self, turn: float, number: int, who: Who) -> None:
        """The same place stands for somebody else."""
        block = self.blocks[bisect_left(self._lasts, (turn, number))]
        block.who[block.place(turn, number)] = who
