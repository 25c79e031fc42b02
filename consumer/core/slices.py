"""A map from 64 bits to 64 bits for millions of entries, at about sixteen bytes each, that forgets by age."""

from array import array
from bisect import bisect_left
from itertools import islice
from operator import eq
from typing import NamedTuple

# Keys are hashes, so their top bits deal them out evenly; a shard keeps each merge short (a few milliseconds).
_SHARD_BITS = 6
_SHIFT = 64 - _SHARD_BITS
# So many of the newest stay in a dict before they become a sorted run.
_NEWEST = 128
# A run is merged with the newer one unless it is larger by this factor: runs that lost repeats still count as equal.
_EQUAL = 1.5
# The part of the memory that is dropped at once.
_SLICES = 8


class Slices:
    """Keys may repeat with different values: `values` gives all of them, the first put first.

    Entries live in slices of time; a slice is dropped whole when all of it is older than `memory_seconds`, so an entry
    is remembered for at least that long and at most an eighth longer.
    """

    def __init__(self, memory_seconds: float) -> None:
        self._memory_seconds = memory_seconds
        self._slice_seconds = memory_seconds / _SLICES
        self._slices: dict[int, dict[int, _Shard]] = {}
        self._newest = 0

    def put(self, key: int, value: int, at: float) -> None:
        """Remember. The same key and value put twice within a slice take room once, at the latest after a merge."""
        number = int(at // self._slice_seconds)
        shards = self._slices.get(number)
        if shards is None:
            shards = self._slice(number)
        shard = shards.get(key >> _SHIFT)
        if shard is None:
            shard = shards[key >> _SHIFT] = _Shard()
        shard.put(key, value)

    def values(self, key: int) -> list[int]:
        """All values of the key, from the oldest slice to the newest."""
        found: list[int] = []
        newest = self._newest
        for number, shards in self._slices.items():
            shard = shards.get(key >> _SHIFT)
            if shard is not None:
                if number < newest and len(shard.runs) > 1:
                    shard.compact()
                shard.find(key, found)
        return found

    def forget(self, now: float) -> None:
        """Drop the slices all of which is older than the memory."""
        first = (now - self._memory_seconds) // self._slice_seconds
        for number in [number for number in self._slices if number < first]:
            del self._slices[number]

    def __len__(self) -> int:
        """Entries held; those put twice and not yet merged count twice."""
        return sum(shard.size for shards in self._slices.values() for shard in shards.values())

    def _slice(self, number: int) -> dict[int, "_Shard"]:
        """Begin a slice; the others become all runs, which take the least room."""
        for shards in self._slices.values():
            for shard in shards.values():
                shard.seal()
        self._slices = dict(sorted([*self._slices.items(), (number, {})]))
        self._newest = max(self._slices)
        return self._slices[number]


class _Run(NamedTuple):
    """Entries sorted by key; equal keys in the order of their puts."""

    keys: "array[int]"
    values: "array[int]"


class _Shard:
    """Part of the keys of one slice: the newest in a dict, the others in sorted runs from the oldest to the newest,
    merged when two neighbours have grown to equal size."""

    __slots__ = ("newest", "runs")

    def __init__(self) -> None:
        self.newest: dict[int, tuple[int, ...]] = {}
        self.runs: list[_Run] = []

    @property
    def size(self) -> int:
        return sum(map(len, self.newest.values())) + sum(len(run.keys) for run in self.runs)

    def put(self, key: int, value: int) -> None:
        known = self.newest.get(key)
        if known is None:
            self.newest[key] = (value,)
            if len(self.newest) >= _NEWEST:
                self.seal()
                self._merge()
        elif value not in known:
            self.newest[key] = (*known, value)

    def find(self, key: int, found: list[int]) -> None:
        """Append the values of the key to `found`."""
        for keys, values in self.runs:
            index = bisect_left(keys, key)
            while index < len(keys) and keys[index] == key:
                found.append(values[index])
                index += 1
        if key in self.newest:
            found.extend(self.newest[key])

    def compact(self) -> None:
        """One run out of all, once nothing more is expected: looked up faster. A few milliseconds for each shard."""
        while len(self.runs) > 1:
            newer, older = self.runs.pop(), self.runs.pop()
            self.runs.append(_merged(older, newer))

    def seal(self) -> None:
        """Make a run of the newest."""
        if self.newest:
            pairs = [(key, value) for key in sorted(self.newest) for value in self.newest[key]]
            self.runs.append(_Run(array("Q", [key for key, _ in pairs]), array("Q", [value for _, value in pairs])))
            self.newest = {}

    def _merge(self) -> None:
        while len(self.runs) > 1 and len(self.runs[-2].keys) <= len(self.runs[-1].keys) * _EQUAL:
            newer, older = self.runs.pop(), self.runs.pop()
            self.runs.append(_merged(older, newer))


def _merged(older: _Run, newer: _Run) -> _Run:
    keys, values = older.keys + newer.keys, older.values + newer.values
    # Python's sort finds the two runs and merges them; it is stable, so what was put first stays first.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    merged = _Run(array("Q", [keys[index] for index in order]), array("Q", [values[index] for index in order]))
    if any(map(eq, merged.keys, islice(merged.keys, 1, None))):
        return _without_repeats(merged)
    return merged


def _without_repeats(run: _Run) -> _Run:
    pairs = list(dict.fromkeys(zip(run.keys, run.values, strict=True)))
    return _Run(array("Q", [key for key, _ in pairs]), array("Q", [value for _, value in pairs]))
