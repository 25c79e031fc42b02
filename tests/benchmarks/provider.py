"""A provider that does next to nothing: it counts the pushes that it accepts, and answers after a given time.

A process of its own, so that its work is nobody's. It prints its address as one JSON line, then does what it is told by
the lines of its input: `{"goal": 5000, "latency_ms": 20}` begins a count, which is told in one line when so many
recipients were pushed to; with `"keep": true` with the time of each, by recipient. It runs until its input closes.
"""

import asyncio
import importlib.util
import json
import queue
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb'"to": *\[([^\]]*)\]')
START_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Count:
    """What came since the last goal was set. Times are of the machine's monotonic clock, in seconds."""

    goal: int = 0
    latency_seconds: float = 0.0
    keep: bool = False
    requests: int = 0
    recipients: int = 0
    first: float = 0.0
    arrivals: dict[str, float] = field(default_factory=dict)

    def take(self, body: bytes) -> None:
        now = time.monotonic()
        found = _TO.search(body)
        told = found[1].split(b",") if found else []
        self.first = self.first or now
        self.requests += 1
        self.recipients += len(told)
        if self.keep:
            for each in told:
                self.arrivals.setdefault(each.strip().strip(b'"').decode(), now)
        if self.goal and self.recipients >= self.goal:
            self.goal = 0
            counts = {"requests": self.requests, "recipients": self.recipients}
            times = {"first": self.first, "last": now, "arrivals": self.arrivals}
            _say(counts | times)


class Door(asyncio.Protocol):
    """One connection."""

    def __init__(self, count: list[Count]) -> None:
        self._count = count
        self._bytes = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while (head := self._bytes.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._bytes, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._bytes) < end:
                return
            count = self._count[0]
            count.take(bytes(self._bytes[head + 4 : end]))
            del self._bytes[:end]
            self._answer(count.latency_seconds)

    def _answer(self, seconds: float) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def serve() -> None:
    """Until standard input closes."""
    loop = asyncio.get_running_loop()
    count = [Count()]
    server = await loop.create_server(lambda: Door(count), "127.0.0.1", 0, backlog=1024)
    _say({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        told = json.loads(line)
        count[0] = Count(told.get("goal", 0), told.get("latency_ms", 0.0) / 1000, told.get("keep", False))
    server.close()


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal, reached: how many requests it took, when the first and the last came, and when each recipient's did."""

    requests: int
    recipients: int
    first: float
    last: float
    arrivals: dict[str, float]


class Provider:
    """The provider's process, as a context."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.benchmarks.provider"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        self._told: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.url = str(json.loads(self._told.get(timeout=START_SECONDS))["url"])
        return self

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(line)

    def expect(self, goal: int, latency_ms: float = 0.0, *, keep: bool = False) -> None:
        """Count anew."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"goal": goal, "latency_ms": latency_ms, "keep": keep}) + "\n")

    def reached(self, seconds: float) -> Reached | None:
        """The goal, if it is reached within so many seconds."""
        try:
            return Reached(**json.loads(self._told.get(timeout=seconds)))
        except queue.Empty:
            return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)
        # Its pipe has ended, and so has whoever listened.
        self._listener.join(timeout=5)
        assert self._process.stdout is not None
        self._process.stdout.close()


def main() -> None:
    fast = importlib.util.find_spec("uvloop") is not None
    with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop if fast else None) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
