"""Files of JSON lines that may grow while they are read."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Extent
from consumer.streams.line_records import record_of

UNFINISHED_SECONDS = 1.0
Clock = Callable[[], float]


def file_trouble(error: OSError) -> Trouble:
    """Why a file cannot be read or written."""
    reason = "topic_missing" if isinstance(error, FileNotFoundError) else "other"
    return Trouble(reason, f"{error.filename}: {error.strerror}")


class LineFile:
    """A file that may grow, read line by line from its beginning; an unfinished last line is waited for a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._unfinished: tuple[int, float] | None = None

    def lines(self) -> Iterator[bytes]:
        """Lines that were not read yet, without their ends. Raises OSError where the file cannot be read."""
        if self._file is None:
            self._file = self._path.open("rb")
        while True:
            start = self._file.tell()
            line = self._file.readline()
            if not line or not (line.endswith(b"\n") or self._given_up(start + len(line))):
                self._file.seek(start)
                return
            self._unfinished = None
            yield line.rstrip(b"\r\n")

    def _given_up(self, end: int) -> bool:
        """Whether the unfinished line has not grown for a while: then it is a file without an end of line."""
        now = time.monotonic()
        if self._unfinished is None or self._unfinished[0] != end:
            self._unfinished = (end, now)
        return now - self._unfinished[1] >= UNFINISHED_SECONDS

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class Numbered:
    """Records of a line file, with an offset for each line that bears none."""

    def __init__(self, path: Path, topic: str, clock: Clock) -> None:
        self._file = LineFile(path)
        self._topic = topic
        self._clock = clock
        self.extents: dict[TopicPartition, Extent] = {}

    def records(self) -> Iterator[Record]:
        for line in self._file.lines():
            plain = TopicPartition(self._topic, 0)
            following = Position(*plain, self.extents[plain].end if plain in self.extents else 0)
            record = record_of(line, following, self._clock())
            self._note(record.position)
            yield record

    def _note(self, position: Position) -> None:
        known = self.extents.get(position.topic_partition, Extent(position.offset, position.offset))
        self.extents[position.topic_partition] = Extent(known.beginning, max(known.end, position.offset + 1))

    def close(self) -> None:
        self._file.close()
