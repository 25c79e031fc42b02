"""A provider with moods, and the one true record of what people were told."""

import asyncio
import math
import random
from dataclasses import dataclass, field

from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Refused,
    Unsure,
    Verdict,
    Verdicts,
)
from tests.world.lives import Life, Outside

HANGS: Verdicts = (Unsure("hang"),)


@dataclass
class Mood:
    """Chances of one request; what is left is an ordinary answer. A late request's bytes arrive after its timeout."""

    latency_seconds: float = 0.08
    spread: float = 0.5
    no_connection: float = 0.0
    bad_gateway: float = 0.0
    reset: float = 0.0
    hang: float = 0.0
    limit: float = 0.0
    nonsense: float = 0.0
    late: float = 0.0
    blocked: bool = False
    unfit: Blocked | Deferred | None = None


@dataclass
class Request:
    """One request: when it left its process, when it arrived, whom it told, and when its answer came, whoever was
    there to hear it."""

    life: Life
    batch: Batch
    sent_at: float
    arrived_at: float | None = None
    accepted: frozenset[bytes] = frozenset()
    refused: frozenset[bytes] = frozenset()
    by_name: bool = False
    answer: str = ""
    answered_at: float | None = None
    first_accepts: list[Command] = field(default_factory=list)
    verdicts: Verdicts = ()


class Provider:
    def __init__(self, outside: Outside, dice: random.Random, timeout_seconds: float, lost_for_seconds: float) -> None:
        self.mood = Mood()
        self.requests: list[Request] = []
        self.bad_recipients: frozenset[str] = frozenset()
        self.each = False
        # Knows requests by their keys: what was executed is not executed again, but answered as it was.
        self.idempotent = False
        self.changed: list[str] = []
        self._contents: dict[str, object] = {}
        self._kept: dict[str, Request] = {}
        self.timeout_seconds = timeout_seconds
        self._lost_for_seconds = lost_for_seconds
        self._outside = outside
        self._dice = dice
        self._told: set[bytes] = set()

    def call(self, life: Life, batch: Batch) -> "asyncio.Task[Verdicts]":
        """The request has left; the task ends with its answer."""
        return self._outside.spawn(self._handle(Request(life, batch, asyncio.get_running_loop().time())))

    async def _handle(self, request: Request) -> Verdicts:
        if self._chance(self.mood.no_connection):
            await asyncio.sleep(min(self._way(), 0.2 * self.timeout_seconds))
            request.answer = "no_connection"
            return (Deferred("connect", left=False),)
        self.requests.append(request)
        self._compare(request.batch)
        late = self._chance(self.mood.late)
        await asyncio.sleep(self._late() if late else self._way())
        request.arrived_at = asyncio.get_running_loop().time()
        verdicts = self._judge(request)
        request.answer = type(verdicts[0]).__name__.lower() if len(set(map(type, verdicts))) == 1 else "mixed"
        if verdicts == HANGS:
            await asyncio.sleep(10 * self.timeout_seconds)
        await asyncio.sleep(self._way())
        request.answered_at = asyncio.get_running_loop().time()
        return verdicts

    def _compare(self, batch: Batch) -> None:
        """The same key is the same request."""
        content = tuple((parcel.message, tuple(each.id for each in parcel.commands)) for parcel in batch.parcels)
        if self._contents.setdefault(batch.id, content) != content:
            self.changed.append(batch.id)

    def _late(self) -> float:
        """After the timeout, and before the moment from which its quota place is free."""
        return self.timeout_seconds + self._dice.uniform(0.0, 0.9) * self._lost_for_seconds

    def _way(self) -> float:
        """One way, in seconds; the quota reckons with no longer one than a timeout and `lost_for`."""
        longest = self.timeout_seconds + 0.9 * self._lost_for_seconds
        return min(self._dice.lognormvariate(math.log(self.mood.latency_seconds), self.mood.spread), longest)

    def _chance(self, probability: float) -> bool:
        return self._dice.random() < probability

    def _judge(self, request: Request) -> Verdicts:
        if self.mood.blocked:
            return (Blocked("wrong_key"),)
        executed = self._kept.get(request.batch.id)
        if executed is not None and not self._chance(self.mood.reset):
            request.by_name, request.refused = executed.by_name, executed.refused
            return executed.verdicts
        if self._chance(self.mood.limit):
            return (Deferred("limit", self._dice.choice([None, 1.0, 7.0, 20.0]), limit=True),)
        if self._chance(self.mood.nonsense):
            request.refused = frozenset(command.id for command in request.batch.commands)
            return (Refused("success_false"),)
        return self._lost(request) or self._answer(request)

    def _lost(self, request: Request) -> Verdicts | None:
        """Answers that nobody can make sense of, and none at all."""
        mood = self.mood
        if self._chance(mood.bad_gateway):
            return self._maybe(request, Unsure("bad_gateway", answered=True))
        if self._chance(mood.reset):
            return self._maybe(request, Unsure("reset"))
        if self._chance(mood.hang):
            return self._maybe(request, HANGS[0])
        return None

    def _maybe(self, request: Request, verdict: Verdict) -> Verdicts:
        """It happened, or it did not: nobody there can tell."""
        if self._chance(0.5):
            self._accept(request, request.batch.commands)
            self._keep(request, (Delivered(),))
        return (verdict,)

    def _keep(self, request: Request, verdicts: Verdicts) -> Verdicts:
        request.verdicts = verdicts
        if self.idempotent:
            self._kept.setdefault(request.batch.id, request)
        return verdicts

    def _answer(self, request: Request) -> Verdicts:
        commands = request.batch.commands
        bad = [command for command in commands if command.recipient in self.bad_recipients]
        request.refused = frozenset(command.id for command in bad)
        if not bad:
            self._accept(request, commands)
            return self._keep(request, (Delivered(),))
        if not self.each:
            request.refused = frozenset(command.id for command in commands)
            return (Refused("bad_recipient"),)
        request.by_name = True
        self._accept(request, [command for command in commands if command not in bad])
        told = tuple(Refused("bad_recipient") if command in bad else Delivered() for command in commands)
        return self._keep(request, told)

    def _accept(self, request: Request, commands: "tuple[Command, ...] | list[Command]") -> None:
        if request.batch.id in self._kept:
            return
        request.accepted = frozenset(command.id for command in commands)
        request.first_accepts = [command for command in commands if command.id not in self._told]
        self._told |= request.accepted


class LifeSink:
    """One process's way to the provider."""

    provider = "moody"

    def __init__(self, life: Life, provider: Provider, capacity: Capacity) -> None:
        self.idempotent = provider.idempotent
        self.capacity = capacity
        self.timeout_seconds = provider.timeout_seconds
        self._life = life
        self._provider = provider

    async def ready(self) -> Blocked | Deferred | None:
        return await self._life.through("sink.ready", self._ready)

    async def _ready(self) -> Blocked | Deferred | None:
        return self._provider.mood.unfit

    async def send(self, batch: Batch) -> Verdicts:
        return await self._life.through("sink.send", lambda: self._send(batch))

    async def _send(self, batch: Batch) -> Verdicts:
        answer = self._provider.call(self._life, batch)
        done, _ = await asyncio.wait({answer}, timeout=self.timeout_seconds)
        if not done:
            return (Unsure("timeout"),)
        return answer.result()

    async def close(self) -> None:
        """Nothing to close."""
