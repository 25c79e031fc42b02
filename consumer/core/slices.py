"""Entries of sixteen bytes, found by how they begin, for millions of them, that are forgotten by age."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import inf
from struct import Struct

ENTRY_BYTES = 16
# Takes entries apart that stand one after another.
ENTRIES = Struct(f"{ENTRY_BYTES}s")
# The part of the memory that is dropped at once.
_SLICES = 8
_SHARDS = 256
# A search goes through a whole bucket, at some gigabytes a second.
_BUCKET_BYTES = 256 * ENTRY_BYTES
# So little is left of a bucket that was long for what stood there twice, and for its marks.
_RELIEVED_BYTES = 160 * ENTRY_BYTES
# More would need another byte of the key. They are reached by eight million entries, and then grow.
_MOST_BUCKETS = 256

# The entries of a bucket stand as they came, and a mark where a slice begins.
_Buckets = list[bytearray]


class Slices:
    """An entry is a key and a value, together sixteen bytes; a key is a hash, of two bytes at least. Keys may repeat
    with different values.

    Entries live in slices of time; a slice is dropped whole when all of it is older than `memory_seconds`, so an entry
    is remembered for at least that long and at most an eighth longer. Who comes late counts to the newest slice.

    The first byte of a key chooses its shard, the second one its bucket: nothing is ever sorted, and one search goes
    through all slices. A shard whose buckets have become long gets four times as many, which takes a millisecond where
    there are millions of entries; then to begin a slice takes some milliseconds, and to drop one some more.
    """

    def __init__(self, memory_seconds: float) -> None:
        self._memory_seconds = memory_seconds
        self._slice_seconds = memory_seconds / _SLICES
        self._shards = _empty()
        # Of those that are held, the oldest first, when they are (in slices since 1970) and their names.
        self._slices: list[tuple[float, int]] = []
        self._newest = -inf
        self._begun = 0

    def put(self, entry: bytes, at: float) -> None:
        """Remember it, unless the same stands in the newest slice."""
        self._reach(at)
        bucket = self._bucket(entry)
        if _place(bucket, entry, _place(bucket, _mark(entry[0], self._begun)) or 0) is None:
            self.extend(entry, at)

    def extend(self, entries: bytes, at: float) -> None:
        """Remember many, one after another. Those that are known take room twice, until their bucket is full."""
        self._reach(at)
        shards = self._shards
        for (entry,) in ENTRIES.iter_unpack(entries):
            buckets = shards[entry[0]]
            bucket = buckets[entry[1] & len(buckets) - 1]
            bucket += entry
            if len(bucket) > _BUCKET_BYTES and len(buckets) < _MOST_BUCKETS:
                self._relieve(bucket, entry[0])

    def first(self, key: bytes) -> bytes | None:
        """The value that was put first."""
        bucket = self._bucket(key)
        # Nearly every bucket that is asked has none.
        place = _place(bucket, key) if key in bucket else None
        return None if place is None else bytes(bucket[place + len(key) : place + ENTRY_BYTES])

    def missing(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those of which nothing is here."""
        shards, found = self._shards, []
        for key in keys:
            buckets = shards[key[0]]
            bucket = buckets[key[1] & len(buckets) - 1]
            if key not in bucket or _place(bucket, key) is None:
                found.append(key)
        return found

    def values(self, key: bytes) -> list[bytes]:
        """All values of the key, the first put first."""
        found: list[bytes] = []
        bucket = self._bucket(key)
        place = _place(bucket, key) if key in bucket else None
        while place is not None:
            found.append(bytes(bucket[place + len(key) : place + ENTRY_BYTES]))
            place = _place(bucket, key, place + ENTRY_BYTES)
        return found

    def forget(self, now: float) -> None:
        """Drop the slices all of which is older than the memory."""
        first, next_ = (now - self._memory_seconds) // self._slice_seconds, now // self._slice_seconds + 1
        held = len(self._slices)
        # A clock that was far ahead for a moment lets nothing live for longer.
        self._slices = [(min(number, next_), name) for number, name in self._slices if number >= first]
        self._newest = self._slices[-1][0] if self._slices else -inf
        if not self._slices:
            self._shards = _empty()
        elif len(self._slices) < held:
            for shard, buckets in enumerate(self._shards):
                mark = _mark(shard, self._slices[0][1])
                for bucket in buckets:
                    del bucket[: _place(bucket, mark)]

    def __len__(self) -> int:
        """Entries held."""
        held = [len(bucket) // ENTRY_BYTES - len(self._slices) for buckets in self._shards for bucket in buckets]
        return sum(held)

    def _reach(self, at: float) -> None:
        """Begin a slice where the time of the newest one is over."""
        number = at // self._slice_seconds
        if number > self._newest:
            self._begun += 1
            self._newest = number
            self._slices.append((number, self._begun))
            for shard, buckets in enumerate(self._shards):
                mark = _mark(shard, self._begun)
                for bucket in buckets:
                    bucket.extend(mark)

    def _bucket(self, key: bytes) -> bytearray:
        buckets = self._shards[key[0]]
        return buckets[key[1] & len(buckets) - 1]

    # --- room ---------------------------------------------------------------------------------------------------------

    def _relieve(self, bucket: bytearray, shard: int) -> None:
        """Make room in a bucket: without what stands there twice, or, where that is little, by four times as many."""
        once = b"".join([mark + b"".join(_each_once(entries)) for mark, entries in self._apart(bucket, shard)])
        if len(once) <= _RELIEVED_BYTES:
            bucket[:] = once
            return
        entries_of = _each if len(once) == len(bucket) else _each_once
        before = self._shards[shard]
        buckets = self._shards[shard] = [bytearray() for _ in range(4 * len(before))]
        for number, each in enumerate(before):
            for mark, entries in self._apart(each, shard):
                for part in buckets[number :: len(before)]:
                    part.extend(mark)
                for entry in entries_of(entries):
                    part = buckets[entry[1] & len(buckets) - 1]
                    part += entry

    def _apart(self, bucket: bytearray, shard: int) -> Iterator[tuple[bytes, bytearray]]:
        """Each slice of a bucket: its mark, and the entries."""
        marks = [_mark(shard, name) for _, name in self._slices]
        places = [_place(bucket, mark) or 0 for mark in marks]
        for mark, (begin, end) in zip(marks, pairwise((*places, len(bucket))), strict=True):
            yield mark, bucket[begin + ENTRY_BYTES : end]


def _mark(shard: int, name: int) -> bytes:
    """What begins a slice in the buckets of a shard: its entries all begin with another byte, so it is none of them."""
    return bytes((~shard & 0xFF,)) + name.to_bytes(ENTRY_BYTES - 1)


def _empty() -> list[_Buckets]:
    return [[bytearray()] for _ in range(_SHARDS)]


def _place(bucket: bytearray, key: bytes, start: int = 0) -> int | None:
    """Where the first entry from `start` on stands that begins so."""
    place = bucket.find(key, start)
    while place % ENTRY_BYTES:  # that was the end of one entry and the beginning of the next, or -1
        if place < 0:
            return None
        place = bucket.find(key, place + 1)
    return place


def _each(entries: bytearray) -> Iterator[bytes]:
    return (entry for (entry,) in ENTRIES.iter_unpack(entries))


def _each_once(entries: bytearray) -> dict[bytes, None]:
    return dict.fromkeys(_each(entries))
