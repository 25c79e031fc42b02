"""The bare loop: aiokafka, the job, aiohttp, as many requests at once as are allowed, commits of what is done.

At least once, and nothing else: no journal, no memory, no metrics, no quota. It is the ceiling of what Python does with
these two libraries.
"""

import asyncio
import importlib
from collections.abc import Coroutine
from typing import Any

import aiohttp
import aiokafka

from tests.benchmarks.contestants.job import HEADERS, Task, body_of, task

COMMIT_SECONDS = 1.0


class Done:
    """Which offsets of one partition are done: what may be committed is the end of the unbroken row."""

    def __init__(self, first: int) -> None:
        self.next = first
        self._beyond: set[int] = set()

    def add(self, offset: int) -> None:
        self._beyond.add(offset)
        while self.next in self._beyond:
            self._beyond.remove(self.next)
            self.next += 1


class Bare:
    def __init__(self, given: Task, consumer: Any, session: aiohttp.ClientSession) -> None:
        self._task = given
        self._consumer = consumer
        self._session = session
        self._room = asyncio.Semaphore(given.in_flight)
        self._done: dict[Any, Done] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        committing = asyncio.create_task(self._commit())
        while not committing.done():
            found = await self._consumer.getmany(timeout_ms=500)
            for partition, records in found.items():
                done = self._done.setdefault(partition, Done(records[0].offset))
                for record in records:
                    await self._room.acquire()
                    self._launch(self._push(record, done))
        committing.result()

    def _launch(self, push: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(push)
        self._under_way.add(running)
        running.add_done_callback(self._under_way.discard)

    async def _push(self, record: Any, done: Done) -> None:
        try:
            body = body_of(record.value)
            while True:
                async with self._session.post(self._task.url, data=body, headers=HEADERS) as response:
                    await response.read()
                    if response.status == 200:
                        break
            done.add(record.offset)
        finally:
            self._room.release()

    async def _commit(self) -> None:
        told: dict[Any, int] = {}
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            due = {partition: done.next for partition, done in self._done.items()}
            if due != told:
                await self._consumer.commit(due)
                told = due


async def main(given: Task) -> None:
    consumer = aiokafka.AIOKafkaConsumer(
        given.topic,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    connector = aiohttp.TCPConnector(limit=given.in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:
        await Bare(given, consumer, session).run()


if __name__ == "__main__":
    told = task()
    with asyncio.Runner(
        loop_factory=importlib.import_module("uvloop").new_event_loop if told.uvloop else None
    ) as runner:
        runner.run(main(told))
