"""A small shop with gateways of its own on a real Kafka: lanes as a test wants them, events, a consumer process, and
the command line."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import yaml
from aiohttp import web
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import wanted_topics
from consumer.core.model import Position
from consumer.demo.fakes_base import Arrival, read_body
from consumer.demo.fakes_webhook import WebhookFake
from consumer.streams import topics
from consumer.streams.settings import KafkaSettings
from tests.kafka.processes import Consumer, end

SHOP = "ducky"
ANSWERS = [
    {"when": "status == `200` && body.ok == `true`", "verdict": "delivered"},
    {"when": "status == `422`", "verdict": "refused", "detail": "body.error"},
]


class Gateway(WebhookFake):
    """Refuses a request in which one of `refused` is named."""

    def __init__(self) -> None:
        super().__init__(None)
        self.refused: set[str] = set()

    def execute(self, request: web.Request, body: bytes, arrival: Arrival) -> web.Response:
        if self.refused.intersection(map(str, read_body(body).get("to", ()))):
            return web.json_response({"ok": False, "error": "no such subscriber"}, status=422)
        return super().execute(request, body, arrival)


def lane(gateway: Gateway, people: int = 500, **more: Any) -> dict[str, Any]:
    """A lane of a gateway that takes so many people a request, and a thousand requests a second."""
    provider = {
        "type": "webhook",
        "url": gateway.url,
        "allow_http": True,
        "timeout": "3s",
        "body": {"to": "{{ recipients }}", "title": "{{ title }}", "text": "{{ text }}"},
        "recipients_per_request": people,
        "answers": ANSWERS,
    }
    usual = {"mode": "live", "start_at": "earliest", "backfill": True, "lost_for": "1s", "in_flight": 16}
    return {"provider": provider, "quota": {"requests": 1000, "per": "1s"}, **usual, **more}


class Stall:
    """Its topics and lanes have names of their own: `stall.lane("fast")` is the lane that the test calls fast."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.mark = uuid4().hex[:6]
        self.config = folder / "vestnik.yaml"
        self.settings = KafkaSettings(bootstrap)
        self.orders, self.letters = f"orders-{self.mark}", f"letters-{self.mark}"
        self.document: dict[str, Any] = {
            "kafka": {"bootstrap": bootstrap, "session_timeout": "6s"},
            "topics": {"sources": [self.orders], "dead_letters": self.letters},
            "shops": {SHOP: {"slug": SHOP}},
            "lanes": {},
            "routes": str(folder / "routes.yaml"),
            "admin": {"port": 0},
        }
        self.routes: list[dict[str, Any]] = []
        self.consumers: list[Consumer] = []
        self._folder = folder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.consumers, tell=error is not None)

    def lane(self, name: str) -> str:
        return f"{name}-{self.mark}"

    def open(self, lanes: Mapping[str, Mapping[str, Any]], routes: Iterable[Mapping[str, Any]]) -> Setup:
        """Write the configuration anew; routes name their lane as the test calls it."""
        self.document["lanes"] = {self.lane(name): dict(each) for name, each in lanes.items()}
        self.routes = [{**route, "lane": self.lane(route["lane"])} for route in routes]
        (self._folder / "routes.yaml").write_text(yaml.safe_dump(self.routes, allow_unicode=True), "utf-8")
        self.config.write_text(yaml.safe_dump(self.document, allow_unicode=True), "utf-8")
        setup = load_setup(self.config, {})
        assert isinstance(setup, Setup), [str(problem) for problem in setup]
        return setup

    async def make_topics(self, setup: Setup, partitions: int = 3) -> None:
        """Those of the lanes, and the shop's own, which takes records of two megabytes."""
        large = {"max.message.bytes": "2000000"}
        assert await topics.create(self.settings, wanted_topics(setup, 1)) == []
        assert await topics.create(self.settings, [topics.TopicSpec(self.orders, partitions, 1, large)]) == []

    def consumer(self) -> Consumer:
        log = self._folder / f"consumer-{len(self.consumers)}.log"
        self.consumers.append(Consumer(self.config, log).start())
        return self.consumers[-1]

    async def working(self, consumer: Consumer) -> bool:
        lanes = [await consumer.lane(name) for name in self.document["lanes"]]
        return all(each.get("state") == "working" for each in lanes)

    async def publish(self, events: Iterable[bytes | dict[str, Any]]) -> list[Position]:
        """Events by their customer's id; bytes as they are. Many are under way at a time."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap, enable_idempotence=True, max_request_size=4_000_000
        )
        async with asyncio.timeout(60):
            await producer.start()
            try:
                sent = []
                for event in events:
                    key = b"broken" if isinstance(event, bytes) else str(event["customer"]["id"]).encode()
                    value = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
                    sent.append(await producer.send(self.orders, value, key))
                landed = await asyncio.gather(*sent)
            finally:
                await producer.stop()
        return [Position(each.topic, each.partition, each.offset) for each in landed]

    async def vestnik(self, *words: str, code: int | None = 0) -> str:
        """A command of the command line, and what it printed."""
        runner = CliRunner(env={"COLUMNS": "100"})
        done = await asyncio.to_thread(runner.invoke, app, [*words, "--config", str(self.config)])
        assert code is None or done.exit_code == code, (done.exit_code, done.output, done.exception)
        return done.output

    async def vestnik_json(self, *words: str, code: int | None = 0) -> Any:
        return json.loads(await self.vestnik(*words, "--output", "json", code=code))


def event(number: str, kind: str = "order.paid", ago_seconds: float = 0.0, **changes: Any) -> dict[str, Any]:
    """An order's event; its customer is the number too."""
    happened = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    made: dict[str, Any] = {
        "event_id": f"e-{number}",
        "type": kind,
        "version": 1,
        "occurred_at": happened.isoformat(timespec="milliseconds"),
        "source": "oms",
        "shop": SHOP,
        "customer": {"id": f"c-{number}", "timezone": "UTC", "consents": {"push": True, "marketing": True}},
        "order": {"id": f"o-{number}", "public_id": f"M-{number}", "total": "10.00", "items_count": 3},
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        part = made
        for step in path:
            part = part[step]
        part[last] = value
    return made
