"""What is measured where, and what is printed beside it."""

import json
from pathlib import Path

import pytest

from consumer.core.memory import Memory
from consumer.streams.lines import LinesJournal
from tests.benchmarks import every, peers, whole
from tests.benchmarks.contestants.job import Task
from tests.benchmarks.peers import CONTESTANTS
from tests.benchmarks.standing import journal_of


def test_who_cannot_work_on_the_embedded_broker_is_left_out_with_the_reason() -> None:
    """And without an environment being made for it."""
    asked = [CONTESTANTS["quix"], CONTESTANTS["vestnik"]]
    assert list(peers.missing(asked, embedded=True)) == ["quix"]


def test_who_is_plain_takes_part_only_beside_a_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [CONTESTANTS["vestnik-plain"]]
    found = []
    for is_compiled in (False, True):
        monkeypatch.setattr(peers, "core_is_compiled", lambda told=is_compiled: told)
        found.append(list(peers.missing(asked, embedded=True)))
    assert found == [["vestnik-plain"], []]


def test_variants_of_a_framework_share_an_environment() -> None:
    assert CONTESTANTS["arroyo-lean"].place == CONTESTANTS["arroyo"].place


def test_a_wanted_ratio_is_the_usual_contestants_alone() -> None:
    """A lean variant has another name, and nothing is promised about it."""
    assert whole.wanted_of("vestnik/faust at 20 ms") == 2.0
    assert whole.wanted_of("vestnik/quix-lean at 20 ms") is None
    assert whole.wanted_of("plan and put/coalesced, CPU") is None


def test_without_java_everything_is_measured_on_the_embedded_broker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(every, "available", lambda: "no java")
    assert every.kafka("") == ""
    assert "no java" in capsys.readouterr().out
    assert every.kafka("host:9092") == "host:9092"


def test_with_java_a_kafka_is_started_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every, "available", lambda: None)
    assert [every.kafka(asked) for asked in ("", "kafka", "embedded", "host:9092")] == [
        "kafka",
        "kafka",
        "",
        "host:9092",
    ]


def test_a_contestant_is_told_its_task_as_json() -> None:
    task = Task("host:1", "topic", "group", "http://127.0.0.1:5000/", 256, lean=True)
    assert Task(**json.loads(json.dumps({name: getattr(task, name) for name in Task.__slots__}))) == task
    assert task.host == "127.0.0.1:5000"


async def test_the_long_journal_is_what_an_owner_would_have_left(tmp_path: Path) -> None:
    """Of every thousand commands an attempt and a landing, behind the claim."""
    file = tmp_path / "journal.jsonl"
    assert await journal_of(3000, LinesJournal(file)) > 100_000
    journal, memory = LinesJournal(file), Memory(3600.0)
    await journal.start()
    await journal.rewind(0.0)
    for entry in await journal.read(1.0):
        memory.apply(entry)
    await journal.stop()
    assert (memory.epoch, memory.unreadable, len(memory.open_attempts)) == (1, 0, 0)
    assert memory.attempted(2999) == 1
