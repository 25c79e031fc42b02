"""Several processes of a shared lane are compared round by round, and the smallest run does all its work."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import scale
from tests.benchmarks.scale import SHARES, Score


def score(processes: int, cost: float, shares: int = SHARES) -> Score:
    return Score(processes, shares, 1000, 500.0, 1e6 / cost, cost, 100.0, 0)


def test_a_ratio_is_the_median_of_those_of_each_round_for_rounds_differ_more_than_their_runs() -> None:
    runs = {
        (1, 1): [score(1, 100.0, 1)] * 3,
        (1, SHARES): [score(1, cost) for cost in (400.0, 800.0, 600.0)],
        (2, SHARES): [score(2, cost) for cost in (500.0, 800.0, 500.0)],
    }
    assert scale.ratios(runs) == {2: 1.0}
    assert scale.middle(runs[1, SHARES]).us_per_event == 600.0


@pytest.mark.kafka
@pytest.mark.long
def test_two_processes_do_all_the_work_and_tell_nobody_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scale.json"
    asked = ["--json", str(file), "--events", "400", "--rounds", "1", "--processes", "1", "2"]
    assert scale.main(asked) == 0
    found = json.loads(file.read_text())
    assert [(each["processes"], each["shares"], each["twice"]) for each in found["scores"]] == [
        (1, 1, 0),
        (1, SHARES, 0),
        (2, SHARES, 0),
    ]
    assert list(found["ratios"]) == ["2 processes/1, events a CPU second"]
    assert "of one process" in capsys.readouterr().out
