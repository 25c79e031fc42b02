"""Every panel of every dashboard has data when a real Prometheus scrapes the demo, and nobody is woken for nothing."""

import asyncio
import math
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from scripts.observability.boards import BOARDS
from scripts.observability.kit import Chart
from tests.deploy.live import Prometheus, end, prometheus

pytestmark = pytest.mark.deploy

# The shop is open for this long, ten times as fast as in life.
OPEN_SECONDS = 60
TRAFFIC_SECONDS = 45.0
DEMO = (
    sys.executable,
    "-m",
    "consumer.app.cli",
    "demo",
    "--fast",
    "10",
    "--rate",
    "20",
    "--seconds",
    str(OPEN_SECONDS),
)
# Texts of the demo's shop are made to be refused or late here and there; that is what it shows.
MAY_FIRE = {"VestnikDeliveredLate", "VestnikDeadLetters"}


@pytest.mark.long
async def test_every_panel_has_data_and_nobody_is_woken_for_nothing(tmp_path: Path) -> None:
    demo = await asyncio.create_subprocess_exec(*DEMO, stdout=PIPE, stderr=DEVNULL)
    try:
        async with prometheus(tmp_path, [await page_of(demo)], {}) as server:
            assert await server.until("sum(vestnik_pushes_total) > 100", TRAFFIC_SECONDS)
            assert await server.until(
                "sum(count_over_time(vestnik_pushes_total[1m])) > 40 * count(vestnik_pushes_total)", TRAFFIC_SECONDS
            )
            troubles = [
                trouble for board in BOARDS for chart in board.charts() for trouble in await faults(server, chart)
            ]
            assert troubles == []
            firing = await server.ask('ALERTS{alertstate="firing"}')
            assert {each["metric"]["alertname"] for each in firing} <= MAY_FIRE
    finally:
        await end(demo)


async def page_of(demo: asyncio.subprocess.Process) -> str:
    """host:port of the consumer's page, as the demo says it."""
    assert demo.stdout is not None
    async with asyncio.timeout(30):
        while line := await demo.stdout.readline():
            if found := re.search(rb"http://([\d.]+:\d+)/", line):
                return found[1].decode()
    raise AssertionError("the demo ended without naming its page")


async def faults(server: Prometheus, chart: Chart) -> list[str]:
    """What is wrong with the data of a panel."""
    found = []
    for query in chart.queries:
        values = [float(series["value"][1]) for series in await server.ask(query.expr)]
        if not values and not chart.may_be_empty:
            found.append(f"{chart.title}: no data for {query.expr}")
        # A quantile of nothing is NaN; a whole panel of it shows nothing.
        if values and all(math.isnan(value) for value in values):
            found.append(f"{chart.title}: nothing but NaN for {query.expr}")
        if any(value < 0 for value in values):
            found.append(f"{chart.title}: below zero for {query.expr}")
    return found
