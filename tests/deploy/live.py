"""A real Prometheus that scrapes real processes, asked as Grafana would ask it."""

import asyncio
import re
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus"
READY_SECONDS = 20.0
ANSWER_SECONDS = 10.0
# What Grafana puts in; everything happens within a minute here.
VARIABLES = {
    "$__rate_interval": "10s",
    "$__range": "20s",
    "$job": ".*",
    "$lane": ".*",
    "$route": ".*",
}


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that runs, and a session to ask it with."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query, each with `metric` and `value`; an assertion fails on an error."""
        for name, value in VARIABLES.items():
            expr = expr.replace(name, value)
        async with self.session.get(f"{self.url}/api/v1/query", params={"query": expr}) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{expr}: {answer}"
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series

    async def until(self, expr: str, seconds: float) -> list[dict[str, Any]]:
        """The answer as soon as there is one; an empty one after so long."""
        deadline = asyncio.get_running_loop().time() + seconds
        found = await self.ask(expr)
        while not found and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.5)
            found = await self.ask(expr)
        return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@asynccontextmanager
async def prometheus(
    folder: Path, targets: Sequence[str], shorter: Mapping[str, str], flags: Sequence[str] = ()
) -> AsyncIterator[Prometheus]:
    """Start one that scrapes these `host:port`s each second. `shorter`: what to put for spans in the rules, e.g.
    {"10m": "5s"}, so that an alert need not be waited for as long as at night."""
    for rules in RULES.glob("*.yaml"):
        (folder / rules.name).write_text(shortened(rules.read_text("utf-8"), shorter), "utf-8")
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(folder / "*.yaml")],
                "scrape_configs": [{"job_name": "vestnik", "static_configs": [{"targets": list(targets)}]}],
            }
        ),
        "utf-8",
    )
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            server = Prometheus(f"http://127.0.0.1:{port}", session)
            await _ready(server)
            yield server
    finally:
        await end(process)


async def _ready(server: Prometheus) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                async with server.session.get(f"{server.url}/-/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def shortened(rules: str, shorter: Mapping[str, str]) -> str:
    """The rules with spans of their conditions and of their patience replaced, and levels such as "> 600"."""
    rules = re.sub(r"interval: 1m", "interval: 1s", rules)
    for span, instead in shorter.items():
        rules = re.sub(rf"\[{span}\]", f"[{instead}]", rules)
        rules = re.sub(rf"for: {span}$", f"for: {instead}", rules, flags=re.MULTILINE)
        if span.startswith(">"):
            rules = re.sub(rf"{span}\b", instead, rules)
    return rules


async def end(process: Process) -> None:
    """End it, gently first."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
