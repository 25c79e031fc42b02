"""A Prometheus that keeps exemplars finds the trace of a request on the histogram of requests."""

import time
from pathlib import Path

import pytest

from consumer.app.admin import Admin, AdminSettings
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.state import State
from consumer.core.facts import RequestSent
from tests.deploy.live import Prometheus, prometheus

pytestmark = pytest.mark.deploy

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SEEN_SECONDS = 30.0


async def test_prometheus_keeps_the_trace_of_a_request(tmp_path: Path) -> None:
    names = LaneNames("app-push", "imshop", "live", ("order-paid",))
    metrics = Metrics(Expected((names,), ("shop.orders",), "1", "digest"), lambda _lane, _attempt: TRACE)
    admin = Admin(AdminSettings(port=0), State([], time.monotonic, time.time), metrics)
    assert await admin.start() is None
    metrics.see(RequestSent("app-push", "imshop", "1.1", "delivered", "", 3, 0.2))
    flags = ["--enable-feature=exemplar-storage"]
    try:
        async with prometheus(tmp_path, [f"127.0.0.1:{admin.port}"], {}, flags) as server:
            assert await server.until('vestnik_request_duration_seconds_count{lane="app-push"} == 1', SEEN_SECONDS)
            assert await server.ask('vestnik_requests_total{verdict="delivered"} == 1')
            assert await traces(server) == [TRACE]
    finally:
        await admin.stop()


async def traces(server: Prometheus) -> list[str]:
    """The traces of the last minute, as Grafana would ask for them."""
    asked = {
        "query": "vestnik_request_duration_seconds_bucket",
        "start": str(time.time() - 60),
        "end": str(time.time() + 60),
    }
    async with server.session.get(f"{server.url}/api/v1/query_exemplars", params=asked) as response:
        answer = await response.json()
    return [each["labels"]["trace_id"] for series in answer["data"] for each in series["exemplars"]]
