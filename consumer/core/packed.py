"""Sets and tables of 64-bit hashes for millions of entries: arrays instead of objects, so that memory stays small."""

from array import array

_FIRST_SLOTS = 1 << 12
# Fuller than this, and the searches grow long.
_FULL = 0.6
_EMPTY = 0


class Packed:
    """Numbers by hash, in `columns` of 64 bits each; without columns a set. Eight bytes a column and as many for the
    hash, at most four times over. Two things with one hash are one: of a million, one in forty million times.
    """

    def __init__(self, columns: int = 0) -> None:
        self._keys = _zeros(_FIRST_SLOTS)
        self.columns = [_zeros(_FIRST_SLOTS) for _ in range(columns)]
        self._mask = _FIRST_SLOTS - 1
        self._most = _FULL * _FIRST_SLOTS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self._keys[self._slot(key)] != _EMPTY

    def add(self, key: int) -> bool:
        """Put it in; False when it was there."""
        slot = self._slot(key)
        new = self._keys[slot] == _EMPTY
        if new:
            self._fill(slot, key)
        return new

    def get(self, key: int, column: int = 0) -> int:
        """The number of the column; 0 for a key that is not there."""
        return self.columns[column][self._slot(key)]

    def put(self, key: int, *values: int) -> None:
        """Set all columns. Values are from 0 to 2**64 - 1."""
        slot = self.place(key)
        for column, value in zip(self.columns, values, strict=True):
            column[slot] = value

    def place(self, key: int) -> int:
        """Where the key's numbers stand in the `columns`, zeros for a new one: one search for reading and writing. True
        until the next thing is put in."""
        slot = self._slot(key)
        return self._fill(slot, key) if self._keys[slot] == _EMPTY else slot

    def _slot(self, key: int) -> int:
        """Where the key is, or would be. A hash of 0 counts as 1."""
        keys, mask = self._keys, self._mask
        key = key or 1
        slot = key & mask
        while (there := keys[slot]) != key and there != _EMPTY:
            slot = (slot + 1) & mask
        return slot

    def _fill(self, slot: int, key: int) -> int:
        self._keys[slot] = key or 1
        self._count += 1
        if self._count > self._most:
            self._grow()
            return self._slot(key)
        return slot

    def _grow(self) -> None:
        keys, columns = self._keys, self.columns
        size = 2 * len(keys)
        self._keys, self._mask, self._most = _zeros(size), size - 1, _FULL * size
        self.columns = [_zeros(size) for _ in columns]
        for old, key in enumerate(keys):
            if key != _EMPTY:
                slot = self._slot(key)
                self._keys[slot] = key
                for number, column in enumerate(columns):
                    self.columns[number][slot] = column[old]


def _zeros(count: int) -> "array[int]":
    return array("Q", bytes(8 * count))
