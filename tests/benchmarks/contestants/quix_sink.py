"""Quix Streams: a batching sink whose requests go out from threads; a batch is committed when all are done."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.benchmarks.contestants.job import task
from tests.benchmarks.contestants.posting import pushing

given = task()
quixstreams: Any = importlib.import_module("quixstreams")
sinks: Any = importlib.import_module("quixstreams.sinks")
THREADS = 64


class Pushes(sinks.BatchingSink):  # type: ignore[misc]
    """Sends what a checkpoint has gathered."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(min(THREADS, given.in_flight))
        self._push = pushing(given)

    def write(self, batch: Any) -> None:
        list(self._threads.map(self._push, [item.value for item in batch]))


def main() -> None:
    app = quixstreams.Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=1000,
        commit_interval=1.0,
        loglevel="ERROR",
    )
    topic = app.topic(given.topic, value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(topic).sink(Pushes())
    app.run()


if __name__ == "__main__":
    main()
