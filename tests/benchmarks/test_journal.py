"""The journal's benchmark runs, and its journal is one that a lane could have written."""

import json
from pathlib import Path

from consumer.core.ports import Entry
from tests.benchmarks import journal
from tests.benchmarks.journal import SHAPES


def test_each_step_takes_some_time_in_requests_of_both_sizes(tmp_path: Path) -> None:
    file = tmp_path / "journal.json"
    journal.main(["--json", str(file), "--commands", "300", "--long", "1000", "--rounds", "1"])
    rows = json.loads(file.read_text())
    assert {(row["step"], row["commands_per_request"]) for row in rows} == {
        (step, shape.commands) for step in (row["step"] for row in rows) for shape in SHAPES
    }
    assert len(rows) == 18
    assert all(0 < row["us_per_command"] <= row["us_per_request"] for row in rows)


def test_every_command_of_the_journal_has_ended_and_its_thread_is_known() -> None:
    made = journal.requests(SHAPES[1], 3)
    memory = journal.fresh()
    for offset, record in enumerate(journal.records(made)):
        memory.apply(Entry(offset, journal.NOW, record))
    commands = [command for each in made for command in each.batch.commands]
    assert (len(commands), memory.unreadable, len(memory.open_attempts)) == (3000, 0, 0)
    assert all(memory.ended(command.id) == command.digest for command in commands)
    assert all(memory.attempted(command.thread or 0) == command.rank for command in commands)
