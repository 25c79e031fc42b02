"""A small Kafka in this process: librdkafka's mock cluster, for the demo and for quick tests.

It keeps nothing on disk, about 5 MiB or 100,000 batches a partition, knows neither CreateTopics nor offsets by time,
and proves nothing about Kafka. As a program it prints its address as one JSON line, makes the topics that it is told,
one a line, and runs until its input closes.
"""

import json
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

# What clients of the embedded broker need in `Timing`: it answers an empty fetch only after the whole wait, and refuses
# members that come to a rebalance after the leader has handed out the assignment.
FETCH_WAIT_MS = 20
SETTLE_MS = 150
PARTITIONS = 4
ANSWER_SECONDS = 10.0


class EmbeddedBroker:
    """The mock cluster as a context. Topics have four partitions each; they must be made by `create`, because our
    clients never make a topic by asking for it."""

    def __init__(self, topics: Iterable[str] = (), brokers: int = 1) -> None:
        self._wanted = tuple(topics)
        self._brokers = brokers
        self._producer: Any = None
        self.bootstrap = ""

    def __enter__(self) -> Self:
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency: `vestnik[demo]`
        except ImportError as error:
            raise SystemExit("the embedded broker needs confluent-kafka: install vestnik[demo]") from error
        self._producer = Producer({"test.mock.num.brokers": self._brokers, "log_level": 2})
        cluster = self._producer.list_topics(timeout=ANSWER_SECONDS)
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in cluster.brokers.values())
        for topic in self._wanted:
            self.create(topic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer = None

    def create(self, topic: str) -> None:
        """Make the topic, with four partitions, by asking for it as a producer does."""
        self._producer.list_topics(topic, timeout=ANSWER_SECONDS)

    def publish(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        """Append one record and wait for its ack."""
        where = {} if partition is None else {"partition": partition}
        self._producer.produce(topic, value=value, key=key, headers=list(headers), **where)
        if self._producer.flush(ANSWER_SECONDS):
            raise TimeoutError("the embedded broker did not ack")


def main(topics: Iterable[str]) -> None:
    """Run until standard input closes."""
    with EmbeddedBroker(topics) as broker:
        sys.stdout.write(json.dumps({"bootstrap": broker.bootstrap}) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            if line.strip():
                broker.create(line.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
