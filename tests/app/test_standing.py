"""`vestnik lane show`, asked of a running admin port and of what is none."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.lane import lines_of, rows_of
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.app.state import LaneSheet, State
from consumer.core import facts
from tests.app.support import CONFIG, Hand, sample, write

GROUP = {
    "title": "Order is ready",
    "level": 1,
    "size": 312,
    "age_seconds": 200.0,
    "slack_seconds": -20.0,
    "rank": 0,
    "goes_in_seconds": 6.0,
}


def report() -> dict[str, Any]:
    """As the process tells it: blocked, its breaker open, and two groups waiting."""
    clock = Hand()
    state = State([LaneSheet("app-push", "imshop", "live")], clock, clock)
    state.see(facts.LaneMoved("app-push", "working", 3))
    state.see(facts.LaneBlocked("app-push", "key_refused", "HTTP 401"))
    state.see(facts.BreakerMoved("app-push", open=True, reason="unreachable"))
    state.see(sample(facts.LaneGauges, holds="quota", quota_used=4, quota_requests=10, gap_seconds=6.0, waiting=400))
    clock.now += 90
    told = state.report()
    told["lanes"]["app-push"]["open_groups"] = [GROUP, GROUP | {"level": 0, "slack_seconds": 30.0, "rank": 1}]
    return told


@contextmanager
def office(answer: Callable[[], web.Response]) -> Iterator[str]:
    """A server in a thread of its own, because the command has a loop of its own."""
    started, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    ports: list[int] = []

    async def serve() -> None:
        async def handle(request: web.Request) -> web.Response:
            return answer() if request.path == "/api/state" else web.Response(status=404)

        runner = web.ServerRunner(web.Server(handle))  # type: ignore[arg-type]
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
        started.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in ("lane", "show", *words)])


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_it_says_why_the_lane_waits_and_when_each_group_goes_out() -> None:
    with office(lambda: web.json_response(report())) as url:
        shown = call("app-push", "--url", url)
    assert shown.exit_code == FINE, shown.output
    said = shown.stdout
    assert "app-push: working, epoch 3; imshop, live" in said
    assert "blocked for 1 min 30 s: key_refused HTTP 401" in said
    assert "breaker open for 1 min 30 s: unreachable" in said
    assert "held by: quota; quota: 4 of 10 requests, one every 6 s" in said
    assert [re.split(r" {2,}", line) for line in said.splitlines()[-3:]] == [
        ["rank", "people", "age", "left", "goes in", "wording", "message"],
        ["0", "312", "3 min 20 s", "late 20 s", "6 s", "step 1", "Order is ready"],
        ["1", "312", "3 min 20 s", "30 s", "6 s", "in full", "Order is ready"],
    ]


def test_machines_get_all_that_the_port_tells_of_the_lane() -> None:
    with office(lambda: web.json_response(report())) as url:
        shown = call("app-push", "--url", f"{url}/", "-o", "json")
    told = json.loads(shown.stdout)
    assert (told["lane"], told["holds"], told["open_groups"][0]) == ("app-push", "quota", GROUP)


def test_the_port_is_the_one_that_the_configuration_names(tmp_path: Path) -> None:
    with office(lambda: web.json_response(report())) as url:
        config = write(tmp_path, f"{CONFIG}admin: {{host: 0.0.0.0, port: {url.rpartition(':')[2]}}}\n")
        assert call("app-push", "-c", config).exit_code == FINE


def test_a_free_port_or_a_bad_configuration_wants_an_address(tmp_path: Path) -> None:
    unknown = call("app-push", "-c", write(tmp_path, f"{CONFIG}admin: {{port: 0}}\n"))
    assert (unknown.exit_code, "say --url" in unknown.stderr) == (USAGE, True)
    bad = call("app-push", "-c", write(tmp_path, CONFIG.replace("bootstrap:", "bootstarp:")))
    assert (bad.exit_code, "1 mistake" in bad.stderr or "mistakes" in bad.stderr) == (USAGE, True)


def test_a_port_that_does_not_answer_is_told_in_one_sentence() -> None:
    silent = call("app-push", "--url", f"http://127.0.0.1:{closed_port()}")
    assert (silent.exit_code, len(silent.stderr.splitlines())) == (FAILED, 1)
    assert "does not answer: does the process run" in silent.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=503), "answers with HTTP 503"),
        (web.Response(text="hello"), "is not the state of Vestnik"),
        (web.Response(text="[1]"), "is not the state of Vestnik"),
    ],
)
def test_what_is_no_admin_port_is_told_so(answer: web.Response, said: str) -> None:
    with office(lambda: answer) as url:
        shown = call("app-push", "--url", url)
    assert (shown.exit_code, said in shown.stderr) == (FAILED, True)


def test_another_version_is_told_so_and_its_state_can_still_be_had_as_json() -> None:
    other = {"lanes": {"app-push": {"state": "working", "holds": "quota"}}}
    with office(lambda: web.json_response(other)) as url:
        shown, raw = call("app-push", "--url", url), call("app-push", "--url", url, "-o", "json")
    assert (shown.exit_code, "otherwise than this version" in shown.stderr) == (FAILED, True)
    assert (raw.exit_code, json.loads(raw.stdout)["holds"]) == (FINE, "quota")


def test_an_unknown_lane_names_the_nearest_one() -> None:
    with office(lambda: web.json_response(report())) as url:
        shown = call("app-posh", "--url", url)
    assert (shown.exit_code, 'did you mean "app-push"?' in shown.stderr) == (USAGE, True)


@pytest.mark.parametrize("url", ["127.0.0.1:9464", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    shown = call("app-push", "--url", url)
    assert (shown.exit_code, "is not like http://127.0.0.1:9464" in shown.stderr) == (USAGE, True)


def test_a_lane_that_has_said_nothing_yet_is_told_as_far_as_it_is_known() -> None:
    clock = Hand()
    lane = State([LaneSheet("app-push", "imshop", "live")], clock, clock).report()["lanes"]["app-push"]
    assert list(lines_of("app-push", lane)) == ["app-push: starting; imshop, live", "told in the last minute: 0"]
    assert rows_of(lane) == []
    trouble = {"stream": "journal", "reason": "unreachable", "detail": "", "seconds": 5.0}
    assert "journal in trouble for 5 s: unreachable" in lines_of("app-push", lane | {"streams": [trouble]})
