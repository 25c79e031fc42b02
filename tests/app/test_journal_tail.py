"""`vestnik journal tail`: a lane's journal for people and machines, with nobody's number unless it is asked for."""

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.app.journal_tail import line
from consumer.core.ports import Entry, Unreadable
from consumer.streams.lines import LinesJournal
from schemas.journal import (
    AnyRecord,
    Attempt,
    AttemptParcel,
    Claim,
    Columns,
    Landing,
    Outcomes,
    Parked,
    ParkedTerms,
    Repeat,
    SentMessage,
)
from tests.app.support import PHONE, ROUTES, write
from tests.core.journal import alike

LINES = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
"""
ONE, TWO, THREE = "1" * 24, "2" * 24, "3" * 24
OLD = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def columns(*ids: str) -> Columns:
    return alike(*ids, recipients=PHONE, positions=[("shop.orders", 0, 5)])


MESSAGE = SentMessage(title="Order 5", text=f"Call {PHONE}")
TERMS = ParkedTerms(route="bonus", priority="low", deliver_within_seconds=60.0, on_unsure="stop")
RECORDS: tuple[AnyRecord, ...] = (
    Claim(epoch=1, member="host:7:ab"),
    Attempt(id="1.1", epoch=1, parcels=[AttemptParcel(message=MESSAGE, wording=0, commands=columns(ONE, TWO))]),
    Landing(attempt="1.1", epoch=1, verdict="mixed", outcomes=["delivered", None]),
    Attempt(id="1.2", epoch=1, parcels=[AttemptParcel(message=MESSAGE, wording=1, commands=columns(TWO))]),
    Repeat(attempt="1.2", epoch=1, sent=False, reason="timeout"),
    Landing(attempt="1.2", epoch=1, verdict="delivered", outcome="delivered"),
    Outcomes(epoch=1, outcome="expired", reason="ttl", ids=[THREE], digests=["0" * 8], routes=["order-paid"]),
    Parked(
        epoch=1,
        reason="quiet_hours",
        terms=[TERMS],
        ladders=[[MESSAGE]],
        quiets=[],
        commands=columns(THREE),
        until=[OLD],
        term=[0],
        rung=[0],
        quiet=[None],
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lane that has written down a little of everything, the first of it long ago."""
    write(tmp_path, LINES, ROUTES)
    times = iter([OLD, *[datetime.now(UTC).timestamp()] * len(RECORDS)])
    journal = LinesJournal(tmp_path / "out" / "vestnik.journal.app-push.jsonl", lambda: next(times))

    async def fill() -> None:
        for record in RECORDS:
            await journal.append(record)

    asyncio.run(fill())
    return tmp_path


def tail(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["journal", "tail", "app-push", "-c", str(folder), *words])


def kinds(told: Result) -> list[str]:
    assert told.exit_code == FINE, told.output
    return [json.loads(line)["kind"] for line in told.stdout.splitlines()]


def test_the_last_hour_is_shown_unless_a_beginning_is_said(folder: Path) -> None:
    assert kinds(tail(folder, "-o", "json"))[0] == "attempt"
    assert len(kinds(tail(folder, "-o", "json", "--since", "2025-12-31"))) == len(RECORDS)


def test_people_read_one_line_a_record_with_nobody_s_number(folder: Path) -> None:
    told = tail(folder, "--since", "2025-12-31").stdout
    words = [each.split(maxsplit=2)[2] for each in told.splitlines()]
    assert [" ".join(each.split()) for each in words] == [
        "claim epoch 1 by host:7:ab",
        'attempt 1.1: "Order 5" wording 0 of order-paid to 2 (**67 **67)',
        "landing 1.1: mixed: 1 delivered, 1 waits again",
        'attempt 1.2: "Order 5" wording 1 of order-paid to 1 (**67)',
        "repeat 1.2: no answer, timeout",
        "landing 1.2: delivered",
        "outcomes 1 expired (ttl) of order-paid",
        "parked quiet_hours, the first until 2026-01-01T00:00:00.000Z: order-paid to 1 (**67)",
    ]
    assert told.startswith("2026-01-01T00:00:00.000Z         0  claim")
    assert PHONE not in told


