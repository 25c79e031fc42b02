"""`vestnik simulate`: what it prints, and what it refuses."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.simulate.commands import add_to
from tests.simulate.test_recorded import ROUTES, event

APP = typer.Typer()
add_to(APP)
POLICY_KEYS = {"expired_ratio", "in_time", "coarser_ratio", "requests", "recipients_per_request", "wait_seconds"}


def call(*words: object) -> Result:
    return CliRunner().invoke(APP, [str(word) for word in words])


def test_json_has_the_figures_of_each_policy() -> None:
    result = call("--scale", 0.01, "-p", "turn", "-p", "ladder", "--output", "json", "--seed", 3)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["simulated"] == {
        "preset": "day",
        "events": None,
        "olist": None,
        "seed": 3,
        "requests": 10,
        "per_seconds": 60.0,
        "errors_ratio": 0.0,
        "read": {},
    }
    assert list(told["policies"]) == ["turn", "ladder"]
    for figures in told["policies"].values():
        assert figures.keys() >= POLICY_KEYS
        assert figures["in_time"] == {"urgent": 1.0, "normal": 1.0, "low": 1.0}
        assert figures["wait_seconds"].keys() == {"p50", "p95", "p99"}
        assert figures["published"] == figures["delivered"]
        assert figures["published"] == sum(
            figures["classes"][name]["published"] for name in ("urgent", "normal", "low")
        )


def test_the_table_compares_all_policies_and_is_never_cut() -> None:
    result = call("--scale", 0.005, "--compare", "--requests", 2, "--per", "1m")
    assert result.exit_code == 0, result.output
    assert "2 requests in 60 s" in result.stdout
    names = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("│")]
    assert names == ["fifo", "strict", "oldest", "largest", "deadline", "slack", "ladder", "turn"]
    assert "…" not in result.stdout


def test_options_change_the_preset() -> None:
    words = ("--preset", "quiet", "--scale", 0.002, "--unique", 100, "--texts", 2, "--closed", "12:00-14:00")
    figures = json.loads(call(*words, "-o", "json").stdout)["policies"]["turn"]
    assert figures["wait_seconds"]["p99"] > 60.0
    assert figures["expired_ratio"] > 0, "urgent messages do not outlive a gate that is closed for two hours"


def test_several_processes_find_the_same_as_one() -> None:
    words = ("--scale", 0.003, "-p", "turn", "-p", "fifo", "-o", "json")
    one, two = (json.loads(call(*words, "--processes", n).stdout)["policies"] for n in (1, 2))
    for figures in (*one.values(), *two.values()):
        del figures["cpu_seconds"]
    assert one == two


def test_a_recorded_topic_is_simulated_with_the_shops_routes(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(ROUTES, encoding="utf-8")
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(event(number)) + "\n" for number in range(30)))
    words = ("--events", events, "--routes", tmp_path)
    assert "say which one: app-push, staff" in call(*words).stderr
    result = call(*words, "--lane", "app-push", "-o", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["simulated"]["events"] == str(events)
    assert told["simulated"]["read"] == {"records": 30, "commands": 30}
    assert told["policies"]["turn"]["delivered"] == 30
    assert told["policies"]["turn"]["in_time"] == {"urgent": None, "normal": 1.0, "low": None}
    table = call(*words, "--lane", "app-push").stdout
    assert "30 records, 30 commands" in table
    assert "–" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "best"], 'unknown policy "best"; there are fifo, strict, oldest'),
        (["--preset", "sunday"], 'unknown preset "sunday"; there are day, unique-10'),
        (["--per", "60"], "--per: "),
        (["--per", "0s"], "longer than nothing"),
        (["--closed", "noon"], '"noon" is not like 12:00-13:00'),
        (["--closed", "13:00-12:00"], "it must end after it begins"),
        (["--routes", "."], "--routes and --lane belong to --events or --olist"),
        (["--events", __file__], "--events wants --routes"),
        (["--events", __file__, "--unique", "10"], "belong to a made-up day"),
    ],
)
def test_wrong_use_is_told_in_one_line_with_exit_code_2(words: list[str], said: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_routes_with_mistakes_and_unknown_lanes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(ROUTES.replace("12h", "12"), encoding="utf-8")
    refused = call("--events", __file__, "--routes", tmp_path)
    assert (refused.exit_code, "shop.yaml:4" in refused.stderr) == (2, True), refused.stderr
    (tmp_path / "shop.yaml").write_text(ROUTES, encoding="utf-8")
    assert (
        "unknown lane 'sms': app-push, staff"
        in call("--events", __file__, "--routes", tmp_path, "--lane", "sms").stderr
    )
