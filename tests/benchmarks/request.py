"""What one request costs: the sink of a webhook beside a bare `session.post` of aiohttp, in one process.

Run it with `python -m tests.benchmarks.request [--json FILE]`. The provider is a process of its own and answers after
20 ms; 256 requests are under way at once. All times are of this process's CPU, the median of some rounds; the two take
turns, so that what else the machine does is shared fairly. The bare post is given the bytes of its body; the sink makes
them, judges the answer, and keeps its promises about secrets, lost answers and deadlines.
"""

import asyncio
import gc
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from time import process_time

import aiohttp
from rich.console import Console
from rich.table import Table

from consumer.app.loop import tame_collector
from consumer.core.facts import Fact
from consumer.core.model import Batch, Command, Delivered, Message, Parcel, Terms
from consumer.core.secrets import SecretRef
from consumer.sinks.base import make_sink
from consumer.sinks.webhook import WebhookConfig
from tests.benchmarks.contestants.job import HEADERS
from tests.benchmarks.provider import Provider
from tests.benchmarks.telling import keep, parser_of, ruled

REQUESTS = 10_000
ROUNDS = 5
IN_FLIGHT = 256
LATENCY_MS = 20.0
BARE, SINK = "bare aiohttp", "Vestnik's sink"
TERMS = Terms("order-ready")

Post = Callable[[Batch], Awaitable[bool]]
"""Makes one request of a batch, and says whether it was taken."""
Open = Callable[[str], AbstractAsyncContextManager[Post]]
"""Opens a way to make requests to an address."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way costs a request, in microseconds of CPU, on one event loop."""

    way: str
    loop: str
    requests: int
    us_per_request: float


@dataclass(frozen=True, slots=True)
class Work:
    """How much is measured, and how."""

    requests: int = REQUESTS
    rounds: int = ROUNDS
    in_flight: int = IN_FLIGHT
    latency_ms: float = LATENCY_MS


# --- what is sent -----------------------------------------------------------------------------------------------------


def batches(count: int) -> list[Batch]:
    """Orders that wait to be fetched: each has words and a recipient of its own."""
    return [_batch(number) for number in range(count)]


def _batch(number: int) -> Batch:
    order, recipient = f"М-{number:05}", f"{10_000_000 + number}"
    message = Message(f"Заказ {order} ждёт вас", f"ПВЗ Boxberry: приходите за заказом на 2450.00 ₽, код {number}")
    known = number.to_bytes(12, "big")
    command = Command(known, bytes(4), TERMS, recipient, (message,), None, 0, 0.0, 3600.0)
    return Batch(f"1.{number}", 1, (Parcel(message, 0, (command,)),))


def body_of(batch: Batch) -> bytes:
    """What the sink sends too."""
    message = batch.parcels[0].message
    push = {"to": [batch.commands[0].recipient], "title": message.title, "text": message.text}
    return json.dumps(push, ensure_ascii=False).encode()


# --- ways -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def bare(url: str, work: Work, bodies: Mapping[str, bytes]) -> AsyncIterator[Post]:
    connector = aiohttp.TCPConnector(limit=work.in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(batch: Batch) -> bool:
            async with session.post(url, data=bodies[batch.id], headers=HEADERS) as response:
                await response.read()
                return response.status == 200

        yield post


@asynccontextmanager
async def sink(url: str, work: Work) -> AsyncIterator[Post]:
    config = WebhookConfig.model_validate(
        {
            "type": "webhook",
            "url": url,
            "body": {"to": "{{ recipients }}", "title": "{{ title }}", "text": "{{ text }}"},
            "answers": [{"when": "status == `200`", "verdict": "delivered"}],
        }
    )
    made = make_sink(config, _no_secret, _nobody, "app-push", in_flight=work.in_flight)
    delivered = (Delivered(),)

    async def post(batch: Batch) -> bool:
        await made.ready()
        return await made.send(batch) == delivered

    try:
        yield post
    finally:
        await made.close()


def _no_secret(ref: SecretRef) -> str:
    raise LookupError(ref.where)


def _nobody(fact: Fact) -> None:
    """Hears the facts."""


# --- figures ----------------------------------------------------------------------------------------------------------


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop") is not None:
        found["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return found


async def spent(open_way: Open, url: str, sent: Sequence[Batch], in_flight: int) -> float:
    """Seconds of CPU for all of them. Connections are made before."""
    async with open_way(url) as post:
        await send_all(post, sent[:in_flight], in_flight)
        began = process_time()
        await send_all(post, sent, in_flight)
        return process_time() - began


async def send_all(post: Post, sent: Sequence[Batch], in_flight: int) -> None:
    """So many at once."""
    left = iter(sent)

    async def go() -> None:
        for batch in left:
            if not await post(batch):
                raise RuntimeError(f"request {batch.id} was not taken")

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(go())


@contextmanager
def tamed() -> Iterator[None]:
    """With the collector as a lane has it, and afterwards as it was."""
    before = gc.get_threshold()
    tame_collector()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def ways(work: Work, sent: Sequence[Batch]) -> dict[str, Open]:
    """The ways by their names, for these batches."""
    bodies = {batch.id: body_of(batch) for batch in sent}
    return {BARE: partial(bare, work=work, bodies=bodies), SINK: partial(sink, work=work)}


def costs(work: Work) -> Iterator[Cost]:
    sent = batches(work.requests)
    found = ways(work, sent)
    for loop, make in loops().items():
        took: dict[str, list[float]] = {way: [] for way in found}
        for _ in range(work.rounds):
            for way, open_way in found.items():
                with Provider() as provider, tamed(), asyncio.Runner(loop_factory=make) as runner:
                    provider.expect(0, work.latency_ms)
                    took[way].append(runner.run(spent(open_way, provider.url, sent, work.in_flight)))
        for way, seconds in took.items():
            yield Cost(way, loop, len(sent), 1e6 * median(seconds) / len(sent))


def ratios(rows: Sequence[Cost]) -> dict[str, float]:
    """What the sink costs, as so many bare posts, on each loop."""
    found = {(row.way, row.loop): row.us_per_request for row in rows}
    return {loop: round(us / found[BARE, loop], 3) for (way, loop), us in found.items() if way == SINK}


def table(rows: Sequence[Cost]) -> Table:
    made = ruled("One request", ("way", "loop"), ("requests", "µs a request", "to the bare one"))
    ratio = ratios(rows)
    for row in rows:
        told = f"{ratio[row.loop]:.2f}" if row.way == SINK else ""
        made.add_row(row.way, row.loop, f"{row.requests:,}", f"{row.us_per_request:.1f}", told)
    return made


def main(arguments: Sequence[str]) -> None:
    parser = parser_of("request", __doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT)
    parser.add_argument("--latency-ms", type=float, default=LATENCY_MS)
    options = parser.parse_args(arguments)
    rows = list(costs(Work(options.requests, options.rounds, options.in_flight, options.latency_ms)))
    Console(width=120).print(table(rows))
    told = {"costs": [asdict(row) for row in rows], "ratios": ratios(rows)}
    keep(told, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
