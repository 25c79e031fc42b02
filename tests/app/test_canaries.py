"""Secrets, phones and what providers echo go through a whole run, and stay out of everything that people can read."""

import asyncio
import io
import json
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from consumer.app.logs import Logs, configure
from consumer.app.metrics import Metrics
from consumer.app.setup import Setup
from consumer.app.show import settings_of
from consumer.app.state import State
from consumer.app.wiring import Streams, berths, expected, journal_topic, lane_sheets
from consumer.core.facts import DeadLettered, Fact
from consumer.demo.fakes import Bitrix24Fake, ImshopFake, write_tokens
from consumer.engine.run import Process
from consumer.streams.memory import MemoryBroker, MemoryDeadLetters, MemoryJournal, MemorySource, Wire
from schemas.dead_letter import DeadReason
from tests.app.support import local, setup_of
from tests.engine.harness import broker_now
from tests.virtual_network import fast

KEY, CLIENT_SECRET = "canary-imshop-k3y-77777777", "canary-client-s3cret-88888888"
PHONES = tuple(f"7916{number:07d}" for number in range(5_550_000, 5_550_040))
SOURCE, LETTERS = "shop.orders", "vestnik.dead-letters"

ROUTES = """\
- id: order-paid
  on: order.paid
  lane: app-push
  ttl: 3h
  wordings:
    - {title: "Order {{ order.id }} is paid", text: "Thank you"}
- id: staff-paid
  on: order.paid
  lane: staff
  to: event.order.responsible_user_ids
  ttl: 3h
  wordings:
    - {title: "New order", text: "Order {{ order.id }}"}
"""


@pytest.fixture
def log(logging_restored: None) -> io.StringIO:
    """Every line of every logger, down to debug."""
    stream = io.StringIO()
    configure("json", "debug", stream, time.monotonic)
    return stream


def configured(folder: Path, imshop: ImshopFake, portal: Bitrix24Fake) -> Setup:
    """Both lanes, with their secrets in the environment."""
    config = local(imshop.url, quota={"requests": 50, "per": "5s"}, identities=["phone"])
    bitrix24 = {
        "type": "bitrix24",
        "portal": portal.url,
        "oauth_url": portal.oauth_url,
        "token_file": "tokens.json",
        "client_id": "local.app",
        "client_secret": {"env": "B24_SECRET"},
        "timeout": "5s",
    }
    config["lanes"]["staff"] = {"provider": bitrix24, "mode": "live", "start_at": "earliest"}
    return setup_of(folder, yaml.safe_dump(config), ROUTES, {"IMSHOP_KEY": KEY, "B24_SECRET": CLIENT_SECRET})


def event(number: int) -> bytes:
    """One paid order; its customer is known by the phone alone."""
    return json.dumps(
        {
            "event_id": f"e-{number}", "type": "order.paid", "version": 1, "source": "oms", "shop": "ducky",
"occurred_at": datetime.fromtimestamp(broker_now(), UTC).isoformat(),
            "customer": {"phone": PHONES[number % len(PHONES)], "consents": {"push": True}},
            "order": {"id": f"{number:05d}", "status": "paid", "revision": 1, "responsible_user_ids": [17 + number]},
        }
    ).encode()  # fmt: skip


