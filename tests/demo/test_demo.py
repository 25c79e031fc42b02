"""`vestnik demo` as people run it: a process of its own, to its end and to an early one."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.report import Report

pytest.importorskip("confluent_kafka")

DEADLINE_SECONDS = 90.0


async def begun(*arguments: str) -> Process:
    program = (sys.executable, "-m", "consumer.app.cli")
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return await asyncio.create_subprocess_exec(*program, *arguments, stdout=PIPE, stderr=PIPE, env=environment)


async def ended(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def promised(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert set(document) == set(Report.model_fields)
    assert (document["lost"], document["duplicates"]) == (0, 0)
    assert all(worst <= document["quota"][lane] for lane, worst in document["worst_window"].items())
    assert document["planned"] == sum(document["outcomes"].values()) + document["waiting"]
    return document


async def test_a_short_demo_keeps_all_promises_and_says_so(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    code, out, err = await ended(await begun("demo", "--seconds", "12", "--fast", "10", "--report", str(report)))
    assert (code, err) == (0, ""), out + err
    document = promised(report)
    assert document["published"] > 50
    assert 0 < document["poisoned"] <= document["dead_letters"]
    assert document["outcomes"]["delivered"] > 10
    assert document["requests"]["app-push"] > 5
    assert document["requests"]["staff"] > 1
    assert document["seconds_to_first_push"] < 10
    assert "10 times as fast" in out
    assert "Nothing lost, nothing twice" in out


async def test_an_interrupt_ends_it_early_with_the_same_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    process = await begun("demo", "--seconds", "3600", "--report", str(report))
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not re.search(rb"requests told [1-9]", await process.stdout.readline()):
            assert not process.stdout.at_eof()
    process.send_signal(signal.SIGINT)
    code, out, err = await ended(process)
    assert (code, err) == (0, ""), out + err
    assert promised(report)["outcomes"]["delivered"] > 0