def test_machines_get_whole_records_masked_unless_they_are_to_be_revealed(folder: Path) -> None:
    masked = tail(folder, "-o", "json")
    assert PHONE not in masked.stdout
    first = json.loads(masked.stdout.splitlines()[0])
    assert first["parcels"][0]["commands"]["recipients"] == ["**67", "**67"]
    assert (first["offset"], first["parcels"][0]["message"]["text"]) == (1, "Call **67")
    revealed = json.loads(tail(folder, "-o", "json", "--reveal").stdout.splitlines()[0])
    assert revealed["parcels"][0]["commands"]["recipients"] == [PHONE, PHONE]
    assert PHONE in tail(folder, "--reveal").stdout


def test_kinds_and_commands_choose_records_with_the_landings_that_belong_to_them(folder: Path) -> None:
    assert kinds(tail(folder, "-o", "json", "--kind", "landing", "--kind", "repeat")) == [
        "landing",
        "repeat",
        "landing",
    ]
    assert kinds(tail(folder, "-o", "json", "--command", "111")) == ["attempt", "landing"]
    assert kinds(tail(folder, "-o", "json", "--command", TWO.upper())) == [
        "attempt",
        "landing",
        "attempt",
        "repeat",
        "landing",
    ]
    assert kinds(tail(folder, "-o", "json", "--command", THREE)) == ["outcomes", "parked"]
    assert kinds(tail(folder, "-o", "json", "--command", TWO, "--kind", "landing")) == ["landing", "landing"]
    assert tail(folder, "--command", "fff").stdout == ""


def test_bytes_of_a_stranger_are_shown_for_what_they_are(folder: Path) -> None:
    entry = Entry(9, OLD, Unreadable("json_invalid"))
    assert line(entry, reveal=False) == "2026-01-01T00:00:00.000Z         9  unreadable  json_invalid"
    path = folder / "out" / "vestnik.journal.app-push.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0].replace("claim", "clown") + "\n")
    last = json.loads(tail(folder, "-o", "json", "--since", "2025-12-31").stdout.splitlines()[-1])
    assert last["kind"] == "unreadable"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "landings"), "landing"),
        (("--command", "xyz"), "is no id of a command"),
        (("--since", "soon"), "is not a date"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(folder: Path, words: tuple[str, ...], said: str) -> None:
    told = tail(folder, *words)
    assert (told.exit_code, said in told.stderr) == (USAGE, True)


def test_an_unknown_lane_is_wrong_usage(folder: Path) -> None:
    told = CliRunner().invoke(app, ["journal", "tail", "app-psh", "-c", str(folder)])
    assert (told.exit_code, "app-push" in told.stderr) == (USAGE, True)


def test_a_cluster_that_does_not_answer_is_told(tmp_path: Path) -> None:
    closed = LINES.replace("source: {lines: events.jsonl}", 'kafka: {bootstrap: "127.0.0.1:1"}')
    write(tmp_path, closed, ROUTES)
    told = tail(tmp_path)
    assert (told.exit_code, "broker_unreachable" in told.stderr) == (FAILED, True)


def test_following_goes_on_until_ctrl_c_and_ends_cleanly(folder: Path) -> None:
    vestnik = Path(sys.executable).with_name("vestnik")
    command = [str(vestnik), "journal", "tail", "app-push", "-c", str(folder), "--follow", "--since", "2025-12-31"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = [process.stdout.readline() for _ in RECORDS]
        assert "parked" in shown[-1]
        path = folder / "out" / "vestnik.journal.app-push.jsonl"
        with path.open("a") as file:
            file.write(path.read_text().splitlines()[0] + "\n")
        assert "claim" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (FINE, "")
