"""Arroyo: a strategy that runs the job in threads, and commits what is done in order."""

import importlib
from http.client import HTTPConnection
from threading import local
from typing import Any

from tests.benchmarks.contestants.job import HEADERS, body_of, task

given = task()
THREADS = 64
own = local()


def push(message: Any) -> Any:
    connection = getattr(own, "connection", None)
    if connection is None:
        connection = own.connection = HTTPConnection(given.host, timeout=30)
    connection.request("POST", "/", body_of(message.payload.value), HEADERS)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(response.status)
    return message.payload


def main() -> None:
    kafka: Any = importlib.import_module("arroyo.backends.kafka")
    types: Any = importlib.import_module("arroyo.types")
    processing: Any = importlib.import_module("arroyo.processing")
    strategies: Any = importlib.import_module("arroyo.processing.strategies")
    tasks: Any = importlib.import_module("arroyo.processing.strategies.run_task_in_threads")
    configuration = kafka.configuration.build_kafka_consumer_configuration(
        {}, [given.bootstrap], auto_offset_reset="earliest", group_id=given.group
    )

    class Factory(strategies.ProcessingStrategyFactory):  # type: ignore[misc]
        """Makes the strategy anew for each assignment."""

        def create_with_partitions(self, commit: Any, partitions: Any) -> Any:
            last = strategies.CommitOffsets(commit)
            return tasks.RunTaskInThreads(push, min(THREADS, given.in_flight), 4 * given.in_flight, last)

    consumer = kafka.KafkaConsumer(configuration)
    policy: Any = importlib.import_module("arroyo.commit").CommitPolicy(1.0, None)
    processing.StreamProcessor(consumer, types.Topic(given.topic), Factory(), policy).run()


if __name__ == "__main__":
    main()
