"""A small world for lanes: a broker in memory, a provider with moods, and processes that can be killed."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

from consumer.core.facts import Fact
from consumer.core.model import (
    Batch,
    Blocked,
    Bounds,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Ignored,
    Message,
    OnUnsure,
    Plan,
    Planned,
    Priority,
    Quiet,
    Quota,
    Record,
    Rejected,
    Rejection,
    Terms,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.watchlist import SuppressionParts
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource, MemoryTable, Wire
from schemas.journal import JOURNAL_RECORD, AnyRecord, Attempt, Claim, Landing, Outcomes, Parked, Repeat

EPOCH = 1_700_000_000.0
SOURCE, JOURNAL, LETTERS, GROUP = "shop.orders", "vestnik.journal.push", "vestnik.dead-letters", "vestnik.push"
LISTED, HASH_KEY = "vestnik.suppressions", b"a key for the tests"
CONTROL = "vestnik.control"
WINDOW = Quota(10, 60.0)
THOUSAND = Capacity(1, 1000)

F = TypeVar("F", bound=Fact)
Mood = Callable[[Batch], Verdict | None]


def broker_now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


class TablePlanner:
    """Plans records that say themselves what shall come of them; routes and templates have tests of their own."""

    def plan(self, record: Record) -> Plan:
        try:
            event: dict[str, Any] = json.loads(record.value or b"")
        except ValueError:
            return Rejected(Rejection(f"{record.position}", "invalid_json"))
        if event.get("ignore"):
            return Ignored("no_route", "order.created")
        failed = (Rejection(f"{record.position}", event["fails"], route="other"),) if "fails" in event else ()
        return Planned("order.created", commands=(self.command(event, record),), rejections=failed)

    def command(self, event: dict[str, Any], record: Record) -> Command:
        wordings = [Message("Заказ", text) for text in event.get("texts", ["готов"])]
        recipient = event["to"]
        thread = event.get("thread")
        return Command(
            id=blake2b(f"{event['id']}|{recipient}".encode(), digest_size=12).digest(),
            digest=blake2b(record.value or b"", digest_size=4).digest(),
            terms=_terms(event),
            recipient=recipient,
            wordings=tuple(wordings),
            thread=None if thread is None else int.from_bytes(blake2b(f"{thread}|{recipient}".encode()).digest()[:8]),
            rank=event.get("rank", 0),
            arrived=record.timestamp,
            deadline=record.timestamp + event.get("ttl", 86_400.0),
            source=record.position.topic,
            quiet=Quiet(*event["quiet"]) if "quiet" in event else None,
        )


def _terms(event: dict[str, Any]) -> Terms:
    unsure, priority = OnUnsure(event.get("unsure", "repeat")), Priority(event.get("priority", "normal"))
    return Terms("orders", priority, event.get("within", 300.0), unsure, marketing=event.get("marketing", False))


@dataclass(frozen=True)
class Push:
    """What a person saw, or would have seen."""

    at: float
    command: bytes
    recipient: str
    message: Message
    attempt: str


class Provider:
    """Accepts pushes half a `latency_seconds` after the request left; nothing recalls what left. `mood` decides before
    that (a verdict: the push did not happen), `answer` after it (a verdict: it did, and this is what came back)."""

    def __init__(self, latency_seconds: float = 0.06) -> None:
        self.latency_seconds = latency_seconds
        self.mood: Mood = lambda _batch: None
        self.answer: Mood = lambda _batch: None
        self.pushes: list[Push] = []
        self.arrivals: list[float] = []
        self.hanging = asyncio.Event()
        self.hanging.set()

    async def call(self, batch: Batch) -> Verdict:
        loop = asyncio.get_running_loop()
        arrival = asyncio.Event()
        verdict: list[Verdict | None] = []

        def arrive() -> None:
            self.arrivals.append(loop.time())
            verdict.append(self.mood(batch))
            if verdict[0] is None:
                self._accept(batch)
            arrival.set()

        loop.call_later(self.latency_seconds / 2, arrive)
        await arrival.wait()
        await self.hanging.wait()
        await asyncio.sleep(self.latency_seconds / 2)
        return verdict[0] or self.answer(batch) or Delivered()

    def _accept(self, batch: Batch) -> None:
        at = asyncio.get_running_loop().time()
        for parcel in batch.parcels:
            for command in parcel.commands:
                self.pushes.append(Push(at, command.id, command.recipient, parcel.message, batch.id))

    @property
    def repeats(self) -> dict[bytes, int]:
        counts = Counter(push.command for push in self.pushes)
        return {command: count for command, count in counts.items() if count > 1}

    def worst_window(self, seconds: float = 60.0) -> int:
        times = sorted(self.arrivals)
        return max((sum(start <= at < start + seconds for at in times) for start in times), default=0)

    @property
    def told(self) -> set[str]:
        return {push.recipient for push in self.pushes}


class ProviderSink:
    """One process's way to the provider; a killed process gets no answer."""

    provider = "fake"
    idempotent = False

    def __init__(self, provider: Provider, capacity: Capacity, timeout_seconds: float) -> None:
        self.capacity = capacity
        self.timeout_seconds = timeout_seconds
        self.unfit: Blocked | Deferred | None = None
        # Cleared: a bug, for which nothing comes back any more, not even at the time-out.
        self.sane = asyncio.Event()
        self.sane.set()
        self._provider = provider

    async def ready(self) -> Blocked | Deferred | None:
        await self.sane.wait()
        return self.unfit

    async def send(self, batch: Batch) -> Verdicts:
        verdict: Verdict
        try:
            async with asyncio.timeout(self.timeout_seconds):
                verdict = await self._provider.call(batch)
        except TimeoutError:
            verdict = Unsure("timeout")
        await self.sane.wait()
        return (verdict,)

    async def close(self) -> None:
        pass


