"""A provider that is none: the consumer's own process counts what it would have sent, and answers itself.

So the whole job is measured without HTTP. The count lies in a file that both processes have mapped: telling it costs
next to nothing, and nobody waits for anybody.
"""

import asyncio
import mmap
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from consumer.sinks.http import Reply
from tests.benchmarks.provider import Reached

# Requests, recipients; when the first and the latest came, on the machine's monotonic clock; how long an answer takes.
_COUNT = struct.Struct("<qqddd")
_GLANCE_SECONDS = 0.02
_ACCEPTED = Reply(200, body=b'{"ok":true}')


class Nowhere:
    """Carries every call nowhere. For bodies that begin with the list of their recipients."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._told = mmap.mmap(opened.fileno(), _COUNT.size)

    def allow(self, url: str) -> None:
        """It is everywhere."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Reply:
        now = time.monotonic()
        requests, recipients, first, _, latency_seconds = _COUNT.unpack_from(self._told)
        more = body.count(b",", 0, body.index(b"]")) + 1
        _COUNT.pack_into(self._told, 0, requests + 1, recipients + more, first or now, now, latency_seconds)
        if latency_seconds:
            await asyncio.sleep(latency_seconds)
        return _ACCEPTED

    async def close(self) -> None:
        self._told.close()


class Ear:
    """Hears from outside what goes nowhere, as one hears the provider."""

    url = "http://127.0.0.1:9/"

    def __init__(self, file: Path) -> None:
        self.file = file
        self._goal = 0
        file.write_bytes(bytes(_COUNT.size))

    def expect(self, goal: int, latency_ms: float = 0.0) -> None:
        """Count anew. The consumer has nothing to do meanwhile, so that no count is lost."""
        self._goal = goal
        with self.file.open("r+b") as opened:
            opened.write(_COUNT.pack(0, 0, 0.0, 0.0, latency_ms / 1000))

    def reached(self, seconds: float) -> Reached | None:
        """The goal, if it is reached within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            requests, recipients, first, last, _ = _COUNT.unpack(self.file.read_bytes())
            if recipients >= self._goal:
                return Reached(requests, recipients, first, last, {})
            time.sleep(_GLANCE_SECONDS)
        return None
