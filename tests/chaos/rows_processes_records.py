"""Rows on what a topic holds: records that retention took, lost offsets, batches that nobody can decode, and gaps."""

import asyncio
import re
import signal
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from confluent_kafka.admin import AdminClient

from consumer.app import wiring
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.demo.evidence import Sent
from consumer.demo.shop import Publication
from consumer.streams.clients import discard
from consumer.streams.reading import read_whole
from tests.chaos.row import Outcome, Row
from tests.chaos.waves import Load
from tests.chaos.yard import Plot, Yard, yard
from tests.kafka.expiry import through_expiries
from tests.kafka.processes import Consumer, eventually
from tests.kafka.ring import shared_bootstrap
from tests.kafka.secured import REAUTH_SECONDS, SecuredKafka
from tests.kafka.server import KafkaServer

ADMIN_SECONDS = 30.0
TOLD_BEFORE, TRIMMED, MIDDLE, PUBLISHED = 10, 50, 105, 200
# What the broker had ready for a poll that was under way would still be read.
POLL_ENDS_SECONDS = 2.0


def plot(name: str, **more: Any) -> Plot:
    return Plot(f"{name}-{time.time_ns() // 1_000_000 % 10**8}", **more)


def some(place: Yard, count: int, seed: int = 1) -> list[Publication]:
    """So many orders, all for the first partition of the first source."""
    load = Load(seed=seed, per_wave=5, wave_seconds=0.01, poison_every=0, step_every=0)
    orders = (each for each in load.publications(place.plot.sources) if each.topic == place.plot.sources[0])
    return list(islice(orders, count))


class Closing:
    """An admin client, ended as the other clients are."""

    def __init__(self, admin: Any) -> None:
        self.admin = admin

    async def stop(self) -> None:
        await self.admin.close()


async def administer(place: Yard, name: str, *arguments: Any) -> Any:
    """One request of an administrator."""
    admin = AIOKafkaAdminClient(bootstrap_servers=place.settings.bootstrap)
    try:
        async with asyncio.timeout(ADMIN_SECONDS):
            await admin.start()
            return await getattr(admin, name)(*arguments)
    finally:
        await discard(Closing(admin))


# --- retention --------------------------------------------------------------------------------------------------------


async def retention(folder: Path) -> Outcome:
    """Retention takes 50 records between what a lane has read and what it could still read: once while nobody reads,
    and once under the feet of a process that is held up."""
    async with yard(folder / "trim", plot("trim", partitions=1), shared_bootstrap()) as place:
        every = some(place, PUBLISHED)
        gaps, told = [], []
        consumer = place.plain()
        await place.publish(every[:TOLD_BEFORE])
        await place.working(consumer)
        await place.settled(consumer)
        await consumer.stop()
        await place.publish(every[TOLD_BEFORE:MIDDLE])
        await trim(place, TOLD_BEFORE + TRIMMED)
        consumer = place.plain()
        await place.working(consumer)
        told += await told_all(place, range(TOLD_BEFORE + TRIMMED, MIDDLE))
        gaps.append(await skipped(consumer))
        consumer.signal(signal.SIGSTOP)
        await asyncio.sleep(POLL_ENDS_SECONDS)
        await place.publish(every[MIDDLE:])
        await trim(place, MIDDLE + TRIMMED)
        consumer.signal(signal.SIGCONT)
        told += await told_all(place, range(MIDDLE + TRIMMED, PUBLISHED))
        gaps.append(await skipped(consumer))
        await consumer.stop()
    after = MIDDLE - TOLD_BEFORE - TRIMMED
    return Outcome(
        gaps == [[TRIMMED] * 2, [2 * TRIMMED] * 2] and told == [after] * 4,
        f"twice {TRIMMED} records trimmed, before a start and under a process that reads: the lanes reported gaps of "
        f"{gaps[0]} and {gaps[1]} in all, and told {told} of the {after} after each",
        {"reported": sum(map(sum, gaps[1:])), "told_after": min(told), "wanted": after},
    )


