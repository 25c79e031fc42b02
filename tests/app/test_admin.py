"""The admin port, asked by real clients."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from consumer.app.admin import Admin, AdminSettings
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.page.words import spelt
from consumer.app.state import LaneSheet, State
from consumer.core import facts
from consumer.core.model import Message
from tests.app.support import PHONE, Hand, sample

WORKING = facts.LaneMoved("app-push", "working", 3)


class Office:
    """A running admin port and what is behind it."""

    def __init__(self, settings: AdminSettings) -> None:
        self.clock = Hand()
        self.state = State([LaneSheet("app-push", "imshop", "live")], self.clock, self.clock)
        names = LaneNames("app-push", "imshop", "live", ("order-paid",))
        self.metrics = Metrics(Expected((names,), ("shop.orders",), "1", "abc"))
        self.admin = Admin(settings, self.state, self.metrics)

    @property
    def open_connections(self) -> int:
        runner = self.admin._runner
        assert runner is not None
        assert runner.server is not None
        return len(runner.server.connections)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.admin.port}{path}"

    async def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.request(method, self.url(path)) as response:
            return response.status, await response.text()


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    opened = Office(AdminSettings(port=0))
    assert await opened.admin.start() is None
    yield opened
    await opened.admin.stop()


async def test_alive_unless_a_lane_stalls(office: Office) -> None:
    office.state.see(WORKING)
    assert await office.get("/livez") == (200, "ok\n")
    office.state.see(sample(facts.LaneGauges, lag_records=1))
    office.state.see(sample(facts.PartitionStuck, topic="shop.orders", partition=2, reason="silent"))
    status, text = await office.get("/livez")
    assert (status, "shop.orders/2" in text) == (503, True)


async def test_ready_when_the_lanes_are_and_never_while_draining(office: Office) -> None:
    assert (await office.get("/readyz"))[0] == 503
    office.state.see(WORKING)
    assert await office.get("/readyz") == (200, "ok\n")
    office.state.draining = True
    assert (await office.get("/readyz"))[0] == 503


async def test_metrics_are_in_the_text_format(office: Office) -> None:
    async with aiohttp.ClientSession() as session, session.get(office.url("/metrics")) as response:
        text = await response.text()
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE vestnik_requests_total counter" in text


async def test_the_state_is_json(office: Office) -> None:
    office.state.see(WORKING)
    office.state.see(facts.LaneBlocked("app-push", "key_refused", "HTTP 401"))
    async with aiohttp.ClientSession() as session, session.get(office.url("/api/state")) as response:
        found = await response.json()
    assert found["lanes"]["app-push"]["blocked"][0]["reason"] == "key_refused"


async def test_the_page_tells_people_and_nothing_of_an_event_runs_in_it(office: Office) -> None:
    office.state.see(WORKING)
    office.state.see(sample(facts.LaneGauges, waiting=12))
    office.state.see(facts.LaneBlocked("app-push", "key_refused", "HTTP 401"))
    message = Message("<script>alert(1)</script>", "text")
    office.state.see(facts.Pushed("app-push", "imshop", "1.1", "order-paid", 0, message, (PHONE,), (3.0,), 1))
    status, text = await office.get("/")
    assert status == 200
    assert "key_refused" in text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert PHONE not in text


async def test_the_page_of_a_lane_that_has_said_nothing(office: Office) -> None:
    assert "starting" in (await office.get("/"))[1]


@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/api/state", "/nothing"])
async def test_every_answer_has_the_headers_that_guard_it(office: Office, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(office.url(path)) as response:
        headers = response.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "vestnik"
    assert headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api", "/../etc/passwd"])
async def test_there_is_nothing_else(office: Office, path: str) -> None:
    assert (await office.get(path))[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
async def test_it_only_reads(office: Office, method: str) -> None:
    assert (await office.get("/api/state", method))[0] == 405


async def test_head_is_answered(office: Office) -> None:
    assert (await office.get("/livez", "HEAD"))[0] == 200


async def test_a_huge_query_is_refused(office: Office) -> None:
    assert (await office.get("/livez?" + "x" * 1_000_000))[0] == 400


async def test_idle_connections_are_bounded_and_a_probe_is_answered_beside_them() -> None:
    opened = Office(AdminSettings(port=0, connections=4, connection_seconds=0.5))
    assert await opened.admin.start() is None
    opened.state.see(WORKING)
    idle = [await asyncio.open_connection("127.0.0.1", opened.admin.port) for _ in range(12)]
    assert (await opened.get("/livez"))[0] == 200
    # Those over the bound make room for later ones, the others are hung up on at their deadline.
    assert [await reader.read() for reader, _ in idle] == [b""] * 12
    for _, writer in idle:
        writer.close()
    await opened.admin.stop()


async def test_300_idle_and_150_half_open_connections_do_not_hold_up_a_probe(office: Office) -> None:
    """Nor do they cost a thread, or more than the bound."""
    office.state.see(WORKING)
    threads = threading.active_count()
    clients = [await asyncio.open_connection("127.0.0.1", office.admin.port) for _ in range(450)]
    for _, writer in clients[300:]:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: pod\r\nX-Slow: ")
    took = []
    for _ in range(10):
        began = time.perf_counter()
        assert (await office.get("/livez"))[0] == 200
        took.append(time.perf_counter() - began)
    assert sorted(took)[5] <= 0.2
    assert threading.active_count() == threads
    # A turn of the loop takes up as many as the system has kept waiting, on top of the bound.
    assert office.open_connections <= 2 * AdminSettings().connections
    for _, writer in clients:
        writer.close()


async def test_what_answers_does_not_say_which_version_it_is(office: Office) -> None:
    async with aiohttp.ClientSession() as session, session.get(office.url("/nothing")) as response:
        said = f"{dict(response.headers)} {await response.text()}"
    assert not re.search(r"aiohttp|[Pp]ython|/\d|\d+\.\d+", said.replace("HTTP/1.1", ""))


async def test_a_head_that_is_too_large_is_refused(office: Office) -> None:
    async with aiohttp.ClientSession() as session:
        request = session.get(office.url("/livez"), headers={"X-Large": "x" * 20_000})
        async with request as response:
            assert response.status == 400


async def test_a_port_that_is_taken_is_told_in_words(office: Office) -> None:
    second = Office(AdminSettings(port=office.admin.port))
    refused = await second.admin.start()
    assert refused is not None
    assert str(office.admin.port) in refused
    assert second.admin.port == 0
    await second.admin.stop()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (45.4, "45 s"), (60, "1 min"), (90, "1 min 30 s"), (12_000, "3 h 20 min")]
)
def test_a_span_is_spelt_in_two_units(seconds: float, words: str) -> None:
    assert spelt(seconds) == words
