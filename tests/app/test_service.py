"""The process from start to stop, without a broker."""

import asyncio
import io
import json
import socket
from pathlib import Path

import pytest
import structlog

from consumer.app.logs import configure
from consumer.app.service import Options, Service, serve
from consumer.app.setup import Setup
from consumer.app.signals import StopRequest
from consumer.core.facts import Fact, LaneMoved, LaneStuck
from tests.app.support import CONFIG, Hand, setup_of

pytestmark = pytest.mark.usefixtures("logging_restored")


def files(folder: Path, port: int = 0) -> Setup:
    config = CONFIG.replace("kafka:\n  bootstrap: localhost:9092", "source: {lines: events.jsonl}")
    (folder / "events.jsonl").write_text("")
    return setup_of(folder, config + f"admin: {{port: {port}}}\n")


def told() -> io.StringIO:
    stream = io.StringIO()
    configure("json", "info", stream, Hand())
    return stream


async def test_a_process_tells_its_observers_and_its_port_and_stops_cleanly(tmp_path: Path) -> None:
    heard: list[Fact] = []
    ports: list[int] = []
    working = asyncio.Event()

    def hear(fact: Fact) -> None:
        heard.append(fact)
        if isinstance(fact, LaneMoved) and fact.state == "working":
            working.set()

    service = Service(files(tmp_path), Options(observers=(hear,), opened=ports.append))
    running = asyncio.create_task(service.run())
    await working.wait()
    assert service.state.unready() == []
    service.stop()
    assert service.state.unready() == ["the process is stopping"]
    assert await running == 0
    assert ports[0] > 0
    assert [fact.state for fact in heard if isinstance(fact, LaneMoved)][-2:] == ["draining", "stopped"]


async def test_an_admin_port_that_is_taken_ends_the_process_with_a_line(tmp_path: Path) -> None:
    stream = told()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code = await Service(files(tmp_path, taken.getsockname()[1]), Options()).run()
    assert code == 1
    assert json.loads(stream.getvalue())["event"] == "admin_port_refused"


async def ended(tmp_path: Path, *facts: Fact) -> tuple[int, dict[str, object]]:
    """The exit code of a process that hears these facts, and its last log line."""
    stream = told()
    working = asyncio.Event()

    def hear(fact: Fact) -> None:
        if isinstance(fact, LaneMoved) and fact.state == "working":
            working.set()

    service = Service(files(tmp_path), Options(observers=(hear,)))
    running = asyncio.create_task(service.run())
    await working.wait()
    for fact in facts:
        service.emit(fact)
    if not facts:
        service.stop()
    return await running, json.loads(stream.getvalue().splitlines()[-1])


async def test_a_clean_stop_says_zero_in_its_last_line(tmp_path: Path) -> None:
    code, line = await ended(tmp_path)
    assert code == 0
    assert (line["event"], line["exit_code"], line["level"], "why" in line) == ("ended", 0, "info", False)


async def test_a_lane_that_cannot_go_on_ends_the_process_with_its_reason_in_the_last_line(tmp_path: Path) -> None:
    first = LaneStuck("app-push", "no_request", "a request was possible for 120 s and did not come about")
    code, line = await ended(tmp_path, first, LaneStuck("app-push", "no_commit", "later"))
    assert (code, line["exit_code"], line["level"]) == (70, 70, "error")
    assert line["why"] == f"lane app-push, no_request: {first.detail}"


async def test_an_exception_that_nobody_caught_is_told_without_its_variables(tmp_path: Path) -> None:
    stop = StopRequest(leave=lambda code: None)
    stop.hear(15)
    stream = told()
    assert await serve(files(tmp_path), stop, Options()) == 0
    context = {"message": "lost", "exception": ValueError("79161234567")}
    asyncio.get_running_loop().call_exception_handler(context)
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["event"], line["error"]) == ("task_failed", "ValueError: **67")
    assert structlog.is_configured()
