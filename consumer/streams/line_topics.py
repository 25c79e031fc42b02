"""Journal and dead letters over files of JSON lines."""

import asyncio
import os
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from consumer.core.model import Position, Record, Trouble
from consumer.core.ports import Appended, DeadLetter, Entry, Row, Span
from consumer.streams.codec import Entryable, decoded, encoded
from consumer.streams.letters import letter_headers
from consumer.streams.line_files import Clock, LineFile, file_trouble
from consumer.streams.line_records import line_of, record_of

READ_RECORDS = 500
WAIT_SECONDS = 0.02


class _LinesTopic:
    """A file to which records are appended, one a line, each on the disk before it counts."""

    def __init__(self, path: Path, topic: str, clock: Clock) -> None:
        self._path = path
        self._topic = topic
        self._clock = clock
        self._lock = asyncio.Lock()
        self._end: int | None = None
        self.trouble: Trouble | None = None

    async def append(
        self, value: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Appended:
        """Until the disk has it: a full one is tried again each second."""
        async with self._lock:
            while True:
                try:
                    appended = await asyncio.to_thread(self._write, value, key, headers)
                except OSError as error:
                    self.trouble = file_trouble(error)
                    self._end = None
                    await asyncio.sleep(1.0)
                else:
                    self.trouble = None
                    return appended

    def _write(self, value: bytes | None, key: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> Appended:
        if self._end is None:
            self._end = self._mended()
        record = Record(Position(self._topic, 0, self._end), self._clock(), key, value, headers)
        with self._path.open("ab") as file:
            file.write(line_of(record))
            file.flush()
            os.fsync(file.fileno())
        self._end += 1
        return Appended(record.position.offset, record.timestamp)

    def _mended(self) -> int:
        """The number of lines, after a line that a crash left unfinished was given an end."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            file.seek(0)
            lines = 0
            unfinished = False
            for line in file:
                lines += 1
                unfinished = not line.endswith(b"\n")
            if unfinished:
                file.write(b"\n")
            return lines


class LinesJournal:
    """The lane's journal in a file; its offsets are the numbers of the lines."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        self._path = path
        self._topic = _LinesTopic(path, path.stem, clock)
        self._file: LineFile | None = None
        self._next = 0

    @property
    def trouble(self) -> Trouble | None:
        return self._topic.trouble

    async def start(self) -> None:
        """Make the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    async def stop(self) -> None:
        self._close()

    async def append(self, *records: Entryable) -> Appended:
        return [await self._topic.append(encoded(record)) for record in records][-1]

    async def rewind(self, since: float) -> Span | Trouble:
        try:
            start, count = await asyncio.to_thread(self._start, since)
        except OSError as error:
            return file_trouble(error)
        self._close()
        file = LineFile(self._path)
        for _, _line in zip(range(start), file.lines(), strict=False):
            pass
        self._file, self._next = file, start
        return Span(start, cut=False, empty=count == 0)

    def _start(self, since: float) -> tuple[int, int]:
        """Number of the first line at or after `since`, and of all lines."""
        file = LineFile(self._path)
        start, count = None, 0
        for count, line in enumerate(file.lines(), 1):
            if start is None and record_of(line, Position("", 0, 0), 0.0).timestamp >= since:
                start = count - 1
        file.close()
        return (count if start is None else start), count

    async def read(self, timeout_seconds: float) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not (entries := self._entries()):
            left = deadline - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, WAIT_SECONDS))
        return entries

    def _entries(self) -> Sequence[Entry]:
        if self._file is None:
            self._file = LineFile(self._path)
        found: list[Entry] = []
        for line in self._file.lines():
            record = record_of(line, Position("", 0, self._next), 0.0)
            found.append(Entry(self._next, record.timestamp, decoded(record.value)))
            self._next += 1
            if len(found) == READ_RECORDS:
                break
        return found

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class LinesDeadLetters:
    """Dead letters in a file, in the form that a dead-letter topic has."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        self._topic = _LinesTopic(path, path.stem, clock)

    @property
    def trouble(self) -> Trouble | None:
        return self._topic.trouble

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def append(self, letter: DeadLetter) -> None:
        await self._topic.append(letter.record.value, letter.record.key, letter_headers(letter))


class LinesTable:
    """A table in a file, which grows with every change."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        self._path = path
        self._topic = _LinesTopic(path, path.stem, clock)
        self._file: LineFile | None = None
        self._reading_trouble: Trouble | None = None
        self.complete = False

    @property
    def trouble(self) -> Trouble | None:
        return self._topic.trouble or self._reading_trouble

    async def start(self) -> None:
        """Make the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    async def stop(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    async def put(self, key: bytes, value: bytes | None) -> None:
        await self._topic.append(value, key)

    async def read(self, timeout_seconds: float) -> Sequence[Row]:
        loop = asyncio.get_running_loop()
        deadline, was_complete = loop.time() + timeout_seconds, self.complete
        # That there is nothing is news as well, the first time.
        while not (rows := self._rows()) and self.complete == was_complete:
            left = deadline - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, WAIT_SECONDS))
        return rows

    def _rows(self) -> Sequence[Row]:
        try:
            lines = self._lines()
        except OSError as error:
            self._reading_trouble = file_trouble(error)
            return ()
        self._reading_trouble = None
        self.complete = self.complete or len(lines) < READ_RECORDS
        return [
            Row(record.key, record.value) for record in (record_of(line, Position("", 0, 0), 0.0) for line in lines)
        ]

    def _lines(self) -> list[bytes]:
        if self._file is None:
            self._file = LineFile(self._path)
        return list(islice(self._file.lines(), READ_RECORDS))