async def trim(place: Yard, offset: int) -> None:
    """What is before the offset in the first partition is gone, as if retention had taken it."""
    first = aiokafka.TopicPartition(place.plot.sources[0], 0)
    await administer(place, "delete_records", {first: RecordsToDelete(before_offset=offset)}, 10_000)


async def told_all(place: Yard, numbers: range) -> list[int]:
    """How many of these publications each lane has told its people about, in the end."""

    def told() -> list[int]:
        wanted = [_words(place.account.records[number]) for number in numbers]
        seen = [{(each.recipient, each.message.text) for each in fake.deliveries} for fake in place.fakes.values()]
        return [sum(pair in shown for pair in wanted) for shown in seen]

    async def everybody() -> bool:
        return min(told()) == len(numbers)

    try:
        await eventually("everybody is told", everybody, 60.0)
    except AssertionError:
        return told()
    return told()


def _words(publication: Publication) -> tuple[str, str]:
    customer = (publication.key or b"").decode()
    found = re.search(rb'"source_status":"([^"]+)"', publication.value)
    assert found is not None
    return customer, f"Оплачено, волна {found[1].decode()}"


async def skipped(consumer: Consumer) -> list[float]:
    """The gaps that the process reports, one for each lane that has one."""
    metrics = await consumer.get("/metrics")
    found = re.findall(r"^vestnik_offsets_skipped(?:_total)?{.*} ([\d.e+]+)$", metrics, re.MULTILINE)
    return [float(each) for each in found if float(each) > 0]


# --- offsets ----------------------------------------------------------------------------------------------------------


async def lost_offsets(folder: Path) -> Outcome:
    """The group's offsets are deleted; the lane must refuse to guess until a person says where to begin."""
    async with yard(folder / "gone", plot("gone", partitions=1), shared_bootstrap()) as place:
        every = some(place, 20)
        consumer = place.plain()
        await place.publish(every[:10])
        await place.working(consumer)
        await place.settled(consumer)
        await consumer.stop()
        before = place.requests()
        await asyncio.to_thread(forget_groups, place)
        await place.publish(every[10:])
        consumer = place.plain()
        await eventually("both lanes name the trouble", lambda: _names(place, consumer, "offsets_lost"), 60.0)
        await asyncio.sleep(5.0)
        pushes = sum(place.requests().values()) - sum(before.values())
        await consumer.stop()
        repaired = place.plain()
        repaired.kill()
        repaired.command += ["--lost-offsets", "earliest"]
        repaired.start()
        await place.working(repaired)
        await place.settled(repaired)
        await repaired.stop()
        ledger = await place.judged()
    return Outcome(
        pushes == 0 and ledger.clean,
        f"pushes without an answer where to begin: {pushes}; afterwards, with --lost-offsets earliest: {ledger.said}",
        {"pushes": pushes, **ledger.figures()},
    )


def forget_groups(place: Yard) -> None:
    """Delete both groups with their offsets."""
    admin = AdminClient({"bootstrap.servers": place.settings.bootstrap})
    groups = [wiring.group_name(lane) for lane in place.plot.lanes]
    for future in admin.delete_consumer_groups(groups, request_timeout=ADMIN_SECONDS).values():
        future.result(ADMIN_SECONDS)


async def _names(place: Yard, consumer: Consumer, reason: str) -> bool:
    lanes = [await consumer.lane(lane) for lane in place.plot.lanes]
    return all(reason in str(lane.get("blocked", "")) for lane in lanes)


# --- batches ----------------------------------------------------------------------------------------------------------