@dataclass
class Process:
    """One `vestnik run`: its lane, its wire to the broker, and the facts that it said."""

    lane: Lane
    source: MemorySource
    wire: Wire
    sink: ProviderSink
    facts: list[Fact] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    def start(self) -> "Process":
        self.task = asyncio.create_task(self.lane.run())
        return self

    async def kill(self) -> None:
        """SIGKILL: nothing more is written, sent or said; what left the machine is on its way."""
        self.source.kill()
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait({self.task})

    async def stop(self) -> None:
        """SIGTERM."""
        self.lane.stop()
        assert self.task is not None
        await self.task

    def said(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


class World:
    """`partitions` of one source topic, one lane, any number of processes."""

    def __init__(self, partitions: int = 2, **broker: float) -> None:
        self.broker = MemoryBroker(broker_now, write_seconds=0.004, **broker)
        self.broker.create(SOURCE, partitions)
        self.broker.create(JOURNAL)
        self.broker.create(LETTERS)
        self.broker.create(LISTED)
        self.broker.create(CONTROL)
        self.provider = Provider()
        self.processes = 0

    def process(
        self,
        *,
        quota: Quota | None = WINDOW,
        capacity: Capacity = THOUSAND,
        bounds: Bounds | None = None,
        timeout_seconds: float = 30.0,
        listed: bool = False,
        controlled: bool = False,
        **settings: Any,
    ) -> Process:
        self.processes += 1
        wire, facts = Wire(), list[Fact]()
        source = MemorySource(self.broker, GROUP, [SOURCE, *settings.pop("extra", [])], wire=wire, emit=facts.append)
        sink = ProviderSink(self.provider, capacity, timeout_seconds)
        parts = LaneParts(
            source=source,
            journal=MemoryJournal(self.broker, JOURNAL, wire=wire),
            dead_letters=MemoryDeadLetters(self.broker, LETTERS, wire=wire),
            sink=sink,
            planner=settings.pop("planner", None) or TablePlanner(),
            emit=facts.append,
            wall=broker_now,
            dice=lambda: 0.5,
            suppressions=SuppressionParts(self.table(wire), lambda: HASH_KEY) if listed else None,
            control=self.table(wire, CONTROL) if controlled else None,
        )
        settings.setdefault("start_at", "earliest")
        chosen = LaneSettings("push", f"member-{self.processes}", quota, bounds=bounds or Bounds(), **settings)
        return Process(Lane(chosen, parts), source, wire, sink, facts)

    def table(self, wire: Wire | None = None, topic: str = LISTED) -> MemoryTable:
        """The list of those who are not to be told, or another table."""
        return MemoryTable(self.broker, topic, wire=wire)

    def publish(self, **event: Any) -> Record:
        """One event; its customer is the key."""
        return self.publish_to(SOURCE, **event)

    def publish_to(self, topic: str, **event: Any) -> Record:
        """The same on another topic."""
        value = json.dumps(event, ensure_ascii=False).encode()
        return self.broker.publish(topic, value, key=str(event.get("to", "")).encode())

    def journal(self) -> list[AnyRecord]:
        return journal_of(self.broker)

    def landings(self, verdict: str) -> list[Landing]:
        return [r for r in self.journal() if isinstance(r, Landing) and r.verdict == verdict]

    def ends(self) -> Counter[str]:
        return ends_of(self.journal())

    @property
    def committed(self) -> int:
        """Sum of committed offsets over the partitions."""
        return sum(self.broker.group(GROUP).offsets.values())

    @property
    def published(self) -> int:
        return len(self.broker.records(SOURCE))

    async def settled(self, within_seconds: float = 3600.0) -> None:
        """Until every record is committed."""
        async with asyncio.timeout(within_seconds):
            while self.committed < self.published:  # noqa: ASYNC110 - virtual time: looking twice a second costs nothing
                await asyncio.sleep(0.5)


def journal_of(broker: MemoryBroker) -> list[AnyRecord]:
    return [JOURNAL_RECORD.validate_json(record.value or b"") for record in broker.records(JOURNAL)]


def ends_of(journal: Iterable[AnyRecord]) -> Counter[str]:
    """First outcome of each command in the journal, by name: what the log says, not what a process counted."""
    attempts: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for record in journal:
        match record:
            case Attempt():
                ids = [i for parcel in record.parcels for i in parcel.commands.ids]
                attempts.setdefault(record.id, []).extend(ids)
            case Landing():
                ids = attempts.get(record.attempt, [])
                for i, outcome in zip(ids, record.outcomes or [record.outcome] * len(ids), strict=True):
                    if outcome is not None:
                        first.setdefault(i, outcome)
            case Outcomes():
                for i in record.ids:
                    first.setdefault(i, record.outcome)
            case Claim() | Repeat() | Parked():
                pass
    return Counter(first.values())


async def seconds(count: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(count)


def people(count: int) -> Iterable[str]:
    return (f"u{number}" for number in range(count))
