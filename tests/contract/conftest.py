"""The worlds in which the contract must hold."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from consumer.demo.broker import FETCH_WAIT_MS, SETTLE_MS, EmbeddedBroker
from consumer.streams.settings import KafkaSettings, Timing
from tests.contract.worlds import KafkaWorld, LinesWorld, MemoryWorld, World
from tests.kafka.ring import shared_bootstrap

REAL = pytest.param("kafka", marks=pytest.mark.kafka)
ALL = ["memory", "lines", "embedded", REAL]


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedBroker]:
    """One embedded broker a run."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=ALL)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A fresh lane's streams of each kind."""
    made = _made(request, tmp_path)
    await made.open()
    yield made
    await made.close()


def _made(request: pytest.FixtureRequest, folder: Path) -> World:
    match request.param:
        case "memory":
            return MemoryWorld()
        case "lines":
            return LinesWorld(folder)
        case "embedded":
            broker: EmbeddedBroker = request.getfixturevalue("embedded")
            timing = Timing(fetch_wait_ms=FETCH_WAIT_MS, settle_ms=SETTLE_MS)
            return KafkaWorld(KafkaSettings(broker.bootstrap, timing=timing), broker)
        case _:
            return KafkaWorld(KafkaSettings(shared_bootstrap()))