async def undecodable(folder: Path) -> Outcome:
    """A byte of one batch is spoilt on the broker's disk; the other partition must not notice."""
    with KafkaServer() as server:
        async with yard(folder / "spoilt", Plot("spoilt", partitions=2), server.bootstrap) as place:
            every = some(place, 60)
            await place.publish(every)
            topic = place.plot.sources[0]
            healthy, other = numbers_in(place, 0), numbers_in(place, 1)
            middle = len(other) // 2
            bad = place.account.sent[other[middle]].position.offset
            await asyncio.to_thread(spoil, server.data / f"{topic}-1" / "00000000000000000000.log", bad)
            consumer = place.plain()
            await eventually("both lanes name it", lambda: _names(place, consumer, "undecodable_batch"), 60.0)
            await asyncio.sleep(5.0)
            shares = [_told(place, numbers) for numbers in (healthy, other[:middle], other[middle + 1 :])]
            committed = [(await place.committed(lane)).get(TopicPartition(topic, 1), 0) for lane in place.plot.lanes]
            await consumer.stop()
    return Outcome(
        shares == [1.0, 1.0, 0.0] and max(committed) <= bad,
        f"told of the healthy partition {shares[0]:.0%}, of the other before the batch {shares[1]:.0%} and after it "
        f"{shares[2]:.0%}; committed {max(committed)} of at most {bad}; both lanes name the trouble",
        {"healthy_percent": shares[0] * 100, "before_percent": shares[1] * 100, "after_percent": shares[2] * 100}
        | {"committed": max(committed), "bad_offset": bad},
    )


def numbers_in(place: Yard, partition: int) -> list[int]:
    """Which publications stand in this partition, in its order."""
    return [number for number, sent in enumerate(place.account.sent) if sent.position.partition == partition]


def _told(place: Yard, numbers: Sequence[int]) -> float:
    """The smaller part of these publications that a lane has told about."""
    wanted = [_words(place.account.records[number]) for number in numbers]
    seen = [{(each.recipient, each.message.text) for each in fake.deliveries} for fake in place.fakes.values()]
    return min(sum(pair in shown for pair in wanted) / len(wanted) for shown in seen)


def spoil(log: Path, offset: int) -> None:
    """Flip a byte within the payload of the batch that holds this offset."""
    data, at = bytearray(log.read_bytes()), 0
    while at + 61 <= len(data):
        base = int.from_bytes(data[at : at + 8], "big")
        size = int.from_bytes(data[at + 8 : at + 12], "big") + 12
        last = base + int.from_bytes(data[at + 23 : at + 27], "big")
        if base <= offset <= last:
            place = at + 61 + (size - 61) // 2
            with log.open("r+b") as file:
                file.seek(place)
                file.write(bytes([data[place] ^ 0xFF]))
            return
        at += size
    raise ValueError(f"no batch with offset {offset}")


# --- gaps -------------------------------------------------------------------------------------------------------------


async def gaps(folder: Path) -> Outcome:
    """Compaction takes records out of the middle, and transactions are aborted or committed between them."""
    server = KafkaServer(properties={"log.cleaner.backoff.ms": "500"})
    with server:
        async with yard(folder / "gaps", Plot("gaps", partitions=1), server.bootstrap) as place:
            topic = f"{place.plot.sources[0]}"
            await administer(place, "delete_topics", [topic])
            await asyncio.sleep(2.0)
            configs = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01"}
            await administer(place, "create_topics", [NewTopic(topic, 1, 1, topic_configs=configs)])
            every = some(place, 120)
            aborted = await transactions(place, every)
            survivors = await compacted(place, topic, len(every) - len(aborted))
            note(place, every, survivors)
            consumer = place.plain()
            await place.working(consumer)
            await place.settled(consumer, 60.0)
            await consumer.stop()
            seen = {(each.recipient, each.message.text) for fake in place.fakes.values() for each in fake.deliveries}
            pushed = sum(_words(each) in seen for each in aborted)
            ledger = await place.judged()
    removed = len(every) - len(aborted) - len(survivors)
    return Outcome(
        ledger.clean and pushed == 0 and removed > 0,
        f"{removed} of {len(every)} records compacted away, {len(aborted)} in aborted transactions, of which told "
        f"{pushed}; the offsets reached the end; {ledger.said}",
        {"compacted": removed, "aborted": len(aborted), "aborted_told": pushed, **ledger.figures()},
    )


