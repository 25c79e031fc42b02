"""Faults made on purpose: a real Prometheus scrapes a real process, and the right alert fires, and no other."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random

import pytest

from consumer.demo.broker import EmbeddedBroker
from consumer.demo.events import ORDERS
from consumer.demo.fakes_imshop import ImshopFake, ImshopProfile
from consumer.demo.shop import Pace, Publication, Shop
from consumer.demo.world import APP_PUSH, TOPICS
from tests.deploy.live import Prometheus, prometheus
from tests.kafka.processes import Consumer, Town, eventually, town

pytestmark = [pytest.mark.deploy, pytest.mark.long]

FAST = 20.0
# What takes minutes at night takes seconds here; what is counted over 15 minutes is counted over 90 seconds.
SHORTER = {"15m": "90s", "10m": "10s", "5m": "4s", "2m": "3s", "1h": "10s", "4h": "10s"}
FIRES_SECONDS = 90.0
CALM_SECONDS = 20.0


async def test_the_right_alert_fires_for_each_fault_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with EmbeddedBroker(TOPICS) as broker:
        async with town(tmp_path, broker.bootstrap, fast=FAST, with_topics=False) as place:
            consumer = started(place)
            async with prometheus(folder, [f"127.0.0.1:{consumer.port}"], SHORTER) as server:
                selling = asyncio.create_task(place.publish(sound(600.0)))
                await calm(server)
                await the_provider_is_down(place, server)
                await it_says_too_much(place, server)
                await poison_comes(place, server)
                place.closed.set()
                await selling
                assert await consumer.stop() == 0
                await fires(server, "VestnikTargetAbsent", {*BEFORE, "VestnikTargetAbsent"})


# Counted over the whole shortened quarter of an hour: these go on for a while after their fault is over.
LIMIT, DEAD = {"VestnikLimitAnswers"}, {"VestnikDeadLetters"}
BEFORE = LIMIT | DEAD | {"VestnikLaneBlocked"}


async def the_provider_is_down(place: Town, server: Prometheus) -> None:
    place.world.fakes[APP_PUSH].fail("reset_before")
    await fires(server, "VestnikProviderFailing", {"VestnikProviderFailing"})
    place.world.fakes[APP_PUSH].heal()
    await silent(server, "VestnikProviderFailing", set())


async def it_says_too_much(place: Town, server: Prometheus) -> None:
    fake = place.world.fakes[APP_PUSH]
    assert isinstance(fake, ImshopFake)
    # Nobody knows how long IMSHOP asks to wait; without its word a lane waits for a minute.
    fake.profile = ImshopProfile(retry_after_seconds=1)
    fake.fail("limit", 8)
    await fires(server, "VestnikLimitAnswers", LIMIT)


async def poison_comes(place: Town, server: Prometheus) -> None:
    """First one in three, which stops nobody; then nothing else, which stops the lanes that read it."""
    await place.publish(mixed(poison=30, sound=90))
    await fires(server, "VestnikDeadLetters", LIMIT | DEAD)
    await place.publish(mixed(poison=120, sound=0))
    await fires(server, "VestnikLaneBlocked", BEFORE)
    blocked = await server.ask('ALERTS{alertname="VestnikLaneBlocked",alertstate="firing"}')
    assert {each["metric"]["reason"] for each in blocked} == {"poison_flood"}


def started(place: Town) -> Consumer:
    consumer = Consumer(place.world.config, place.world.folder / "consumer.log")
    consumer.command = [sys.executable, "-m", "tests.deploy.member", str(place.world.config)]
    place.consumers.append(consumer.start())
    return consumer


# --- what the shop says -----------------------------------------------------------------------------------------------


def sound(seconds: float) -> Iterator[Publication]:
    """A quiet shop whose records are all in order."""
    records = Shop(Random(7), datetime.now(UTC), Pace(seconds, 4.0, burst=5)).publications()
    return (record for record in records if not record.poison)


def mixed(poison: int, sound: int) -> Iterable[Publication]:
    """So many of each, spread evenly."""
    shop = [each for each in Shop(Random(8), datetime.now(UTC), Pace(600.0, 4.0)).publications() if not each.poison]
    good = [each for each in shop if each.topic == ORDERS][: max(sound, 30)]
    document = good[0].value
    spoils = cycle((b"<xml/>", document[:-7], b"{}"))
    bad = [each._replace(value=next(spoils), poison="bad") for each in islice(cycle(good), poison)]
    every = sound // poison
    for index, each in enumerate(bad):
        yield each._replace(delay_seconds=0.0)
        for one in good[index * every : (index + 1) * every]:
            yield one._replace(delay_seconds=0.0)


# --- what Prometheus says ---------------------------------------------------------------------------------------------


async def firing(server: Prometheus) -> set[str]:
    return {each["metric"]["alertname"] for each in await server.ask('ALERTS{alertstate="firing"}')}


async def calm(server: Prometheus) -> None:
    """Messages go out, and nobody is woken."""
    assert await server.until("sum(vestnik_pushes_total) > 20", FIRES_SECONDS)
    await asyncio.sleep(CALM_SECONDS)
    assert await firing(server) == set()


async def fires(server: Prometheus, alert: str, may: set[str]) -> None:
    """It fires within the time, and up to then no other than those that may."""

    async def there() -> bool:
        now = await firing(server)
        assert now <= may, now
        return alert in now

    await eventually(f"{alert} fires", there, FIRES_SECONDS)


async def silent(server: Prometheus, alert: str, may: set[str]) -> None:
    """It falls silent within the time."""

    async def over() -> bool:
        now = await firing(server)
        assert now - {alert} <= may, now
        return alert not in now

    await eventually(f"{alert} is silent", over, FIRES_SECONDS)
