"""The whole job is done at its smallest, and a gross loss is found."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import every, whole
from tests.benchmarks.every import Change, changes
from tests.benchmarks.jobs import COALESCED, ORDERS


def test_every_event_is_pushed_once_and_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "whole.json"
    asked = ["--json", str(file), "--events", "100", "--latency-ms", "0", "--contestants", "vestnik"]
    assert whole.main(asked) == 0
    (score,) = json.loads(file.read_text())["scores"]
    assert (score["requests"], score["twice"], score["committed"]) == (100, 0, True)
    assert score["events_per_cpu_second"] > 0
    assert score["rss_mib"] > 10
    assert "vestnik" in capsys.readouterr().out


def test_without_http_every_event_is_counted_once_and_committed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "whole.json"
    asked = ["--json", str(file), "--events", "100", "--latency-ms", "20", "--contestants", "vestnik-null"]
    assert whole.main(asked) == 0
    (score,) = json.loads(file.read_text())["scores"]
    assert (score["requests"], score["twice"], score["committed"]) == (100, 0, True)
    assert (score["latency_ms"], score["wanted_us_per_event"]) == (0, 100)
    assert "≤ 100" in capsys.readouterr().out


@pytest.mark.long
def test_equal_texts_share_requests_and_the_bare_loop_does_the_same_work(tmp_path: Path) -> None:
    file = tmp_path / "whole.json"
    asked = ["--events", "300", "--latency-ms", "20", "--contestants", "vestnik", "bare", "--coalesced", "3000"]
    assert whole.main(["--json", str(file), *asked]) == 0
    found = json.loads(file.read_text())
    assert [(each["contestant"], each["twice"], each["committed"]) for each in found["scores"]] == [
        ("vestnik", 0, True),
        ("bare", 0, True),
        ("vestnik", 0, True),
    ]
    assert found["scores"][2]["requests"] < 1500
    assert list(found["ratios"]) == ["vestnik/bare at 20 ms"]


def test_no_two_events_of_the_work_are_for_one_customer_and_the_accruals_have_twelve_texts() -> None:
    for job in (ORDERS, COALESCED):
        events = [json.loads(each) for seed in (1, 2) for each in job.events(500, seed)]
        assert len({event["customer"]["id"] for event in events}) == len(events)
        assert len({event["event_id"] for event in events}) == len(events)
    assert len({(event["customer"]["locale"], event["bonus"]["amount"]) for event in events}) == 12


def score(contestant: str, us: float, number: int) -> whole.Score:
    return whole.Score(contestant, "orders", 20.0, 100, 1e6 / us, 1e6 / us, us, 50.0, 0.5, 100, 0, True, number)


def test_the_median_of_the_rounds_is_told_and_a_ratio_is_of_one_round() -> None:
    ours = [score("vestnik", us, number) for number, us in enumerate((100.0, 400.0, 200.0), 1)]
    bare = [score("bare", us, number) for number, us in enumerate((90.0, 400.0, 150.0), 1)]
    found = [each for together in zip(ours, bare, strict=True) for each in together]
    assert [each.us_per_event for each in whole.typical(found)] == [200.0, 150.0]
    assert whole.ratios(found) == {"vestnik/bare at 20 ms": 0.9}


def test_only_a_loss_of_more_than_a_third_is_a_failure() -> None:
    told = changes({"a": 1.0, "b": 1.0, "gone": 1.0}, {"a": 0.67, "b": 0.66, "new": 0.1})
    assert [each.name for each in told if each.is_gross_loss] == ["b"]
    assert told[2:] == [Change("gone", 1.0, None), Change("new", None, 0.1)]


def test_ratios_come_of_both_measurements(tmp_path: Path) -> None:
    job, pure = tmp_path / "whole.json", tmp_path / "plan.json"
    scores = [
        {"contestant": "vestnik", "job": "orders", "us_per_event": 400.0},
        {"contestant": "vestnik", "job": "coalesced", "us_per_event": 50.0},
        {"contestant": "vestnik-null", "job": "orders", "us_per_event": 100.0},
    ]
    job.write_text(json.dumps({"scores": scores, "ratios": {"vestnik/bare at 20 ms": 0.9}}))
    costs = {"decode": 10.0, "plan, personal texts": 40.0, "plan and put, twelve texts": 25.0}
    pure.write_text(json.dumps([{"way": way, "us_per_event": cost} for way, cost in costs.items()]))
    assert every.ratios(job, pure) == {
        "vestnik/bare at 20 ms": 0.9,
        "a request an event/coalesced, CPU": 8.0,
        "plan and put/coalesced, CPU": 0.5,
        "plan/whole job without HTTP, CPU": 0.4,
        "decode/plan of a personal text, CPU": 0.25,
    }