async def transactions(place: Yard, every: Sequence[Publication]) -> list[Publication]:
    """Publish in transactions of ten; every third is aborted, and its records come back."""
    aborted: list[Publication] = []
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=place.settings.bootstrap, transactional_id="shop")
    try:
        async with asyncio.timeout(60.0):
            await producer.start()
            for start in range(0, len(every), 10):
                await producer.begin_transaction()
                for each in every[start : start + 10]:
                    await producer.send_and_wait(each.topic, each.value, each.key)
                if start // 10 % 3 == 1:
                    await producer.abort_transaction()
                    aborted += every[start : start + 10]
                else:
                    await producer.commit_transaction()
                await asyncio.sleep(0.3)
    finally:
        await discard(producer)
    return aborted


async def compacted(place: Yard, topic: str, written: int) -> list[Record]:
    """The records that are left when the cleaner has taken some."""
    left: list[Record] = []

    async def fewer() -> bool:
        found = await read_whole(place.settings, [topic])
        left[:] = [] if isinstance(found, Trouble) else found
        return 0 < len(left) < written

    await eventually("the cleaner has been there", fewer, 60.0)
    return left


def note(place: Yard, every: Iterable[Publication], survivors: Sequence[Record]) -> None:
    """The account has what a consumer can still read."""
    by_value = {each.value: each for each in every}
    for record in survivors:
        publication = by_value[record.value or b""]
        position = Position(record.position.topic, record.position.partition, record.position.offset)
        place.account.sent.append(Sent(position, time.monotonic(), ""))
        place.account.records.append(publication)


# --- sessions that end ------------------------------------------------------------------------------------------------


async def expiries(folder: Path) -> Outcome:
    """The broker ends each connection when its login has lived two seconds."""
    with SecuredKafka(folder) as server:
        cut = server.sasl("PLAIN", listener="SHORT")
        found = await through_expiries(server.plain(), cut, 60.0)
    times = int(found.seconds / REAUTH_SECONDS)
    return Outcome(
        found.lost == 0 and found.rebalances <= times,
        f"about {times} expiries of each login in {found.seconds:g} s: lost {found.lost} of {found.published} read and "
        f"{found.appended} appended, rebalances {found.rebalances}, clients made anew {found.rebuilt}",
        {"expiries": times, "lost": found.lost, "published": found.published, "rebalances": found.rebalances}
        | {"rebuilt": found.rebuilt, "read_again": found.repeated},
    )


ROWS = (
    Row(
        "K-12",
        f"retention takes {2 * TRIMMED} of {PUBLISHED} records that were never read",
        "the gap is reported to the record, and the rest is told",
        "reported gap exact; after it 45 of 45 told",
        retention,
        minutes=1.0,
        selection=True,
        again="nothing",
    ),
    Row(
        "K-13",
        "the group's offsets are lost",
        "refuses to guess until a person says where to begin",
        "pushes before that 0; afterwards nothing lost or told twice",
        lost_offsets,
        minutes=1.0,
        selection=True,
        again="nothing",
    ),
    Row(
        "K-15",
        "a batch on one partition cannot be decoded (its checksum is wrong), the other is healthy",
        "that partition stands still and says why; the other goes on",
        "of the healthy one 100 % told; nothing after the batch told or committed",
        undecodable,
        minutes=1.0,
        selection=True,
        again="nothing",
    ),
    Row(
        "K-18",
        "the login to the broker expires, again and again",
        "connections are made anew, and nothing is lost",
        "lost 0; at most one rebalance an expiry",
        expiries,
        minutes=1.5,
        selection=False,
        compressed="a login lives 2 s instead of 60 s",
        again="nothing",
        test="tests/kafka/test_security.py",
    ),
    Row(
        "K-17",
        "compacted gaps, control records and aborted transactions",
        "offsets advance over them",
        "stuck 0; records of aborted transactions told 0",
        gaps,
        minutes=1.5,
        selection=False,
        again="nothing",
    ),
)
