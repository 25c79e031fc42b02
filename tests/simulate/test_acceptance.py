"""A whole day is kept in bounds, and the acceptance run finds what is not."""

from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from consumer.core.model import Outcome, Priority
from consumer.simulate.acceptance import BOUNDS, Bound, disorder, told
from consumer.simulate.figures import Figures, Tally
from consumer.simulate.report import duration
from consumer.simulate.scenarios import PRESETS, Result, Run, Scenario, perform, preset


def test_turn_and_price_keeps_the_whole_simulated_day_in_bounds() -> None:
    result = perform(Run("turn", preset("day", seed=1)))
    # How long it takes is measured where nothing else runs beside it.
    assert list(replace(BOUNDS["day"], seconds=None).misses(result)) == []
    assert result.figures.whole.published == result.figures.whole.delivered > 311_000


def made_up(policy: str, *, expired: int = 0, in_time: int = 100, coarser: int = 0, seconds: float = 1.0) -> Result:
    tally = Tally(100, 100 - expired, in_time, coarser, Counter({Outcome.EXPIRED: expired}))
    return Result(Run(policy, Scenario()), Figures(dict.fromkeys(Priority, tally), 10, 100), seconds)


def test_every_bound_that_is_missed_is_named() -> None:
    bound = Bound((0.99, 0.9, 0.98), 0.1, 60.0)
    assert list(bound.misses(made_up("turn", coarser=10, in_time=99))) == []
    assert list(bound.misses(made_up("turn", expired=1, in_time=95, coarser=11, seconds=61.0))) == [
        "3 expired",
        "urgent: 95.000% in time, not 99.0%",
        "low: 95.000% in time, not 98.0%",
        "11.11% coarser, more than 10%",
        "took 61 s of one core, more than 60",
    ]


def row_of_merit() -> dict[str, Result]:
    losses = zip(("fifo", "strict", "oldest", "largest"), (90, 50, 7, 5), strict=True)
    figures = {name: made_up(name, expired=loss, in_time=100 - loss) for name, loss in losses}
    for name, in_time, coarser in (("deadline", 60, 0), ("slack", 80, 0), ("ladder", 99, 10), ("turn", 99, 6)):
        figures[name] = made_up(name, in_time=in_time, coarser=coarser)
    return figures


def test_the_known_order_of_merit_is_in_order() -> None:
    assert list(disorder(row_of_merit())) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (made_up("strict", expired=95), "fifo loses no more than strict"),
        (made_up("slack", expired=1, in_time=80), "slack loses 3"),
        (made_up("slack", in_time=50), "deadline tells no fewer in time than slack"),
        (made_up("turn", coarser=10), "turn coarsens no less than ladder"),
    ],
)
def test_another_order_of_merit_is_told(changed: Result, said: str) -> None:
    assert list(disorder(row_of_merit() | {changed.run.policy: changed})) == [said]


def test_the_acceptance_run_prints_both_tables_and_what_was_missed() -> None:
    console = Console(file=StringIO(), record=True, width=150)
    kept = replace(made_up("turn"), run=Run("turn", Scenario(), "day, seed 1"))
    assert told([kept], list(row_of_merit().values()), console) == []
    slow = replace(kept, cpu_seconds=90.0)
    assert told([slow], [], console) == ["day, seed 1: took 90 s of one core, more than 60"]
    printed = console.export_text()
    assert "all bounds kept" in printed
    assert "missed: day, seed 1: took 90 s" in printed


def test_a_preset_is_a_scenario_of_its_seed() -> None:
    assert BOUNDS.keys() <= PRESETS.keys()
    assert preset("day", 5) != preset("day", 6)
    with pytest.raises(KeyError):
        preset("sunday")


def test_times_are_told_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (5.4, 600.0, 12_600.0, float("nan"))] == ["5 s", "10 min", "3.5 h", "–"]
