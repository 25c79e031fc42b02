"""Source over a file of JSON lines, for one process without a broker.

There is no group: the one process owns everything. Two processes must not share the files.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from consumer.core.facts import OffsetsSkipped
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Emit, Extent, Seat
from consumer.streams.line_files import Numbered, file_trouble
from consumer.streams.line_topics import LinesDeadLetters, LinesJournal, LinesTable

__all__ = ["LinesDeadLetters", "LinesJournal", "LinesSource", "LinesTable"]

POLL_RECORDS = 500
WAIT_SECONDS = 0.05


class LinesSource:
    """A file of records, or of plain events that go to partition 0 of the first topic; `-` is standard input.

    Offsets are committed to `offsets`, a small file that is replaced as a whole. Records of topics and partitions that
    are not asked for are passed over.
    """

    def __init__(
        self,
        path: str,
        topics: Sequence[str],
        offsets: Path,
        emit: Emit,
        *,
        partitions: int = 1,
        lane: str = "",
    ) -> None:
        self._path = path
        self._topics = tuple(topics)
        self._offsets = offsets
        self._emit = emit
        self._lane = lane
        self._all = frozenset(TopicPartition(topic, number) for topic in topics for number in range(partitions))
        self._spool: _Spool | None = None
        self._reading: Numbered | None = None
        self._buffers: dict[TopicPartition, deque[Record]] = {}
        self._expected: dict[TopicPartition, int] = {}
        self._turns: list[TopicPartition] = []
        self._bell = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, seat: Seat) -> None:
        if self._path == "-":
            self._spool = _Spool()
        self._tasks.add(asyncio.create_task(seat.assigned(self._all), name="lines assigned"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._rewind()
        if self._spool is not None:
            self._spool.close()

    def claim(self, epoch: int | None) -> None:
        """Nobody to tell."""

    # --- records

    async def poll(self, held: Collection[TopicPartition], timeout_seconds: float) -> Sequence[Record] | Trouble:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            try:
                self._fill()
            except OSError as error:
                await asyncio.sleep(min(timeout_seconds, 1.0))
                return file_trouble(error)
            if records := self._next(held):
                return records
            left = deadline - loop.time()
            if left <= 0:
                return ()
            await self._rest(min(left, WAIT_SECONDS))

    async def _rest(self, seconds: float) -> None:
        self._bell.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    def _fill(self) -> None:
        """Read on until a partition has enough. One that is held stops the file for all when its buffer is full."""
        if not self._expected:
            return
        if self._reading is None:
            self._reading = self._numbered()
        if any(len(buffer) >= POLL_RECORDS for buffer in self._buffers.values()):
            return
        for record in self._reading.records():
            partition = record.position.topic_partition
            if partition not in self._all:
                self._emit(OffsetsSkipped(self._lane, *partition, 1))
            elif record.position.offset >= self._expected.get(partition, 0):
                self._buffers.setdefault(partition, deque()).append(record)
                if len(self._buffers[partition]) >= POLL_RECORDS:
                    return

    def _next(self, held: Collection[TopicPartition]) -> Sequence[Record]:
        for partition in self._turns:
            buffer = self._buffers.get(partition)
            if partition not in held and buffer:
                self._turns.remove(partition)
                self._turns.append(partition)
                return self._counted(partition, list(_drained(buffer)))
        return ()

    def _counted(self, partition: TopicPartition, records: list[Record]) -> Sequence[Record]:
        following = records[-1].position.offset + 1
        missing = following - self._expected[partition] - len(records)
        if missing > 0:
            self._emit(OffsetsSkipped(self._lane, *partition, missing))
        self._expected[partition] = following
        return records

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            if partition in self._all:
                self._expected[partition] = offset
        self._turns = sorted(self._expected)
        self._rewind()
        self._bell.set()

    def _rewind(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._buffers.clear()

    def _numbered(self) -> Numbered:
        path = self._spool.path if self._spool is not None else Path(self._path)
        return Numbered(path, self._topics[0], time.time)

    # --- offsets

    async def committed(self) -> Mapping[TopicPartition, int | None] | Trouble:
        try:
            known = self._read_offsets()
        except (OSError, ValueError) as error:
            return Trouble("offsets_lost", f"{self._offsets.name}: {type(error).__name__}")
        return {partition: known.get(partition) for partition in sorted(self._all)}

    async def extents(self) -> Mapping[TopicPartition, Extent] | Trouble:
        """By reading the file through."""
        try:
            found = await asyncio.to_thread(self._scanned)
        except OSError as error:
            return file_trouble(error)
        return {partition: found.get(partition, Extent(0, 0)) for partition in sorted(self._all)}

    async def fetch(self, position: Position) -> Record | Trouble:
        """By reading the file up to it."""
        try:
            found = await asyncio.to_thread(self._found, position)
        except OSError as error:
            return file_trouble(error)
        return found or Trouble("offset_out_of_range", "the record is gone", position.topic_partition)

    def _found(self, position: Position) -> Record | None:
        numbered = self._numbered()
        try:
            return next((record for record in numbered.records() if record.position == position), None)
        finally:
            numbered.close()

    def _scanned(self) -> Mapping[TopicPartition, Extent]:
        numbered = self._numbered()
        try:
            for _ in numbered.records():
                pass
            return numbered.extents
        finally:
            numbered.close()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> Trouble | None:
        if not self._all >= offsets.keys():
            return Trouble("other", "not the owner of these partitions")
        try:
            known = self._read_offsets() | dict(offsets)
            await asyncio.to_thread(_replace, self._offsets, _offsets_text(known))
        except (OSError, ValueError) as error:
            return Trouble("other", f"{self._offsets.name}: {type(error).__name__}")
        return None

    def _read_offsets(self) -> dict[TopicPartition, int]:
        if not self._offsets.exists():
            return {}
        topics = json.loads(self._offsets.read_text())
        return {
            TopicPartition(topic, int(number)): int(offset)
            for topic, partitions in topics.items()
            for number, offset in partitions.items()
        }


def _drained(buffer: deque[Record]) -> Iterator[Record]:
    while buffer:
        yield buffer.popleft()


def _offsets_text(offsets: Mapping[TopicPartition, int]) -> str:
    topics: dict[str, dict[str, int]] = {}
    for (topic, number), offset in sorted(offsets.items()):
        topics.setdefault(topic, {})[str(number)] = offset
    return json.dumps(topics, indent=1) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class _Spool:
    """Standard input copied to a temporary file by a thread, so that it can be read again from any offset."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="vestnik-", suffix=".jsonl")
        self.path = Path(name)
        threading.Thread(target=self._copy, args=(os.fdopen(handle, "wb"),), daemon=True).start()

    def _copy(self, file: BinaryIO) -> None:
        with file:
            for line in sys.stdin.buffer:
                file.write(line if line.endswith(b"\n") else line + b"\n")
                file.flush()

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