class Run:
    """Both lanes over a broker in memory, with everything that people read attached."""

    def __init__(self, setup: Setup) -> None:
        self.broker = MemoryBroker(broker_now, write_seconds=0.004)
        for name in (SOURCE, LETTERS, journal_topic("app-push"), journal_topic("staff")):
            self.broker.create(name)
        self.setup = setup
        self.facts: list[Fact] = []
        self.metrics = Metrics(expected(setup, "1"))
        self.state = State(lane_sheets(setup), time.monotonic, time.time)
        self.logs = Logs(time.monotonic)
        self.process = Process(berths(setup, self._opened, self.see, "member-1"))

    def see(self, fact: Fact) -> None:
        self.facts.append(fact)
        for observer in (self.metrics, self.state, self.logs):
            observer.see(fact)

    def _opened(self, lane: str) -> Streams:
        wire = Wire()
        return Streams(
            MemorySource(self.broker, f"vestnik.{lane}", [SOURCE], wire=wire, emit=self.see),
            MemoryJournal(self.broker, journal_topic(lane), wire=wire),
            MemoryDeadLetters(self.broker, LETTERS, wire=wire),
        )

    def count(self, kind: type[Fact]) -> int:
        return sum(isinstance(fact, kind) for fact in self.facts)

    async def feed(self, condition: Callable[[], bool]) -> None:
        """An order every two seconds until the condition holds: what is told twice in doubt ends, and others follow."""
        async with asyncio.timeout(3000):
            while not condition():
                number = len(self.broker.records(SOURCE))
                self.broker.publish(SOURCE, event(number), key=b"k")
                await asyncio.sleep(2.0)

    def seen_by_people(self) -> dict[str, str]:
        """Everything but the bodies of the journal and of the dead letters, whose retention is their deletion."""
        headers = [header for record in self.broker.records(LETTERS) for header in record.headers]
        return {
            "metrics": self.metrics.render().decode(),
            "state": json.dumps(self.state.report(), default=str, ensure_ascii=False),
            "headers": repr([header for header in headers if header[0].startswith("vestnik-")]),
            "config show": repr(settings_of(self.setup)) + repr(self.setup.accounts) + repr(self.setup.config),
            "process": repr(self.process) + repr([vars(lane) for lane in self.process.lanes.values()]),
        }


def fall(run: Run) -> None:
    """A bug that shows whatever is at hand."""
    raise RuntimeError(f"a bug near {run.setup.accounts} {run.process.lanes} {run.facts[-1]}")


def echo(*words: str) -> str:
    return json.dumps({"error": "Bad Request", "message": "you sent " + " ".join(words)})


@fast(50)
async def run_of_trouble(folder: Path, log: io.StringIO) -> None:
    """Every way in which a provider can echo what it was given, one after another, and then it works."""
    now = asyncio.get_running_loop().time
    async with (
        ImshopFake(KEY, None, clock=now) as imshop,
        Bitrix24Fake(client=("local.app", CLIENT_SECRET), clock=now) as portal,
    ):
        write_tokens(folder / "tokens.json", portal)
        portal.oauth.expire()
        tokens = (portal.oauth.refresh_token, *portal.oauth.access)
        said = echo(KEY, CLIENT_SECRET, *tokens, *PHONES)
        for fake, path in ((imshop, "/push"), (portal, "/rest")):
            fake.fail("status", 1, path=path, status=500, body=said)
            fake.fail("status", 1, path=path, status=401, body=said)
            fake.fail("status", 2, path=path, status=400, body=said)
            fake.fail("reset_after", 1, path=path)
            fake.fail("html", 1, path=path, body=said)
            fake.fail("limit", 1, path=path)
        portal.fail("status", 1, path="/oauth", status=500, body=said)
        run = Run(configured(folder, imshop, portal))
        running = asyncio.create_task(run.process.run())
        await run.feed(lambda: not imshop.faults and not portal.faults)
        told = len(imshop.deliveries), len(portal.deliveries)
        await run.feed(lambda: len(imshop.deliveries) > told[0] and len(portal.deliveries) > told[1])
        try:
            fall(run)
        except RuntimeError:
            logging.getLogger("vestnik").exception("a bug")
            log.write(traceback.format_exc())
        texts = {**run.seen_by_people(), "log": log.getvalue()}
        hidden = [KEY, CLIENT_SECRET, *PHONES, *tokens, *portal.oauth.access, portal.oauth.refresh_token]
        run.process.stop()
        await running
        assert run.count(DeadLettered) >= 1
        assert DeadReason.REFUSED.value in texts["headers"]
        assert texts["log"].count("\n") > 50
        assert {(where, word) for where, text in texts.items() for word in hidden if word in text} == set()


def test_no_secret_phone_token_or_echo_is_in_anything_that_people_read(tmp_path: Path, log: io.StringIO) -> None:
    run_of_trouble(tmp_path, log)
