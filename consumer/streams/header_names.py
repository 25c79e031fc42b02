"""Reads records whose headers have names that are not UTF-8, which the library refuses with all that follows them.

Kafka's own clients for Java read such names with signs in place of the bad bytes; here each bad byte stays to be seen,
as `\\xff`. No record of a shop stops its partition so.
"""

import struct
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

# Kafka's record batch: the base offset, then the length of all that follows; the magic stands at 16.
_LENGTH = struct.Struct(">i")
_LENGTH_OFFSET, _OVERHEAD, _MAGIC_OFFSET = 8, 12, 16
_FIRST_WITH_HEADERS = 2


class ReadableRecords:
    """The batches of one answer of a broker, as the library has them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._records = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """None after the last one."""
        batch = self._records.next_batch()
        if batch is None:
            return None
        begin = self._position
        self._position += _OVERHEAD + _LENGTH.unpack_from(self._data, begin + _LENGTH_OFFSET)[0]
        if self._data[begin + _MAGIC_OFFSET] < _FIRST_WITH_HEADERS:
            return batch
        return _Batch(batch, memoryview(self._data)[begin : self._position])


class _Batch:
    """The library's batch; what it cannot read on is read by its slower, pure twin."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._batch:
                given += 1
                yield record
        except (UnicodeDecodeError, CorruptRecordException):
            # A batch that is damaged indeed raises the same once more.
            yield from islice(_patient(self._data), given, None)


def _patient(data: memoryview) -> Iterator[Any]:
    batch: Any = _DefaultRecordBatchPy(data)
    batch._maybe_uncompress()
    batch._buffer = _Lenient(batch._buffer)
    # The library's fast reader of numbers reads on behind the end of what is damaged, into anything.
    batch._read_msg = partial(batch._read_msg, decode_varint=decode_varint_py)
    return iter(batch)


class _Lenient(bytearray):
    """Bytes whose pieces can be read as text, whatever they are: the library reads nothing as text but those names."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Piece(found) if isinstance(at, slice) else found


class _Piece(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
