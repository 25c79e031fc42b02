"""A header whose name is not UTF-8 stops nobody: the record is read, and all that follow it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from consumer.core.model import Record
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.streams import header_names
from consumer.streams.header_names import ReadableRecords
from consumer.streams.reading import read_whole
from consumer.streams.settings import KafkaSettings, Timing

TOPIC = "shop.orders"
BAD, STAND_IN = b"\xff\xc3", b"~~"
CODECS = {"none": 0, "gzip": 1, "zstd": 4}


def batch(names: Sequence[str], codec: int = 0, base: int = 0) -> bytes:
    """A record for each name, which is the name of a header of it; `~~` becomes bytes that are no text."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, False, -1, -1, -1, 1 << 16)
    for number, name in enumerate(names):
        builder.append(number, 1000 + number, b"k", b"v%d" % number, [("trace", b"1"), (name, b"\xff")])
    builder._buffer = bytearray(builder._buffer.replace(STAND_IN, BAD))
    made = builder.build()
    made[:8] = base.to_bytes(8)
    return bytes(made)


def read(data: bytes) -> list[Any]:
    """What the library's fetcher takes out of an answer."""
    records, found = ReadableRecords(data), []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += list(one)
    assert records.next_batch() is None
    return found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_each_bad_byte_of_a_name_is_to_be_seen_and_nothing_else_is_changed(codec: int) -> None:
    good, bad = read(batch(["one", "two", "имя"], codec)), read(batch(["one", "~~", "имя"], codec))
    assert [(each.offset, each.timestamp, each.key, each.value) for each in bad] == [
        (each.offset, each.timestamp, each.key, each.value) for each in good
    ]
    assert [each.headers[1] for each in bad] == [("one", b"\xff"), ("\\xff\\xc3", b"\xff"), ("имя", b"\xff")]


def test_the_right_batch_of_an_answer_is_read_anew() -> None:
    """Also where the answer is cut in the middle of another."""
    data = batch(["a", "b"]) + batch(["~~", "c", "~~"], base=2) + batch(["d"], base=5)
    found = read(data + batch(["e"], base=6)[:-1])
    assert [each.offset for each in found] == list(range(6))
    assert [each.headers[1][0] for each in found] == ["a", "b", "\\xff\\xc3", "c", "\\xff\\xc3", "d"]
    assert ReadableRecords(data).size_in_bytes() == len(data)


def test_batches_of_the_time_before_headers_are_read_as_ever() -> None:
    old = LegacyRecordBatchBuilder(1, 0, 1 << 16)
    old.append(0, timestamp=1, key=None, value=b"old")
    assert [(each.offset, each.value) for each in read(bytes(old.build()) * 2)] == [(0, b"old"), (0, b"old")]


def test_a_batch_that_is_damaged_is_still_refused() -> None:
    data = bytearray(batch(["a", "~~"]))
    data[57:61] = (9).to_bytes(4)  # it has not so many records
    with pytest.raises(CorruptRecordException):
        list(ReadableRecords(bytes(data)).next_batch())


def test_nothing_behind_the_end_of_a_damaged_batch_is_read() -> None:
    """The library's fast reader of numbers does: now and then the process died of it."""
    data = bytearray(batch(["~~"]))
    data[57:61] = (9).to_bytes(4)
    patient = header_names._patient(memoryview(bytes(data)))
    assert next(patient).value == b"v0"
    with pytest.raises(CorruptRecordException, match="IndexError"):
        next(patient)


async def put(bootstrap: str, data: bytes) -> None:
    """As a producer of any language could: the bytes of a batch."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.partitions_for(TOPIC)
        node = producer.client.cluster.leader_for_partition(TopicPartition(TOPIC, 0))
        answer = await producer.client.send(node, ProduceRequest(None, -1, 5000, [(TOPIC, [(0, data)])]))
        assert answer.topics[0][1][0][1] == 0, answer
    finally:
        await producer.stop()


async def test_a_topic_is_read_past_it() -> None:
    with EmbeddedBroker([TOPIC]) as broker:
        async with asyncio.timeout(30):
            await put(broker.bootstrap, batch(["~~", "b"]))
            found = await read_whole(
                KafkaSettings(broker.bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS)), [TOPIC]
            )
    assert isinstance(found, list)
    assert all(isinstance(each, Record) for each in found)
    assert [(each.value, each.headers[1][0]) for each in found] == [(b"v0", "\\xff\\xc3"), (b"v1", "b")]
