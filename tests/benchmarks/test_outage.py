"""A short outage of the provider at ten times the usual traffic: memory is bounded and flat, and nothing is lost."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import outage
from tests.benchmarks.outage_inside import Minute, Result


def test_a_quarter_of_an_hour_without_the_provider_keeps_memory_flat_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "QUICK", replace(outage.QUICK, per_second=10.0, commands=300))
    file = tmp_path / "outage.json"
    assert outage.main(["--quick", "--json", str(file)]) == 0
    told = json.loads(file.read_text())
    assert told["faults"] == []
    assert told["published"] == told["committed"] == sum(told["outcomes"].values()) == 14 * 60 * 10
    assert told["most_rss_mib"] <= 256
    assert told["rss_slope_mib_per_minute"] <= 1.0
    assert told["most_waiting"] <= 300 + 500
    assert "All as it must be." in capsys.readouterr().out


def test_every_number_that_is_not_as_it_must_be_is_named() -> None:
    task = replace(outage.QUICK, commands=10)
    minutes = [
        Minute(minute, out=True, rss_mib=250.0 + 2 * minute, waiting=10, lag=0, told=0, probes=1) for minute in range(9)
    ]
    result = Result(minutes, published=10, committed=8, pushes=5, repeats=1, outcomes={"delivered": 7}, worst_drift=1)
    assert outage.faults(outage.figures(task, result)) == [
        "memory is 266.0 MiB, over 256",
        "memory grows by 2.0 MiB a minute",
        "2 records have no end",
        "outcomes and records differ",
        "the provider and the lane count differently",
        "1 people were told twice",
        "the counters drift by 1",
    ]
