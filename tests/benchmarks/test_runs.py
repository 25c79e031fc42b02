"""The benchmark runs, at its smallest."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import outbox


def test_the_benchmark_measures_a_thousand_commands_and_writes_them_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "outbox.json"
    outbox.main(["--json", str(file), "--commands", "1000", "--groups", "1000"])
    figures = json.loads(file.read_text())
    assert [(each["commands"], each["groups"]) for each in figures["loads"]] == [(1000, 30), (1000, 50)]
    assert [(each["groups"], each["recipients"]) for each in figures["batches"]] == [(1000, 1), (1000, 1000)]
    measured = [value for row in (*figures["loads"], *figures["batches"]) for value in row.values()]
    assert all(value > 0 for value in measured)
    assert "Batches of fifty" in capsys.readouterr().out
