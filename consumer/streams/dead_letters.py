"""The dead-letter topic in Kafka."""

import asyncio

from consumer.core.facts import StreamTroubled
from consumer.core.model import Trouble
from consumer.core.ports import DeadLetter, Emit
from consumer.streams.letters import cut, letter_headers
from consumer.streams.settings import KafkaSettings
from consumer.streams.writer import TooLarge, Writer, Written

TOO_LARGE = Trouble("record_too_large", "not even the short form of the letter is taken")


class KafkaDeadLetters:
    """Letters byte for byte; a value that the topic does not take is cut to its first 64 KiB, with its SHA-256."""

    def __init__(self, settings: KafkaSettings, topic: str, emit: Emit, *, lane: str = "") -> None:
        self._lane = lane
        self._emit = emit
        self._writer = Writer(settings, topic, "dead_letters", lane, emit)
        self._refused: Trouble | None = None

    @property
    def trouble(self) -> Trouble | None:
        return self._refused or self._writer.trouble

    async def start(self) -> None:
        """Nothing to open: the first letter connects."""

    async def stop(self) -> None:
        await self._writer.stop()

    async def append(self, letter: DeadLetter) -> None:
        headers = letter_headers(letter)
        record = letter.record
        whole = Written(record.value, record.key, headers)
        if not isinstance(await self._writer.write(whole), TooLarge):
            return
        headers, value = cut(headers, record.value or b"")
        # A key of that size is cut off: the source's coordinates are in the headers.
        short = Written(value, record.key if len(record.key or b"") <= 1024 else None, headers)
        await self._insisted(short)

    async def _insisted(self, record: Written) -> None:
        while isinstance(await self._writer.write(record), TooLarge):
            if self._refused is None:
                self._emit(StreamTroubled(self._lane, "dead_letters", TOO_LARGE.reason, TOO_LARGE.detail))
            self._refused = TOO_LARGE
            await asyncio.sleep(5.0)
        self._refused = None
