"""What a request costs in the lane's journal: its attempt and its landing, written, read back and remembered.

Run it with `python -m tests.benchmarks.journal [--json FILE]`. All times are of this thread's CPU, the median of some
rounds. The first steps are the pure ones. "through Kafka" is all of them at once, with the client library and the loop,
over the embedded broker, whose own work is in other threads; "library alone" puts the same bytes through the library
without any work of ours. "read back" is what a start does with each request that stands in the journal; that of a long
journal costs more, for the memory of what has ended does not fit into the processor's any more.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from statistics import median
from time import thread_time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from consumer.app.loop import loop_factory, tame_collector
from consumer.core.landing import attempt_records, land
from consumer.core.memory import Memory
from consumer.core.model import Batch, Command, Delivered, Message, Parcel, Position, Priority, Terms, Trouble
from consumer.core.ports import Entry
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.engine.follower import Follower
from consumer.streams.codec import decoded, encoded
from consumer.streams.journal import KafkaJournal
from consumer.streams.settings import KafkaSettings, Timing
from schemas.journal import AnyRecord, Claim
from tests.benchmarks.telling import keep, parser_of, ruled

ROUNDS = 5
COMMANDS = 20_000
LONG = 1_000_000
LONG_PARTS = 50
NOW = 1.78e9
DAY = 86_400.0
RECORDS_PER_BATCH = 128
# The embedded broker keeps about five of a partition.
KAFKA_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Requests that carry so many commands each, and how many of them are under way at once. `share`: as many of the
    long journal's commands are read back in such requests."""

    commands: int
    in_flight: int
    share: float = 1.0


SHAPES = (Shape(1, 256, share=0.2), Shape(1000, 8))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step costs, in microseconds of CPU, in requests of so many commands."""

    step: str
    commands_per_request: int
    requests: int
    us_per_request: float

    @property
    def us_per_command(self) -> float:
        return self.us_per_request / self.commands_per_request


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A batch as a lane has it before its request, and where its commands came from."""

    batch: Batch
    places: Mapping[bytes, Sequence[Position]]


def requests(shape: Shape, count: int, first: int = 0) -> list[Request]:
    random, terms = Random(shape.commands + first), Terms("order-ready", Priority.URGENT)
    return [_request(number, shape, random, terms) for number in range(first, first + count)]


def _request(number: int, shape: Shape, random: Random, terms: Terms) -> Request:
    message = Message(f"Заказ М-{number} ждёт вас", "ПВЗ на Ленина, 5. Хранится до 12 сентября.", "shop://orders/1")
    first = number * shape.commands
    commands = tuple(_command(each, message, random, terms) for each in range(first, first + shape.commands))
    places = {command.id: (Position("shop.orders", 3, first),) for command in commands}
    return Request(Batch(f"1.{number}", 1, (Parcel(message, 0, commands),)), places)


def _command(number: int, message: Message, random: Random, terms: Terms) -> Command:
    return Command(
        id=random.randbytes(12),
        digest=random.randbytes(4),
        terms=terms,
        recipient=f"customer-{number}",
        wordings=(message,),
        thread=random.getrandbits(64),
        rank=1_780_000_000_000_000 + number,
        arrived=NOW + number / 1000,
        deadline=NOW + 43_200.0,
        source="shop.orders",
    )


def records(made: Sequence[Request]) -> list[AnyRecord]:
    """The journal of these requests: each attempt, and its landing after it."""
    memory = fresh()
    written: list[AnyRecord] = []
    for each in made:
        written += attempt_records(each.batch, each.places)
        written.append(land(each.batch, (Delivered(),), memory).record)
    return written


def fresh() -> Memory:
    return Memory(8 * DAY)


# --- pure steps -------------------------------------------------------------------------------------------------------

Step = Callable[[], object]


def pure_steps(made: Sequence[Request]) -> dict[str, Callable[[], Step]]:
    """Each makes its step anew, so that nothing is remembered from one round to the next."""
    journal = records(made)
    values = [encoded(record) for record in journal]
    return {
        "attempt, built": lambda: lambda: _forgotten(attempt_records(each.batch, each.places) for each in made),
        "landing, built": lambda: _landed(made),
        "both, encoded": lambda: lambda: _forgotten(encoded(record) for record in journal),
        "both, remembered": lambda: _applied([_again(record) for record in journal]),
        "both, read back": lambda: _read_back(values),
    }


