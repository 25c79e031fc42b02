"""A message by hand travels the whole way: broker, lane, gate, provider; and a lost answer tells nobody twice."""

import asyncio
from pathlib import Path

import pytest

from consumer.app.send import send
from consumer.app.service import Options, Service
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import kafka_streams
from consumer.core.facts import CommandEnded, Fact
from consumer.core.model import Message, Outcome
from consumer.core.sending import Sending
from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS, EmbeddedBroker
from consumer.demo.fakes import OnesignalFake
from consumer.streams.settings import Timing
from tests.demo.mass import ENVIRON, TOPICS, write_config

pytest.importorskip("confluent_kafka")

ROUTES = """
- {id: order-paid, on: order.paid, lane: mass, ttl: 1h, wordings: [{title: Оплачено, text: Спасибо}]}
"""
DEADLINE_SECONDS = 60.0


def configured(folder: Path, bootstrap: str, url: str) -> Setup:
    (folder / "routes").mkdir()
    (folder / "routes" / "orders.yaml").write_text(ROUTES, "utf-8")
    setup = load_setup(write_config(folder, bootstrap, url, backfill=True), ENVIRON)
    assert isinstance(setup, Setup), setup
    return setup


async def test_a_message_by_hand_is_told_once_though_its_answer_was_lost(tmp_path: Path) -> None:
    ended: asyncio.Queue[CommandEnded] = asyncio.Queue()

    def hear(fact: Fact) -> None:
        if isinstance(fact, CommandEnded):
            ended.put_nowait(fact)

    with EmbeddedBroker((*TOPICS, "vestnik.backfill.mass")) as broker:
        async with OnesignalFake("k", None) as fake, asyncio.timeout(DEADLINE_SECONDS):
            setup = configured(tmp_path, broker.bootstrap, fake.url)
            timing = Timing(fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS)
            service = Service(setup, Options(lambda setup, emit: kafka_streams(setup, emit, timing), (hear,)))
            running = asyncio.ensure_future(service.run())
            fake.fail("reset_after", 1)
            message = Sending(id="0123456789abcdef", recipient="42", title="Проверка", text="Видно?", link="ducky://x")
            assert await send(setup, "mass", message) is None
            fact = await ended.get()
            service.stop()
            assert await running == 0
    assert (fact.route, fact.outcome) == ("send", Outcome.DELIVERED)
    assert [(seen.recipient, seen.message) for seen in fake.deliveries] == [
        ("42", Message("Проверка", "Видно?", "ducky://x"))
    ]
    assert (len(fake.requests), fake.repeated) == (2, 1)
