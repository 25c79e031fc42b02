"""One partition read in order from our own expected offset, whatever the client library does with its own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiokafka
from aiokafka import errors

from consumer.core.model import TopicPartition, Trouble
from consumer.streams.clients import trouble_of

PENALTY_SECONDS = 1.0
CAREFUL_RECORDS = 500


class Track:
    """Where we are in one partition.

    A batch that cannot be decoded makes the library drop the good records before it and move on. So after any error we
    go back to our own offset and take records one by one until the bad one is the first; only then is it trouble.
    """

    def __init__(self, consumer: Any, partition: TopicPartition, offset: int) -> None:
        self._consumer = consumer
        self._partition = aiokafka.TopicPartition(*partition)
        self.partition = partition
        self.expected = offset
        self.skipped = 0
        self._careful = 0
        self._resting_until = 0.0
        self.seek(offset)

    def seek(self, offset: int) -> None:
        """Go on from this offset. Does nothing to the consumer when a rebalance took the partition meanwhile."""
        self.expected = offset
        self._careful = 0
        self._resting_until = 0.0
        self._go_back()

    @property
    def rests(self) -> bool:
        """After trouble a partition is asked once a second, not in a hot loop."""
        return asyncio.get_running_loop().time() < self._resting_until

    def readable_end(self, end: int) -> int:
        """The end of the partition, or our own offset where the library has gone through all that lies between and
        found no record to give."""
        subscription = self._consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(self._partition) if assignment is not None else None
        if state is None or not state.has_valid_position or state.position < end:
            return end
        return min(end, self.expected)

    async def take(self, count: int, timeout_seconds: float = 0.0) -> Sequence[Any] | Trouble:
        """Up to `count` of the library's records. `skipped` then says how many offsets had none since the last take."""
        try:
            found = await self._consumer.getmany(
                self._partition,
                timeout_ms=int(timeout_seconds * 1000),
                max_records=1 if self._careful else count,
            )
        except errors.ConsumerStoppedError:
            return ()
        except Exception as error:  # noqa: BLE001 - codecs and parsers of the library raise what they like
            return self._failed(error)
        return self._counted(found.get(self._partition, ()))

    def _counted(self, records: Sequence[Any]) -> Sequence[Any]:
        if not records:
            self.skipped = 0
            return ()
        self._careful = max(0, self._careful - 1)
        following = records[-1].offset + 1
        self.skipped = following - self.expected - len(records)
        self.expected = following
        return records

    def _failed(self, error: Exception) -> Sequence[Any] | Trouble:
        self._go_back()
        trouble = trouble_of(error, self.partition)
        if trouble.reason != "other":
            self._rest()
            return trouble
        if not self._careful:
            self._careful = CAREFUL_RECORDS
            return ()
        self._rest()
        return Trouble("undecodable_batch", f"{type(error).__name__} at offset {self.expected}", self.partition)

    def _rest(self) -> None:
        self._resting_until = asyncio.get_running_loop().time() + PENALTY_SECONDS

    def _go_back(self) -> None:
        try:
            self._consumer.seek(self._partition, self.expected)
        except errors.IllegalStateError:
            return  # not ours any more; the next assignment brings a new track
