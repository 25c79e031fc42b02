"""Arroyo: a strategy that runs the job in threads, and commits what is done in order."""

import importlib
from typing import Any

from tests.benchmarks.contestants.job import task
from tests.benchmarks.contestants.posting import pushing

given = task()
THREADS = 64
push = pushing(given)


def told(message: Any) -> Any:
    push(message.payload.value)
    return message.payload


def main() -> None:
    kafka: Any = importlib.import_module("arroyo.backends.kafka")
    types: Any = importlib.import_module("arroyo.types")
    processing: Any = importlib.import_module("arroyo.processing")
    strategies: Any = importlib.import_module("arroyo.processing.strategies")
    tasks: Any = importlib.import_module("arroyo.processing.strategies.run_task_in_threads")
    configuration = kafka.configuration.build_kafka_consumer_configuration(
        {}, given.group, bootstrap_servers=[given.bootstrap], auto_offset_reset="earliest", enable_auto_commit=False
    )

    class Factory(strategies.ProcessingStrategyFactory):  # type: ignore[misc]
        """Makes the strategy anew for each assignment."""

        def create_with_partitions(self, commit: Any, partitions: Any) -> Any:
            last = strategies.CommitOffsets(commit)
            return tasks.RunTaskInThreads(told, min(THREADS, given.in_flight), 4 * given.in_flight, last)

    consumer = kafka.KafkaConsumer(configuration)
    policy: Any = importlib.import_module("arroyo.commit").CommitPolicy(1.0, None)
    processing.StreamProcessor(consumer, types.Topic(given.topic), Factory(), policy).run()


if __name__ == "__main__":
    main()
