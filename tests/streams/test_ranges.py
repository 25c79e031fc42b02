"""Ranges of topics are frozen and read; against librdkafka's mock cluster, which knows no offsets by time."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from aiokafka.partitioner import DefaultPartitioner

from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.streams import ranges
from consumer.streams.ranges import Offset, RangeReader, Stretch, at, partition_of, range_reader
from consumer.streams.settings import KafkaSettings, Timing

TOPIC, OTHER = "shop.orders", "shop.bonuses"
STRETCH = Stretch(TopicPartition(TOPIC, 1), 3, 9)


@pytest.fixture(scope="module")
def settings() -> Iterator[KafkaSettings]:
    """A broker with six records in two partitions of one topic, and one in another."""
    with EmbeddedBroker([TOPIC, OTHER]) as broker:
        for number in range(6):
            broker.publish(TOPIC, b"%d" % number, key=b"k", headers=[("h", b"1")], partition=number % 2)
        broker.publish(OTHER, b"bonus", partition=3)
        yield KafkaSettings(broker.bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS))


@pytest.fixture
async def reader(settings: KafkaSettings) -> AsyncIterator[RangeReader]:
    async with range_reader(settings, [TOPIC]) as opened:
        assert isinstance(opened, RangeReader)
        yield opened


async def read(reader: RangeReader, stretches: Sequence[Stretch] | Trouble) -> list[Record]:
    assert not isinstance(stretches, Trouble)
    records: list[Record] = []
    async for some in reader.read(stretches):
        assert not isinstance(some, Trouble)
        records += some
    return records


@pytest.mark.parametrize("key", [b"", b"1", b"c-123", "Иван".encode(), b"\xff" * 100])
def test_a_key_is_where_kafkas_own_clients_put_it(key: bytes) -> None:
    assert partition_of(key, 7) == DefaultPartitioner()(key, list(range(7)), list(range(7)))


@pytest.mark.parametrize(("partition", "offset", "there"), [(1, 3, 1), (1, 8, 1), (1, 9, 0), (1, 2, 0), (2, 3, 0)])
def test_a_record_is_found_within_its_stretch_only(partition: int, offset: int, there: int) -> None:
    found = at([STRETCH], Position(TOPIC, partition, offset))
    assert found == [Stretch(TopicPartition(TOPIC, partition), offset, offset + 1)] * there


async def test_everything_of_the_topics_is_read_once_and_each_partition_in_its_order(reader: RangeReader) -> None:
    records = await read(reader, await reader.freeze())
    assert sorted(record.value or b"" for record in records) == [b"%d" % number for number in range(6)]
    of_one = [record for record in records if record.position.partition == 1]
    assert [record.value for record in of_one] == [b"1", b"3", b"5"]
    assert (of_one[0].position, of_one[0].key, of_one[0].headers) == (Position(TOPIC, 1, 0), b"k", (("h", b"1"),))


async def test_a_range_is_bounded_by_offsets_and_by_partitions(reader: RangeReader) -> None:
    """And never goes beyond what there is."""
    found = await reader.freeze(Offset(1), Offset(2), {0, 3})
    assert found == [Stretch(TopicPartition(TOPIC, 0), 1, 2), Stretch(TopicPartition(TOPIC, 3), 0, 0)]
    assert [record.value for record in await read(reader, found)] == [b"2"]
    assert await reader.freeze(Offset(1), Offset(99), {1}) == [Stretch(TopicPartition(TOPIC, 1), 1, 3)]


async def test_before_all_times_is_the_beginning(reader: RangeReader) -> None:
    """Also where the broker knows no times: they are not asked for."""
    assert await reader.freeze(float("-inf")) == await reader.freeze(0.0) == await reader.freeze()


async def test_one_reader_reads_one_topic_after_the_other(reader: RangeReader) -> None:
    await read(reader, await reader.freeze())
    held = await reader.freeze_topic(OTHER)
    assert isinstance(held, list)
    assert [stretch.records for stretch in held] == [0, 0, 0, 1]
    assert [record.value for record in await read(reader, held)] == [b"bonus"]
    assert len(await read(reader, await reader.freeze())) == 6


async def test_one_record_is_read_by_its_place_if_it_is_there(reader: RangeReader) -> None:
    found = await reader.one(Position(TOPIC, 1, 2))
    assert isinstance(found, Record)
    assert found.value == b"5"
    assert await reader.one(Position(TOPIC, 1, 3)) is None
    assert await reader.one(Position(TOPIC, 4, 0)) is None


async def test_a_topic_that_is_missing_is_told(settings: KafkaSettings, reader: RangeReader) -> None:
    told = Trouble("topic_missing", "shop.orderz")
    assert await reader.freeze_topic("shop.orderz") == told
    assert await reader.one(Position("shop.orderz", 0, 0)) == told
    async with range_reader(settings, ["shop.orderz"]) as opened:
        assert opened == told


async def test_a_range_that_is_gone_is_told_at_once(reader: RangeReader) -> None:
    partition = TopicPartition(TOPIC, 0)
    told = [each async for each in reader.read([Stretch(partition, 50, 60)])]
    assert told == [Trouble("offset_out_of_range", "OffsetOutOfRangeError", partition)]


async def test_a_range_that_never_comes_is_given_up(reader: RangeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENCE_SECONDS", 0.3)
    told = [each async for each in reader.read([Stretch(TopicPartition(TOPIC, 0), 3, 4)])]
    assert told == [Trouble("broker_unreachable", "nothing came for half a minute")]
