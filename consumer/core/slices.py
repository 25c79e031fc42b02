"""Entries of sixteen bytes, found by how they begin, for millions of them, that are forgotten by age."""

from struct import Struct

ENTRY_BYTES = 16
# Takes entries apart that stand one after another.
ENTRIES = Struct(f"{ENTRY_BYTES}s")
# The part of the memory that is dropped at once.
_SLICES = 8
_SHARDS = 256
# A search goes through a whole bucket, at some gigabytes a second.
_BUCKET_BYTES = 128 * ENTRY_BYTES
# More would need another byte of the key. They are reached by eight million entries a slice, and then grow.
_MOST_BUCKETS = 256

# The entries of a bucket stand as they came.
_Buckets = list[bytearray]


class Slices:
    """An entry is a key and a value, together sixteen bytes; a key is a hash, of two bytes at least. Keys may repeat
    with different values.

    Entries live in slices of time; a slice is dropped whole when all of it is older than `memory_seconds`, so an entry
    is remembered for at least that long and at most an eighth longer.

    The first byte of a key chooses its shard, the second one its bucket: nothing is ever sorted. A shard whose buckets
    have become long gets four times as many, which takes a millisecond where there are millions of entries.
    """

    def __init__(self, memory_seconds: float) -> None:
        self._memory_seconds = memory_seconds
        self._slice_seconds = memory_seconds / _SLICES
        self._slices: dict[int, list[_Buckets]] = {}

    def put(self, entry: bytes, at: float) -> None:
        """Remember it, unless the same stands in its slice."""
        if _place(_bucket(self._slice(at), entry), entry) is None:
            self.extend(entry, at)

    def extend(self, entries: bytes, at: float) -> None:
        """Remember many, one after another. Those that are known take room twice, until their bucket is full."""
        shards = self._slice(at)
        for (entry,) in ENTRIES.iter_unpack(entries):
            buckets = shards[entry[0]]
            bucket = buckets[entry[1] & len(buckets) - 1]
            bucket += entry
            if len(bucket) > _BUCKET_BYTES and len(buckets) < _MOST_BUCKETS:
                _relieve(bucket, buckets)

    def first(self, key: bytes) -> bytes | None:
        """The value that was put first."""
        for shards in self._slices.values():
            bucket = _bucket(shards, key)
            # Nearly every bucket that is asked has none.
            place = _place(bucket, key) if key in bucket else None
            if place is not None:
                return bytes(bucket[place + len(key) : place + ENTRY_BYTES])
        return None

    def values(self, key: bytes) -> list[bytes]:
        """All values of the key, from the oldest slice to the newest; in one slice the first put first."""
        found: list[bytes] = []
        for shards in self._slices.values():
            bucket = _bucket(shards, key)
            place = _place(bucket, key)
            while place is not None:
                found.append(bytes(bucket[place + len(key) : place + ENTRY_BYTES]))
                place = _place(bucket, key, place + ENTRY_BYTES)
        return found

    def forget(self, now: float) -> None:
        """Drop the slices all of which is older than the memory."""
        first = (now - self._memory_seconds) // self._slice_seconds
        for number in [number for number in self._slices if number < first]:
            del self._slices[number]

    def __len__(self) -> int:
        """Entries held."""
        held = (len(bucket) for shards in self._slices.values() for buckets in shards for bucket in buckets)
        return sum(held) // ENTRY_BYTES

    def _slice(self, at: float) -> list[_Buckets]:
        number = int(at // self._slice_seconds)
        known = self._slices.get(number)
        if known is None:
            known = [[bytearray()] for _ in range(_SHARDS)]
            self._slices = dict(sorted([*self._slices.items(), (number, known)]))
        return known


def _bucket(shards: list[_Buckets], key: bytes) -> bytearray:
    buckets = shards[key[0]]
    return buckets[key[1] & len(buckets) - 1]


def _place(bucket: bytearray, key: bytes, start: int = 0) -> int | None:
    """Where the first entry from `start` on stands that begins so."""
    place = bucket.find(key, start)
    while place % ENTRY_BYTES:  # that was the end of one entry and the beginning of the next, or -1
        if place < 0:
            return None
        place = bucket.find(key, place + 1)
    return place


def _relieve(bucket: bytearray, buckets: _Buckets) -> None:
    """Make room in a bucket: without what stands there twice, or, where that is little, by four times as many."""
    entries = _each_once(bucket)
    if len(entries) * ENTRY_BYTES <= _BUCKET_BYTES // 2:
        bucket[:] = b"".join(entry for (entry,) in entries)
        return
    apart = ENTRIES.iter_unpack if len(entries) * ENTRY_BYTES == len(bucket) else _each_once
    before = buckets[:]
    buckets[:] = [bytearray() for _ in range(4 * len(before))]
    for each in before:
        for (entry,) in apart(each):
            part = buckets[entry[1] & len(buckets) - 1]
            part += entry


def _each_once(bucket: bytearray) -> dict[tuple[bytes], None]:
    return dict.fromkeys(ENTRIES.iter_unpack(bucket))
