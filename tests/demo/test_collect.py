"""Gathering evidence from a real broker's topics, with fakes and planners of the edge's own."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from random import Random

import pytest

from consumer.core.model import Message, Planned, Quota, Rejected, Trouble
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import ShopProfile
from consumer.core.routes import RouteSet, load_routes
from consumer.demo.broker import FETCH_WAIT_MS, EmbeddedBroker
from consumer.demo.collect import LaneTrace, Run, collect, tellings_of
from consumer.demo.fakes_base import Delivery
from consumer.demo.fakes_imshop import ImshopFake
from consumer.demo.publish import Account
from consumer.demo.report import examine
from consumer.demo.shop import Pace, Shop
from consumer.demo.world import DEAD_LETTERS, SOURCES, TOPICS
from consumer.streams.publisher import Publisher
from consumer.streams.reading import committed_offsets, read_whole
from consumer.streams.settings import KafkaSettings, Timing

pytest.importorskip("confluent_kafka")

BEGIN = datetime(2026, 9, 1, 7, tzinfo=UTC)


@pytest.fixture
def settings() -> Iterator[KafkaSettings]:
    with EmbeddedBroker(TOPICS) as broker:
        yield KafkaSettings(broker.bootstrap, timing=Timing(fetch_wait_ms=FETCH_WAIT_MS))


def catalogue() -> RouteSet:
    folder = resources.files("consumer.catalogue") / "routes"
    routes = load_routes(
        {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith("yaml")}
    )
    assert isinstance(routes, RouteSet)
    return routes


def trace() -> LaneTrace:
    profile = LaneProfile("app-push", {"ducky": ShopProfile("ducky", "ducky")})
    planner = Planner(profile, catalogue())
    return LaneTrace(
        "app-push", "vestnik.app-push", "vestnik.journal.app-push", Quota(10, 60.0), planner, ImshopFake("k")
    )


async def published(settings: KafkaSettings) -> Account:
    """A short day of the shop, without its pauses."""
    account = Account()
    async with Publisher(settings) as publisher:
        for publication in Shop(Random(3), BEGIN, Pace(seconds=6.0)).publications():
            landed = await publisher.publish(*publication[:4])
            assert not isinstance(landed, Trouble)
            account.note(landed, publication, 0.0)
    return account


async def test_a_broker_without_a_consumer_shows_everything_waiting_and_nothing_lost(settings: KafkaSettings) -> None:
    account = await published(settings)
    run = Run(account, started=0.0, sources=SOURCES, dead_letters=DEAD_LETTERS)
    evidence = await collect(settings, run, [trace()])
    assert not isinstance(evidence, Trouble)
    plans = evidence.lanes["app-push"].plans
    assert len(plans) == len(account.sent)
    assert {s.position for s in account.sent if s.poison} == {
        p for p, plan in plans.items() if isinstance(plan, Rejected)
    }
    report = examine(evidence).report
    assert (report.lost, report.dead_letters, report.outcomes) == (0, 0, {})
    commands = {c.id for plan in plans.values() if isinstance(plan, Planned) for c in plan.commands}
    assert report.planned == report.waiting == len(commands) > 0


async def test_topics_and_groups_that_are_not_there_are_troubles_with_names(settings: KafkaSettings) -> None:
    assert await read_whole(settings, ["missing"]) == Trouble("topic_missing", "missing")
    offsets = await committed_offsets(settings, "vestnik.nobody", SOURCES)
    assert not isinstance(offsets, Trouble)
    assert set(offsets.values()) == {None}


async def test_a_publisher_names_a_missing_topic_and_an_unreachable_broker(settings: KafkaSettings) -> None:
    async with Publisher(settings) as publisher:
        assert await publisher.publish("missing", None, b"x") == Trouble("topic_missing", "missing")
    async with Publisher(KafkaSettings("127.0.0.1:1")) as publisher:
        assert publisher.trouble == Trouble("broker_unreachable", "KafkaConnectionError")


def test_deliveries_of_one_request_are_one_telling_and_texts_stay_apart() -> None:
    fake = ImshopFake("k", clock=time.monotonic)
    paid, ready = Message("Оплачен", "Спасибо"), Message("Готов", "Ждём")
    fake.deliveries = [
        Delivery("1", paid, 5.0),
        Delivery("2", paid, 5.0),
        Delivery("1", ready, 5.0),
        Delivery("1", paid, 9.0),
    ]
    assert [(t.at, t.recipients, t.words) for t in tellings_of(fake)] == [
        (5.0, ("1", "2"), "Оплачен Спасибо"),
        (5.0, ("1",), "Готов Ждём"),
        (9.0, ("1",), "Оплачен Спасибо"),
    ]
