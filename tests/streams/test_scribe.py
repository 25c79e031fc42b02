"""Appends of one partition: in order, many to a request, each acked by itself."""

import asyncio
from collections.abc import Sequence

from consumer.core.facts import Fact
from consumer.core.ports import Appended
from consumer.demo.broker import EmbeddedBroker
from consumer.streams.scribe import TOGETHER_BYTES, Scribe
from consumer.streams.settings import KafkaSettings
from consumer.streams.writer import TooLarge, Writer

TOPIC = "log"


class Slow(Writer):
    """The edge of the world, slow: every request is kept, and acked when `door` is open."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings("nowhere"), TOPIC, "journal", "lane", lambda _fact: None)
        self.door = asyncio.Event()
        self.requests: list[list[bytes]] = []
        self.fault: BaseException | None = None

    async def write_all(self, values: Sequence[bytes], partition: int = 0) -> list[Appended | TooLarge]:
        self.requests.append(list(values))
        await self.door.wait()
        if self.fault is not None:
            raise self.fault
        first = sum(map(len, self.requests[:-1]))
        return [Appended(first + number, 1.0) for number in range(len(values))]


async def ticks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_comes_while_a_request_is_under_way_goes_together_in_the_next_one_in_order() -> None:
    writer = Slow()
    scribe = Scribe(writer)
    tasks = [asyncio.create_task(scribe.append(b"0"))]
    await ticks()
    tasks += [asyncio.create_task(scribe.append(b"%d" % number)) for number in range(1, 5)]
    await ticks()
    assert writer.requests == [[b"0"]]
    writer.door.set()
    acks = await asyncio.gather(*tasks)
    assert writer.requests == [[b"0"], [b"1", b"2", b"3", b"4"]]
    assert [ack.offset for ack in acks if isinstance(ack, Appended)] == [0, 1, 2, 3, 4]


async def test_a_request_has_no_more_bytes_than_a_batch_can_carry_but_one_record_at_least() -> None:
    writer = Slow()
    scribe = Scribe(writer)
    half, huge = b"x" * (TOGETHER_BYTES // 2), b"y" * (2 * TOGETHER_BYTES)
    tasks = [asyncio.create_task(scribe.append(value)) for value in (half, half, huge, b"z")]
    writer.door.set()
    await asyncio.gather(*tasks)
    assert [len(request) for request in writer.requests] == [1, 1, 1, 1]


async def test_whoever_is_cancelled_takes_back_a_record_that_is_not_under_way() -> None:
    writer = Slow()
    scribe = Scribe(writer)
    first = asyncio.create_task(scribe.append(b"first"))
    await ticks()
    second, third = (asyncio.create_task(scribe.append(value)) for value in (b"second", b"third"))
    await ticks()
    second.cancel()
    first.cancel()
    await ticks()
    writer.door.set()
    assert await third == Appended(1, 1.0)
    assert writer.requests == [[b"first"], [b"third"]]


async def test_a_stop_lets_nobody_wait_for_ever() -> None:
    writer = Slow()
    scribe = Scribe(writer)
    first = asyncio.create_task(scribe.append(b"first"))
    await ticks()
    second = asyncio.create_task(scribe.append(b"second"))
    await ticks()
    await scribe.stop()
    ended = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    await Scribe(writer).stop()


async def test_a_bug_of_the_writer_is_told_to_all_who_wait_for_that_request() -> None:
    writer = Slow()
    writer.fault = ValueError("a bug")
    writer.door.set()
    scribe = Scribe(writer)
    tasks = [asyncio.create_task(scribe.append(value)) for value in (b"1", b"2")]
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, ValueError) for each in ended)
    writer.fault = None
    assert isinstance(await scribe.append(b"3"), Appended)


async def test_records_stand_in_the_log_in_the_order_in_which_they_were_handed_in() -> None:
    facts: list[Fact] = []
    with EmbeddedBroker([TOPIC]) as broker:
        writer = Writer(KafkaSettings(broker.bootstrap), TOPIC, "journal", "lane", facts.append)
        scribe = Scribe(writer)
        acks = await asyncio.gather(*(scribe.append(b"record %d" % number) for number in range(2000)))
        await scribe.stop()
        await writer.stop()
    assert [ack.offset for ack in acks if isinstance(ack, Appended)] == list(range(2000))
    assert facts == []


async def test_records_that_are_handed_in_together_are_acked_by_where_the_last_one_stands() -> None:
    writer = Slow()
    scribe = Scribe(writer)
    tasks = [asyncio.create_task(scribe.append(*values)) for values in ([b"0", b"1", b"2"], [b"3"])]
    writer.door.set()
    assert await asyncio.gather(*tasks) == [Appended(2, 1.0), Appended(3, 1.0)]
    assert writer.requests == [[b"0", b"1", b"2", b"3"]]
