"""A process that publishes 150 MB in a few kilobytes, and one that reads them: `python -m tests.kafka.bomb`."""

import asyncio
import json
import resource
import sys
import time

from aiokafka import AIOKafkaProducer

from consumer.core.decode import Undecodable, decode
from consumer.core.model import Record, Rejection, Trouble
from consumer.core.ports import DeadLetter, DeadLetters, Source
from consumer.streams.settings import KafkaSettings
from tests.contract.worlds import KafkaWorld, seated

BYTES = 150_000_000
LIMIT_BYTES = 256 * 1024
GOOD = b"good"


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def publish(bootstrap: str, topic: str) -> None:
    """The bomb, packed, and a good record after it."""
    room = 2 * BYTES
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="zstd", max_request_size=room, max_batch_size=room
    )
    await producer.start()
    await producer.send_and_wait(topic, b"0" * BYTES, partition=0)
    await producer.send_and_wait(topic, GOOD, partition=0)
    await producer.stop()


async def consume(world: KafkaWorld) -> dict[str, float | str]:
    """Read until the good record, burying what is none; what it took beyond an idle member."""
    source, letters = world.source(), world.dead_letters()
    await seated(source)
    assert await source.poll((), 0.0) == ()
    idle_bytes, idle_seconds = peak_bytes(), time.process_time()
    reasons: list[str] = []
    async with asyncio.timeout(60):
        while not await _read(source, letters, world, reasons):
            pass
    found: dict[str, float | str] = {
        "reason": ", ".join(reasons),
        "more_bytes": float(peak_bytes() - idle_bytes),
        "cpu_seconds": time.process_time() - idle_seconds,
    }
    await source.stop()
    await letters.stop()
    return found


async def _read(source: Source, letters: DeadLetters, world: KafkaWorld, reasons: list[str]) -> bool:
    """Whether the good record came."""
    got = await source.poll((), 0.5)
    records = () if isinstance(got, Trouble) else got
    reasons += [await _buried(record, letters, world) for record in records if record.value != GOOD]
    return any(record.value == GOOD for record in records)


async def _buried(record: Record, letters: DeadLetters, world: KafkaWorld) -> str:
    found = decode(record.value, LIMIT_BYTES)
    assert isinstance(found, Undecodable)
    rejection = Rejection("bomb", found.reason, found.detail)
    await letters.append(DeadLetter(world.lane, record, rejection))
    return str(found.reason.value)


def main(what: str, bootstrap: str, topic: str, lane: str, letters: str) -> None:
    if what == "publish":
        asyncio.run(publish(bootstrap, topic))
        return
    world = KafkaWorld(KafkaSettings(bootstrap))
    world.topic, world.lane, world._letters = topic, lane, letters
    sys.stdout.write(json.dumps(asyncio.run(consume(world))))


if __name__ == "__main__":
    main(*sys.argv[1:])
