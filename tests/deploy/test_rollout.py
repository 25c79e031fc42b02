"""A rolling restart of three replicas under traffic: people notice nothing, and nobody is woken."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from consumer.app.setup import Setup, load_setup
from consumer.core.model import Planned
from consumer.core.units import parse_seconds, spell_seconds
from consumer.demo.evidence import Evidence, attempts_of, outcomes_of
from consumer.demo.report import _shown
from consumer.demo.shop import Pace, Publication, Shop
from tests.deploy.live import Prometheus, prometheus
from tests.kafka.processes import Consumer, Town, eventually, town
from tests.kafka.server import KafkaServer
from tests.rings import RINGS

# Of this ring alone, so that it runs once; the other one's broker is needed all the same.
_MISSING = RINGS["kafka"]()
pytestmark = [
    pytest.mark.deploy,
    pytest.mark.long,
    pytest.mark.skipif(_MISSING is not None, reason=f"ring kafka: {_MISSING}"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# Everything is ten times as fast as in life: the quotas, what routes promise, and how patient alerts are. Only the
# processes and the group take as long as ever, so that a restart hurts ten times as much.
FAST = 10
SPANS = {"1h": "6m", "5m": "30s", "6h": "36m", "30m": "3m", "2h": "12m", "10m": "60s", "15m": "90s", "2m": "12s"}
LEVELS = {"> 600": "> 60"}
QUIET_SECONDS = 60.0
# As long as minReadySeconds of the Deployment, in this time.
READY_SECONDS = 1.5
# A machine that tests has other things to do as well.
START_SECONDS = 240.0
# What may wait for two hours in life waits for twelve minutes here.
END_SECONDS = 720.0
COUNTED = {"delivered", "expired", "unknown"}
POINT = 0.01


async def test_a_rolling_restart_harms_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with KafkaServer() as server:
        async with town(tmp_path, server.bootstrap, fast=FAST) as place:
            hurried(place)
            replicas = [place.consumer() for _ in range(3)]
            targets = [f"127.0.0.1:{replica.port}" for replica in replicas]
            await eventually("the lanes work", lambda: working(replicas), START_SECONDS)
            async with prometheus(folder, targets, SPANS | LEVELS) as watching, shop_open(place):
                quiet = time.monotonic()
                await asyncio.sleep(QUIET_SECONDS)
                restart = time.monotonic()
                for replica in replicas:
                    await restarted(replica)
                await asyncio.sleep(QUIET_SECONDS / 2)
                closed = time.monotonic()
                place.closed.set()
                await eventually("everything ended", lambda: over(place, replicas), END_SECONDS)
                assert await ever_fired(watching) == set()
            found = await place.findings()
            assert found.faults == ()
            assert (found.report.lost, found.report.waiting, found.report.duplicates) == (0, 0, 0)
            evidence = await place.evidence()
            before, during = in_time(evidence, quiet, restart), in_time(evidence, restart, closed)
            print(f"in time {before:.4f} before, {during:.4f} during; {found.report.delivery_seconds}")  # noqa: T201
            assert during >= before - POINT


def hurried(place: Town) -> None:
    """What routes promise, in the town's time."""
    for path in (place.world.folder / "routes").glob("*.yaml"):
        text = re.sub(r"(deliver_within: )(\S+)", lambda found: found[1] + _hurried(found[2]), path.read_text("utf-8"))
        path.write_text(text, "utf-8")
    setup = load_setup(place.world.config, {})
    assert isinstance(setup, Setup), setup
    place.setup = setup


def _hurried(span: str) -> str:
    return spell_seconds(parse_seconds(span) / FAST)


@asynccontextmanager
async def shop_open(place: Town) -> AsyncIterator[None]:
    selling = asyncio.create_task(place.publish(sound()))
    yield
    place.closed.set()
    await selling


def sound() -> Iterator[Publication]:
    """A shop whose records are all in order, for as long as it is open."""
    shop = Shop(Random(5), datetime.now(UTC), Pace(1800.0, 3.0, burst=20))
    return (record for record in shop.publications() if not record.poison)


async def restarted(replica: Consumer) -> None:
    """Stopped as Kubernetes does, started anew, and given time to be ready."""
    assert await replica.stop() == 0
    replica.start()

    async def ready() -> bool:
        return "ok" in await replica.get("/readyz")

    await eventually("it is ready", ready, START_SECONDS)
    await asyncio.sleep(READY_SECONDS)


async def working(replicas: list[Consumer]) -> bool:
    """Each lane works somewhere."""
    states = {name: [(await each.lane(name)).get("state") for each in replicas] for name in ("app-push", "staff")}
    return all("working" in told for told in states.values())


async def over(place: Town, replicas: list[Consumer]) -> bool:
    idle = True
    for name in place.world.fakes:
        lanes = [lane for each in replicas if (lane := await each.lane(name)).get("state") == "working"]
        idle &= any(
            (lane["waiting"], lane["in_flight"], lane["in_doubt"], lane["lag_records"]) == (0, 0, 0, 0)
            for lane in lanes
        )
    return idle and (await place.findings()).report.waiting == 0


async def ever_fired(server: Prometheus) -> set[str]:
    series = await server.ask('count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[10m]))')
    return {each["metric"]["alertname"] for each in series}


def in_time(evidence: Evidence, since: float, until: float) -> float:
    """Of what should have been told of the events of that time, the share that people saw in time."""
    counted = seen = 0
    for lane in evidence.lanes.values():
        outcomes = outcomes_of(lane.journal)
        shown = _shown(attempts_of(lane.journal).values(), lane.tellings).at
        for sent in evidence.sent:
            plan = lane.plans.get(sent.position)
            if not since <= sent.at < until or not isinstance(plan, Planned):
                continue
            for command in plan.commands:
                id_ = command.id.hex()
                if outcomes.get(id_) in COUNTED:
                    counted += 1
                    seen += id_ in shown and shown[id_] - sent.at <= command.terms.deliver_within_seconds
    assert counted > 100
    return seen / counted
