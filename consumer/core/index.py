"""Ids by 64-bit hashes, for very many: twenty bytes each, where a dictionary takes a hundred and is quicker."""

from collections.abc import Iterator
from struct import Struct

_KEY_BYTES = 8
_ID_BYTES = 12
_ENTRY_BYTES = _KEY_BYTES + _ID_BYTES
_ENTRIES = Struct(f"{_ENTRY_BYTES}s")
# A search goes through a whole bucket; with more entries than this in each there are four times as many buckets.
_MANY = 64
_FIRST_BUCKETS = 64
_WHOLE_KEY = (1 << 8 * _KEY_BYTES) - 1


class Index:
    """Several ids may have one key. Keys are hashes: the lowest bits choose the bucket."""

    def __init__(self) -> None:
        self._count = 0
        self._buckets = _empty(_FIRST_BUCKETS)

    def __len__(self) -> int:
        return self._count

    def add(self, key: int, id_: bytes) -> None:
        entry = (key & _WHOLE_KEY).to_bytes(_KEY_BYTES) + id_
        self._bucket(key).extend(entry)
        self._count += 1
        if self._count > _MANY * len(self._buckets):
            self._spread()

    def find(self, key: int) -> list[bytes]:
        """The ids of that key, in no order."""
        bucket = self._bucket(key)
        key_bytes = (key & _WHOLE_KEY).to_bytes(_KEY_BYTES)
        # Nearly every key that is asked for is not there.
        if key_bytes not in bucket:
            return []
        return [bytes(bucket[at + _KEY_BYTES : at + _ENTRY_BYTES]) for at in _places(bucket, key_bytes)]

    def remove(self, key: int, id_: bytes) -> bool:
        """False when it was not there."""
        bucket = self._bucket(key)
        at = next(_places(bucket, (key & _WHOLE_KEY).to_bytes(_KEY_BYTES) + id_), None)
        if at is None:
            return False
        bucket[at : at + _ENTRY_BYTES] = bucket[-_ENTRY_BYTES:]
        del bucket[-_ENTRY_BYTES:]
        self._count -= 1
        return True

    def clear(self) -> None:
        self._count, self._buckets = 0, _empty(_FIRST_BUCKETS)

    def _bucket(self, key: int) -> bytearray:
        return self._buckets[key & len(self._buckets) - 1]

    def _spread(self) -> None:
        before, self._buckets = self._buckets, _empty(4 * len(self._buckets))
        for bucket in before:
            for (entry,) in _ENTRIES.iter_unpack(bucket):
                self._bucket(int.from_bytes(entry[:_KEY_BYTES])).extend(entry)


def _places(bucket: bytearray, begin: bytes) -> Iterator[int]:
    """Where the entries stand that begin so."""
    at = bucket.find(begin)
    while at >= 0:
        if at % _ENTRY_BYTES == 0:  # else it is the end of one entry and the beginning of the next
            yield at
        at = bucket.find(begin, at + 1)


def _empty(count: int) -> list[bytearray]:
    return [bytearray() for _ in range(count)]
