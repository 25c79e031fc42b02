"""Faust: one agent, as concurrent as requests are allowed; it counts an event as done when it has been taken."""

import importlib
import os
import sys
import tempfile
from typing import Any

import aiohttp

from tests.benchmarks.contestants.job import HEADERS, body_of, task

given = task()
os.environ.setdefault("FAUST_DATADIR", tempfile.mkdtemp(prefix="faust-"))
faust: Any = importlib.import_module("faust")
app = faust.App(
    given.group,
    broker=f"kafka://{given.bootstrap}",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    value_serializer="raw",
    broker_commit_interval=1.0,
)
events = app.topic(given.topic, value_type=bytes, value_serializer="raw", key_serializer="raw")
sessions: list[aiohttp.ClientSession] = []


@app.agent(events, concurrency=given.in_flight)  # type: ignore[untyped-decorator]
async def told(stream: Any) -> None:
    if not sessions:
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=given.in_flight)))
    async for value in stream:
        async with sessions[0].post(given.url, data=body_of(value), headers=HEADERS) as response:
            await response.read()


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "-l", "error", "--without-web"]
    app.main()
