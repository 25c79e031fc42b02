"""FastStream: a batch subscriber that gathers the requests of a batch, and acknowledges it when all are done."""

import asyncio
import importlib
from typing import Any

import aiohttp

from tests.benchmarks.contestants.job import HEADERS, body_of, task

given = task()
faststream: Any = importlib.import_module("faststream")
kafka: Any = importlib.import_module("faststream.kafka")
broker = kafka.KafkaBroker(given.bootstrap, logger=None)
app = faststream.FastStream(broker, logger=None)
sessions: list[aiohttp.ClientSession] = []


async def push(value: bytes) -> None:
    async with sessions[0].post(given.url, data=body_of(value), headers=HEADERS) as response:
        await response.read()
        response.raise_for_status()


async def undecoded(message: Any) -> Any:
    """The job decodes for itself, once."""
    return message.body


@broker.subscriber(  # type: ignore[untyped-decorator]
    given.topic,
    group_id=given.group,
    batch=True,
    max_records=given.in_flight,
    auto_offset_reset="earliest",
    ack_policy=faststream.AckPolicy.NACK_ON_ERROR,
    decoder=undecoded,
    no_reply=True,
)
async def told(values: list[bytes]) -> None:
    await asyncio.gather(*map(push, values))


async def main() -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=given.in_flight)) as session:
        sessions.append(session)
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
