"""A row of groups that stays in the order of their turn while they come, go and move."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from consumer.core.group import Group

# A block that has grown to twice as many is cut in two. At 50,000 groups, 100 to 1,000 cost about the same to keep.
_BLOCK = 100


class Entry(NamedTuple):
    """A group's place: `turn` orders, `number` tells equal turns apart. Both `turn` and `due` are broker seconds."""

    turn: float
    number: int
    due: float
    group: Group


class Block:
    """Neighbours in a row."""

    __slots__ = ("_due", "entries")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._due: float | None = min([entry.due for entry in entries])

    @property
    def due(self) -> float:
        """The earliest due; counted again only after the one that had it has left."""
        if self._due is None:
            self._due = min([entry.due for entry in self.entries])
        return self._due

    def add(self, entry: Entry) -> None:
        insort(self.entries, entry)
        if self._due is not None and entry.due < self._due:
            self._due = entry.due

    def remove(self, entry: Entry) -> None:
        del self.entries[bisect_left(self.entries, entry)]
        if entry.due == self._due:
            self._due = None


class Row:
    """Sorted entries in blocks, so that whoever comes or goes moves few others."""

    __slots__ = ("_lasts", "blocks")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        # The last entry of each block, to find the right one.
        self._lasts: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        for block in self.blocks:
            yield from block.entries

    def __bool__(self) -> bool:
        return bool(self.blocks)

    @property
    def first(self) -> Entry:
        return self.blocks[0].entries[0]

    def add(self, entry: Entry) -> None:
        if not self.blocks:
            self.blocks.append(Block([entry]))
            self._lasts.append(entry)
            return
        at = min(bisect_left(self._lasts, entry), len(self.blocks) - 1)
        block = self.blocks[at]
        block.add(entry)
        self._lasts[at] = block.entries[-1]
        if len(block.entries) > 2 * _BLOCK:
            halves = [Block(block.entries[:_BLOCK]), Block(block.entries[_BLOCK:])]
            self.blocks[at : at + 1] = halves
            self._lasts[at : at + 1] = [half.entries[-1] for half in halves]

    def remove(self, entry: Entry) -> None:
        at = bisect_left(self._lasts, entry)
        block = self.blocks[at]
        block.remove(entry)
        if block.entries:
            self._lasts[at] = block.entries[-1]
        else:
            del self.blocks[at], self._lasts[at]
