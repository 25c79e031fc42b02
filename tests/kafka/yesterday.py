"""A shop's past on a real Kafka: events of hours ago with their own timestamps, and a journal that says what came of
them then."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup
from consumer.app.wiring import group_name, journal_topic
from consumer.core.landing import attempt_records
from consumer.core.model import Batch, Command, Parcel, Planned, Position, Record
from consumer.core.plan import Planner
from consumer.streams.codec import encoded
from schemas.journal import AnyRecord, Claim, Landing

COMMANDS_A_REQUEST = 500


class Dated(NamedTuple):
    """An event and when the broker got it, in seconds."""

    at: float
    event: dict[str, Any]


async def publish(bootstrap: str, topic: str, events: Iterable[Dated]) -> list[Record]:
    """All of them with their own timestamps, by their customer; where each stands now."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    try:
        sent = []
        for at, event in events:
            key, value = str(event["customer"]["id"]).encode(), json.dumps(event, ensure_ascii=False).encode()
            # The broker keeps milliseconds.
            milliseconds = int(at * 1000)
            sent.append((milliseconds, key, value, await producer.send(topic, value, key, timestamp_ms=milliseconds)))
        await producer.flush()
        return [
            Record(Position(topic, (done := await ack).partition, done.offset), milliseconds / 1000, key, value)
            for milliseconds, key, value, ack in sent
        ]
    finally:
        await producer.stop()


def commands_of(setup: Setup, lane: str, records: Iterable[Record]) -> list[tuple[Command, Position]]:
    """What the lane makes of them."""
    planner = Planner(lane_profile(setup.config, lane), setup.routes)
    plans = ((planner.plan(record), record.position) for record in records)
    return [(command, place) for plan, place in plans if isinstance(plan, Planned) for command in plan.commands]


async def deliver(setup: Setup, bootstrap: str, lane: str, told: Sequence[tuple[Command, Position]]) -> None:
    """Write the journal as if the lane had delivered them, many a request, after one claim."""
    records: list[AnyRecord] = [Claim(epoch=1, member="yesterday")]
    for number, start in enumerate(range(0, len(told), COMMANDS_A_REQUEST), 1):
        part = told[start : start + COMMANDS_A_REQUEST]
        parcels = tuple(Parcel(command.wordings[0], 0, (command,)) for command, _ in part)
        batch = Batch(f"1.{number}", 1, parcels)
        records += attempt_records(batch, {command.id: [place] for command, place in part})
        records.append(Landing(attempt=batch.id, epoch=1, verdict="delivered", outcome="delivered"))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_request_size=4_000_000)
    await producer.start()
    try:
        for record in records:
            await producer.send(journal_topic(lane), encoded(record), partition=0)
        await producer.flush()
    finally:
        await producer.stop()


async def skip(setup: Setup, bootstrap: str, lane: str, topic: str) -> None:
    """Commit the end of the topic for the lane's group, as one does who passes over an outage."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group_name(lane), enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        partitions = partitions or await _partitions(consumer, topic)
        consumer.assign(partitions)
        await consumer.commit(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await consumer._client.set_topics([topic])
    await consumer._client.force_metadata_update()
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
