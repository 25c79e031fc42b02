"""The way into the dead letters: a record is settled, and a command ended, only when its letter is durable."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

from consumer.core.desk import Desk
from consumer.core.facts import DeadLettered
from consumer.core.model import Record, Rejection, TopicPartition
from consumer.core.ports import DeadLetter
from consumer.engine.bell import Bell
from consumer.engine.flight import Office, bury, report_ends

LETTERS_AT_ONCE = 50
LETTERS_PER_PARTITION = 200
# A record may be as large as its topic takes: so many of them would not be few.
LETTERS_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """A rejection on its way to the dead letters; its record stays open until it is there."""

    record: Record
    rejection: Rejection

    @property
    def size(self) -> int:
        return len(self.record.value or b"") + len(self.record.key or b"")


class Letters:
    """What waits for its letter, in order. A partition that has too many of them is not read on, and none is while all
    together are too large. At most `per_second` are written."""

    def __init__(self, office: Office, desk: Desk, per_second: float) -> None:
        self._office = office
        self._desk = desk
        self._per_second = per_second
        self._letters: deque[Letter] = deque()
        self._counts: Counter[TopicPartition] = Counter()
        self._bytes = 0
        self._bell = Bell()

    def put(self, record: Record, rejection: Rejection) -> None:
        letter = Letter(record, rejection)
        self._letters.append(letter)
        self._counts[record.position.topic_partition] += 1
        self._bytes += letter.size
        self._bell.ring()

    def wake(self) -> None:
        """Somebody may have been sentenced."""
        if self._desk.bisection.sentences:
            self._bell.ring()

    def full(self, partition: TopicPartition) -> bool:
        """Whether the partition must not be read on for now."""
        return self._bytes >= LETTERS_BYTES or self._counts[partition] >= LETTERS_PER_PARTITION

    async def bury(self) -> None:
        """Write letters for ever; only then is their record's part settled, or their command ended."""
        loop = asyncio.get_running_loop()
        while True:
            await self._bell.until(lambda: bool(self._letters or self._desk.bisection.sentences))
            began = loop.time()
            written = await self._bury_commands() + await self._bury_records()
            await asyncio.sleep(max(0.0, began + written / self._per_second - loop.time()))

    async def _bury_commands(self) -> int:
        sentences = list(self._desk.bisection.sentences)[:LETTERS_AT_ONCE]
        for sentence in sentences:
            await bury(self._office, self._desk, sentence)
            report_ends(self._office, self._desk.convict(sentence))
        return len(sentences)

    async def _bury_records(self) -> int:
        letters = [self._letters[i] for i in range(min(len(self._letters), LETTERS_AT_ONCE))]
        append = self._office.parts.dead_letters.append
        await asyncio.gather(*(append(DeadLetter(self._office.lane, x.record, x.rejection)) for x in letters))
        for letter in letters:
            self._forget(self._letters.popleft())
            self._desk.ledger.settle(letter.record.position)
            rejection = letter.rejection
            route = rejection.route or ""
            self._office.parts.emit(DeadLettered(self._office.lane, rejection.reason, route, rejection.detail))
        return len(letters)

    def _forget(self, letter: Letter) -> None:
        partition = letter.record.position.topic_partition
        self._bytes -= letter.size
        self._counts[partition] -= 1
        if not self._counts[partition]:
            del self._counts[partition]