def _forgotten(work: Iterable[object]) -> None:
    """What a lane has written it keeps no longer."""
    deque(work, maxlen=0)


def _again(record: AnyRecord) -> AnyRecord:
    """The record as it was when it was made: without what was worked out of it since."""
    return replace(record)


def _landed(made: Sequence[Request]) -> Step:
    memory = fresh()
    return lambda: _forgotten(land(each.batch, (Delivered(),), memory) for each in made)


def _applied(journal: Sequence[AnyRecord]) -> Step:
    memory = fresh()

    def apply() -> None:
        for offset, record in enumerate(journal):
            memory.apply(Entry(offset, NOW + offset / 1000, record))

    return apply


def _read_back(values: Sequence[bytes]) -> Step:
    memory = fresh()

    def read_back() -> None:
        for offset, value in enumerate(values):
            memory.apply(Entry(offset, NOW + offset / 1000, decoded(value)))

    return read_back


def timed(make: Callable[[], Step], rounds: int) -> float:
    """Seconds of this thread's CPU."""
    spent = []
    for _ in range(rounds):
        step = make()
        tame_collector()
        began = thread_time()
        step()
        spent.append(thread_time() - began)
    return median(spent)


def long_read_back(shape: Shape, count: int) -> float:
    """Seconds for a journal of so many requests, made and read back in parts: the whole would need gigabytes."""
    memory, offset, spent = fresh(), 0, 0.0
    for first in range(0, count, count // LONG_PARTS):
        values = [encoded(record) for record in records(requests(shape, count // LONG_PARTS, first))]
        tame_collector()
        began = thread_time()
        for value in values:
            memory.apply(Entry(offset, NOW + offset / 1000, decoded(value)))
            offset += 1
        spent += thread_time() - began
    return spent


# --- through Kafka ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One topic of the embedded broker, new for each round."""

    settings: KafkaSettings
    topic: str

    async def whole(self, made: Sequence[Request], in_flight: int) -> float:
        """As an owner does it: an attempt, the look, a landing; until the last one has been read back."""
        journal, memory = self._journal(), fresh()
        follower = Follower(journal, memory, lambda: 0.0)
        following = asyncio.create_task(follower.run())
        await follower.reached((await journal.append(Claim(epoch=1, member="bench"))).offset)
        left = iter(made)
        began = thread_time()
        last = max(await asyncio.gather(*(_flown(left, journal, follower, memory) for _ in range(in_flight))))
        await follower.reached(last)
        spent = thread_time() - began
        await _ended(following, journal)
        return spent

    async def alone(self, values: Sequence[bytes]) -> float:
        """The same bytes through the library's producer and consumer, without any work of ours."""
        producer = AIOKafkaProducer(**_given(self.settings.producing()))
        consumer = AIOKafkaConsumer(**_given(self.settings.consuming()) | {"auto_offset_reset": "earliest"})
        await producer.start()
        await consumer.start()
        consumer.assign([TopicPartition(self.topic, 0)])
        began = thread_time()
        reading = asyncio.create_task(_counted(consumer, len(values)))
        await _sent(producer, self.topic, values)
        await reading
        spent = thread_time() - began
        await consumer.stop()
        await producer.stop()
        return spent

    async def start(self, count: int) -> float:
        """Seconds for each of `count` records, read back from the beginning that the broker still has."""
        journal = self._journal()
        follower = Follower(journal, fresh(), lambda: 0.0)
        began = thread_time()
        following = asyncio.create_task(follower.run())
        await follower.reached(count - 1)
        spent = thread_time() - began
        await _ended(following, journal)
        return spent / follower.records * count

    def _journal(self) -> KafkaJournal:
        return KafkaJournal(self.settings, self.topic, lambda _fact: None)


def _given(arguments: dict[str, Any] | Trouble) -> dict[str, Any]:
    assert not isinstance(arguments, Trouble), arguments
    return arguments


async def _ended(following: "asyncio.Task[None]", journal: KafkaJournal) -> None:
    following.cancel()
    await asyncio.wait({following})
    await journal.stop()


async def _flown(left: Iterator[Request], journal: KafkaJournal, follower: Follower, memory: Memory) -> int:
    """One flight after another; the offset of the last landing."""
    offset = -1
    for each in left:
        for record in attempt_records(each.batch, each.places):
            offset = (await journal.append(record)).offset
        await follower.reached(offset)
        offset = (await journal.append(land(each.batch, (Delivered(),), memory).record)).offset
    return offset


async def _sent(producer: Any, topic: str, values: Sequence[bytes]) -> None:
    """As many to a batch as are under way at once, and fit."""
    batch, count = producer.create_batch(), 0
    for value in values:
        if count == RECORDS_PER_BATCH or batch.append(key=None, value=value, timestamp=None) is None:
            await (await producer.send_batch(batch, topic, partition=0))
            batch, count = producer.create_batch(), 0
            batch.append(key=None, value=value, timestamp=None)
        count += 1
    await (await producer.send_batch(batch, topic, partition=0))


async def _counted(consumer: Any, wanted: int) -> None:
    while wanted > 0:
        found = await consumer.getmany(timeout_ms=1000, max_records=500)
        wanted -= sum(map(len, found.values()))


# --- figures ----------------------------------------------------------------------------------------------------------


def costs(commands: int, long: int, rounds: int) -> Iterator[Cost]:
    with EmbeddedBroker() as broker:
        for shape in SHAPES:
            made = requests(shape, max(commands // shape.commands, shape.in_flight))
            for step, seconds in pure_costs(made, rounds):
                yield Cost(step, shape.commands, len(made), 1e6 * seconds / len(made))
            count = max(int(long * shape.share) // shape.commands // LONG_PARTS, 1) * LONG_PARTS
            yield Cost(
                "both, read back of a long journal", shape.commands, count, 1e6 * long_read_back(shape, count) / count
            )
            fitting = made[: most(made, shape)]
            for step, seconds in kafka_costs(broker, fitting, shape, rounds):
                yield Cost(step, shape.commands, len(fitting), 1e6 * seconds / len(fitting))


def most(made: Sequence[Request], shape: Shape) -> int:
    """How many requests the embedded broker keeps, and as many as are under way at least."""
    size = sum(len(encoded(record)) for record in records(made[:10])) / len(made[:10])
    return max(int(KAFKA_BYTES / size), shape.in_flight)


def pure_costs(made: Sequence[Request], rounds: int) -> Iterator[tuple[str, float]]:
    for step, make in pure_steps(made).items():
        yield step, timed(make, rounds)


def kafka_costs(
    broker: EmbeddedBroker, made: Sequence[Request], shape: Shape, rounds: int
) -> Iterator[tuple[str, float]]:
    values = [encoded(record) for record in records(made)]
    whole, alone, start = [], [], []
    for number in range(rounds):
        mine, theirs = (_line(broker, f"vestnik.journal.{shape.commands}-{number}-{who}") for who in ("mine", "theirs"))
        whole.append(_run(mine.whole(made, shape.in_flight)))
        alone.append(_run(theirs.alone(values)))
        start.append(_run(theirs.start(len(values))))
    yield "through Kafka, written and read back", median(whole)
    yield "through Kafka, library alone", median(alone)
    yield "through Kafka, read back at a start", median(start)


def _line(broker: EmbeddedBroker, topic: str) -> Line:
    broker.create(topic)
    return Line(KafkaSettings(broker.bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS)), topic)


def _run(work: Coroutine[Any, Any, float]) -> float:
    tame_collector()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def table(rows: Sequence[Cost]) -> Table:
    numbers = ("commands a request", "requests", "µs a request", "µs a command")
    made = ruled("A request in the journal", ["step"], numbers)
    for row in rows:
        figures = (f"{row.us_per_request:,.1f}", f"{row.us_per_command:,.2f}")
        made.add_row(row.step, f"{row.commands_per_request:,}", f"{row.requests:,}", *figures)
    return made


def main(arguments: Sequence[str]) -> None:
    parser = parser_of("journal", __doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS)
    parser.add_argument("--long", type=int, default=LONG, help="commands of the long journal")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    rows = list(costs(options.commands, options.long, options.rounds))
    Console(width=120).print(table(rows))
    figures = [asdict(row) | {"us_per_command": row.us_per_command} for row in rows]
    keep(figures, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
