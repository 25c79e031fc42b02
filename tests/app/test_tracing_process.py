"""A process that traces: a collector gets its spans, and `/metrics` shows exemplars to whoever reads OpenMetrics."""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from consumer.app.admin import OPENMETRICS, Admin, AdminSettings
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.state import State
from consumer.core import facts
from tests.app.support import problems_of, setup_of

CONFIG = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops:
  ducky: {slug: ducky}
lanes:
  app-push: {provider: {type: console}, mode: live}
routes: routes
admin: {port: 0}
traces: {export: otlp}
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
END_SECONDS = 300.0


def record(number: int) -> str:
    event = {
        "type": "order.paid",
        "version": 1,
        "occurred_at": datetime.now(UTC).isoformat(),
        "shop": "ducky",
        "customer": {"id": "1"},
        "order": {"id": f"M-{number}"},
    }
    headers = [["traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"]]
    line = {"topic": "shop.orders", "partition": 0, "offset": number, "value": event, "headers": headers}
    return json.dumps(line) + "\n"


class Collector:
    """Where spans go."""

    def __init__(self) -> None:
        self.spans: list[str] = []
        self.traces: set[str] = set()
        self.services: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
        told = ExportTraceServiceRequest.FromString(await request.read())
        for resource in told.resource_spans:
            attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.services.add(attributes["service.name"])
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.spans.append(span.name)
                self.traces.add(span.trace_id.hex())
        return web.Response()


@pytest.mark.parametrize(
    ("accept", "form"),
    [("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", OPENMETRICS), ("*/*", "text/plain")],
    ids=["prometheus", "anybody"],
)
async def test_exemplars_are_for_who_reads_openmetrics(accept: str, form: str) -> None:
    names = LaneNames("look", "console", "live", ())
    metrics = Metrics(Expected((names,), (), "1", "d"), lambda _lane, _attempt: TRACE)
    metrics.see(facts.RequestSent("look", "console", "1.1", "delivered", "", 1, 0.2))
    admin = Admin(AdminSettings(port=0), State([], time.monotonic, time.time), metrics)
    assert await admin.start() is None
    address, headers = f"http://127.0.0.1:{admin.port}/metrics", {"Accept": accept}
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        text = await answer.text()
        assert answer.content_type == form.split(";", maxsplit=1)[0]
    await admin.stop()
    assert (TRACE in text) == (form != "text/plain")
    if form != "text/plain":
        families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        assert "vestnik_requests" in {family.name for family in families}


async def test_a_collector_gets_the_spans_of_a_process(tmp_path: Path) -> None:
    collector = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    (tmp_path / "events.jsonl").write_text("".join(record(number) for number in range(3)), "utf-8")
    setup_of(tmp_path, CONFIG)
    async with TestServer(application) as server:
        command = [
            sys.executable,
            "-m",
            "consumer.app.cli",
            "run",
            "--once",
            "--config",
            str(tmp_path / "vestnik.yaml"),
        ]
        environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.port}"}
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(END_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
    assert collector.spans.count("process shop.orders") == 3
    assert collector.spans.count("push console") >= 1
    assert (collector.traces, collector.services) == ({TRACE}, {"vestnik"})


def test_traces_without_their_libraries_are_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events.jsonl").write_text("", "utf-8")
    monkeypatch.setattr("consumer.app.checks.can_export", lambda: False)
    (problem,) = problems_of(tmp_path, CONFIG)
    assert problem.startswith("vestnik.yaml:9: the libraries of traces are not installed")
    assert "vestnik[traces]" in problem
