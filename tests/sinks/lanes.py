"""Real lanes over a broker in memory, with real sinks and the fake providers on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.core.facts import Fact
from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef
from consumer.demo.fakes import Bitrix24Fake, write_tokens
from consumer.engine.lane import Lane
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.sinks.base import SinkConfig, limits_of, make_sink
from consumer.sinks.bitrix24 import Bitrix24Config
from consumer.sinks.token_topic import Place, TokenTopic, TopicPen, TopicStore
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource, MemoryTable, Wire
from tests.engine.harness import GROUP, JOURNAL, LETTERS, SOURCE, TablePlanner, broker_now
from tests.virtual_network import seconds

TOKENS = "vestnik.tokens"
TOPIC_KEY = "0123456789abcdef" * 2


def portal_config(fake: Bitrix24Fake, tokens: Path, **more: Any) -> Bitrix24Config:
    return Bitrix24Config.model_validate(
        {
            "type": "bitrix24",
            "portal": fake.url,
            "oauth_url": fake.oauth_url,
            "token_file": str(tokens),
            "client_id": "local.app",
            "client_secret": {"env": "S"},
            **more,
        }
    )


@dataclass
class Process:
    """One `vestnik run` of a lane, and what it said."""

    lane: Lane
    source: MemorySource
    facts: list[Fact] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    async def kill(self) -> None:
        """Nothing more is written, sent or said."""
        self.source.kill()
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait({self.task})

    async def stop(self) -> None:
        self.lane.stop()
        assert self.task is not None
        await self.task


class Shore:
    """A broker in memory and lanes that read from it; what is published waits for them."""

    def __init__(self, config: SinkConfig, credential: str = "client-secret") -> None:
        self.config = config
        self.credential = credential
        self.broker = MemoryBroker(broker_now, write_seconds=0.004)
        for name, count in ((SOURCE, 2), (JOURNAL, 1), (LETTERS, 1), (TOKENS, 1)):
            self.broker.create(name, count)
        self.processes: list[Process] = []

    def publish(self, **event: Any) -> None:
        value = json.dumps(event, ensure_ascii=False).encode()
        self.broker.publish(SOURCE, value, key=str(event["to"]).encode())

    def start(self, emit: Callable[[Fact], None] | None = None) -> Process:
        wire, facts = Wire(), list[Fact]()

        def told(fact: Fact) -> None:
            facts.append(fact)
            if emit is not None:
                emit(fact)

        source = MemorySource(self.broker, GROUP, [SOURCE], wire=wire, emit=told)
        parts = LaneParts(
            source=source,
            journal=MemoryJournal(self.broker, JOURNAL, wire=wire),
            dead_letters=MemoryDeadLetters(self.broker, LETTERS, wire=wire),
            sink=make_sink(self.config, self.read_secret, told, "staff", open_tokens=lambda: self.tokens(wire)),
            planner=TablePlanner(),
            emit=told,
            wall=broker_now,
            dice=lambda: 0.5,
        )
        limits = limits_of(self.config)
        member = f"member-{len(self.processes) + 1}"
        settings = LaneSettings("push", member, limits.quota, limits.in_flight, start_at="earliest")
        process = Process(Lane(settings, parts), source, facts)
        process.task = asyncio.create_task(process.lane.run())
        self.processes.append(process)
        return process

    def tokens(self, wire: Wire | None = None) -> MemoryTable:
        return MemoryTable(self.broker, TOKENS, wire=wire)

    def read_secret(self, ref: SecretRef) -> str | Trouble:
        return TOPIC_KEY if ref.env == "TOPIC_KEY" else self.credential

    async def settled(self, within_seconds: float = 3000.0) -> None:
        """Until every record is committed."""
        published = len(self.broker.records(SOURCE))
        async with asyncio.timeout(within_seconds):
            while sum(self.broker.group(GROUP).offsets.values()) < published:
                await seconds(0.5)


async def keep_in_topic(shore: Shore, fake: Bitrix24Fake) -> None:
    """From now on the lane's pair lies in the topic, as a login would have put it there, and in no file."""
    topic = TokenTopic(key=SecretRef(env="TOPIC_KEY"))
    pen = await TopicStore(Place("staff", topic, shore.tokens, shore.read_secret)).hold()
    assert isinstance(pen, TopicPen)
    assert await pen.write(fake.tokens())
    shore.config = shore.config.model_copy(update={"token_file": None, "token_topic": topic})


@asynccontextmanager
async def staff(folder: Path, fake: Bitrix24Fake, **more: Any) -> AsyncIterator[Shore]:
    """A shore whose lanes push to the fake portal; they stop at the end."""
    tokens = folder / "tokens.json"
    write_tokens(tokens, fake)
    shore = Shore(portal_config(fake, tokens, **more))
    try:
        yield shore
    finally:
        for process in shore.processes:
            if process.task is not None and not process.task.done():
                await process.stop()
