"""What operators do, on a real Kafka with real processes: pause from elsewhere, look at the lag, ask the doctor."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.shop import Pace
from consumer.demo.world import APP_PUSH, STAFF
from tests.kafka.processes import Town, eventually, town
from tests.kafka.server import KafkaServer

pytestmark = pytest.mark.kafka


@pytest.fixture
def bootstrap() -> Iterator[str]:
    """A broker of the test's own: the demo's topics and groups have fixed names."""
    with KafkaServer() as server:
        yield server.bootstrap


async def vestnik(place: Town, *words: str) -> tuple[int, str]:
    """One command as people call it, in a process of its own; its exit code and what it printed."""
    command = [str(Path(sys.executable).with_name("vestnik")), *words, "--config", str(place.world.config)]
    told = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, env=os.environ | {"COLUMNS": "200"}
    )
    return told.returncode, told.stdout + (told.stderr if told.returncode else "")


async def lags(place: Town, *words: str) -> dict[str, Any]:
    code, text = await vestnik(place, "lag", "-o", "json", *words)
    assert code == 0, text
    return {each["lane"]: each for each in json.loads(text)}


async def the_doctor_finds_nothing(place: Town, url: str) -> None:
    code, text = await vestnik(place, "doctor", "--replicas", "1", "--admin", url, "-o", "json")
    rows = json.loads(text)
    assert (code, [row for row in rows if row["state"] == "failed"]) == (0, [])
    seen = {(row["part"], row["what"]): row["state"] for row in rows}
    lane = f"lane {APP_PUSH}"
    looked = [
        ("kafka", "brokers"),
        ("kafka", "rights on topics"),
        (lane, "group"),
        (lane, "offsets"),
        (lane, "journal"),
    ]
    assert {seen.get(each, f"no row {each}") for each in looked} == {"ok"}
    # The consumer's own port is set in its environment, its configuration is the same.
    assert seen["processes", url] == "ok"


@pytest.mark.long
async def test_a_pause_from_another_process_outlives_a_restart_and_the_lag_is_known_while_nobody_runs(
    tmp_path: Path, bootstrap: str
) -> None:
    async with town(tmp_path, bootstrap) as place:
        fake = place.world.fakes[APP_PUSH]
        first = place.consumer()

        async def says_paused(consumer: Any = first) -> bool:
            lane = await consumer.lane(APP_PUSH)
            return any(each["reason"] == "paused" for each in lane.get("blocked", []))

        code, text = await vestnik(place, "lane", "pause", APP_PUSH, "--reason", "wrong text", "--who", "anna")
        assert code == 0, text
        await eventually("the lane says that it is paused, and why", says_paused)
        assert 'vestnik_lane_blocked{lane="app-push",reason="paused"} 1' in await first.get("/metrics")
        assert "wrong text" in first.log
        before = len(fake.deliveries)
        await place.sell(Pace(seconds=2.0, per_second=20.0))

        async def staff_done() -> bool:
            return (await first.lane(STAFF)).get("lag_records") == 0 and len(place.world.fakes[STAFF].deliveries) > 0

        await eventually("the other lane goes on", staff_done)
        assert await first.stop() == 0
        assert len(fake.deliveries) == before

        down = (await lags(place))[APP_PUSH]
        assert (down["paused"]["reason"], down["owner"]["host"], down["waiting"]) == ("wrong text", "", None)
        assert down["records"] > 0
        assert down["clear_seconds"] > 0
        assert down["owner"]["epoch"] == 1
        assert down["owner"]["member"]

        second = place.consumer()
        await eventually("still paused after the restart", lambda: says_paused(second))
        url = f"http://127.0.0.1:{second.port}"

        async def told_by_owner() -> bool:
            lane = (await lags(place, "--url", url))[APP_PUSH]
            read = all(each["read"] == each["end"] for each in lane["partitions"])
            owner = lane["owner"]
            return bool(lane["waiting"]) and read and (owner["host"], owner["epoch"]) == ("127.0.0.1", 2)

        await eventually("the owner tells what waits", told_by_owner)
        assert len(fake.deliveries) == before
        await the_doctor_finds_nothing(place, url)
        code, text = await vestnik(place, "lane", "resume", APP_PUSH)
        assert code == 0, text
        await eventually("everything ended", lambda: place.over(second), 60.0)
        assert (await lags(place))[APP_PUSH]["records"] == 0
        assert await second.stop() == 0
        report = (await place.findings()).report
        assert (report.lost, report.waiting, report.duplicates) == (0, 0, 0)
