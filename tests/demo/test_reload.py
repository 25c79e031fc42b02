"""A process on the embedded broker that is told of new routes by SIGHUP, while events come and pushes leave."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.broker import EmbeddedBroker
from consumer.demo.fakes import OnesignalFake
from tests.core.planning import order
from tests.demo.mass import ENVIRON, TOPICS, write_config

pytest.importorskip("confluent_kafka")

ROOT = Path(__file__).resolve().parents[2]
ROUTE = """
- {{id: {id}, on: order.paid, lane: mass, to: {to}, ttl: 1h, ladder: off, wordings: [{{title: a, text: {text}}}]}}
"""
DEADLINE_SECONDS = 60.0
VERSIONS = 6


def write_routes(folder: Path, version: int) -> None:
    (folder / "routes").mkdir(exist_ok=True)
    for name, to in (("first", "event.customer.id"), ("second", "event.order.id")):
        text = ROUTE.format(id=name, to=to, text=f"v{version}")
        (folder / "routes" / f"{name}.yaml").write_text(text, "utf-8")


def paid(number: int) -> bytes:
    event = order(type="order.paid", event_id=f"e-{number}", order__id=f"o-{number}")
    event["customer"]["id"] = f"c-{number}"
    event["occurred_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps(event).encode()


class Member:
    """The process and its log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, *events: str) -> dict[str, Any]:
        """The next line of the log about one of these."""
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line: dict[str, Any] = json.loads(raw)
            if line["event"] in events:
                return line
        raise AssertionError("the process has ended")

    async def reload(self) -> str:
        self.process.send_signal(signal.SIGHUP)
        return str((await self.line("routes_loaded", "routes_refused", "routes_unchanged"))["event"])


@asynccontextmanager
async def member(folder: Path) -> AsyncIterator[Member]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.deploy.member", str(folder / "vestnik.yaml")),
        env=os.environ | ENVIRON,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Member(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_process_takes_sound_routes_at_sighup_and_refuses_others(tmp_path: Path) -> None:
    published = 0
    with EmbeddedBroker(TOPICS) as broker:
        async with OnesignalFake("k", None) as fake, asyncio.timeout(DEADLINE_SECONDS):
            write_routes(tmp_path, 0)
            write_config(tmp_path, broker.bootstrap, fake.url)
            outcomes = []
            async with member(tmp_path) as process:
                while (await process.line("lane_moved"))["state"] != "working":
                    pass
                for version in range(1, VERSIONS + 1):
                    for _ in range(4):
                        broker.publish("shop.orders", paid(published), key=b"%d" % published)
                        published += 1
                    write_routes(tmp_path, version)
                    if version == VERSIONS // 2:
                        (tmp_path / "routes" / "second.yaml").write_text("- {id: second", "utf-8")
                    outcomes.append(await process.reload())
                while len(fake.deliveries) < 2 * published:
                    await process.line("pushed", "offsets_committed")
                process.process.send_signal(signal.SIGTERM)
                assert (await process.line("ended"))["exit_code"] == 0
    assert outcomes == ["routes_refused" if n == VERSIONS // 2 else "routes_loaded" for n in range(1, VERSIONS + 1)]
    texts = {seen.recipient: seen.message.text for seen in fake.deliveries}
    assert len(texts) == len(fake.deliveries) == 2 * published
    assert all(texts[f"c-{number}"] == texts[f"o-{number}"] for number in range(published))
    assert f"v{VERSIONS // 2}" not in texts.values()
