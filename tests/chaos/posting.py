"""Posts to addresses in a process of its own and says what came of it: `python -m tests.chaos.posting SECONDS URL...`.

A line of JSON for each: the answer, how long it took, and by how much the memory of the process grew, at its highest.
A process of its own, because the authorities that it trusts and its memory are measured from outside.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from consumer.sinks.http import Http, Lost, NotSent, Reach, Reply, reach_to

LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Posted:
    """`kind` is reply, lost or not_sent; `reason` its word, or the status."""

    url: str
    kind: str
    reason: str
    seconds: float
    growth_mib: float


def rss_mib(process: int | str = "self") -> float:
    """The resident memory of a process, by /proc."""
    for line in Path(f"/proc/{process}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def _posted(url: str, seconds: float) -> Posted:
    http = Http(reach_to(Reach(seconds), url))
    before, began, highest = rss_mib(), time.monotonic(), 0.0
    posting = asyncio.ensure_future(http.post(url, b'{"a": 1}', {"Content-Type": "application/json"}))
    while not posting.done():
        await asyncio.wait({posting}, timeout=LOOK_SECONDS)
        highest = max(highest, rss_mib())
    kind, reason = _words(posting.result())
    await http.close()
    return Posted(url, kind, reason, round(time.monotonic() - began, 3), round(highest - before, 2))


def _words(answer: Reply | NotSent | Lost) -> tuple[str, str]:
    match answer:
        case Reply():
            return "reply", f"{answer.status}{' oversize' if answer.oversize else ''}"
        case NotSent():
            return "not_sent", answer.reason
        case Lost():
            return "lost", answer.reason


async def _main(seconds: float, urls: list[str]) -> None:
    for url in urls:
        sys.stdout.write(json.dumps(vars_of(await _posted(url, seconds))) + "\n")
        sys.stdout.flush()


def vars_of(posted: Posted) -> dict[str, str | float]:
    return {name: getattr(posted, name) for name in ("url", "kind", "reason", "seconds", "growth_mib")}


async def post_elsewhere(urls: list[str], seconds: float, **environment: str) -> list[Posted]:
    """The same by a process with these variables set."""

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.posting", str(seconds), *urls,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    text, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"the posting process ended with {process.returncode}")
    return [Posted(**json.loads(line)) for line in text.decode().splitlines()]


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]), sys.argv[2:]))
