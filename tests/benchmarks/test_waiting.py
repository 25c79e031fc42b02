"""The benchmark of what waits runs, and weighs what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import waiting

COMMANDS = 400


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file: Path = tmp_path_factory.mktemp("waiting") / "waiting.json"
    waiting.main(["--json", str(file), "--commands", str(COMMANDS), "--events", "40", "--rounds", "1"])
    told: dict[str, Any] = json.loads(file.read_text())
    return told


def test_everything_waits_in_groups_of_equal_texts(figures: dict[str, Any]) -> None:
    groups = {weight["kind"]: (weight["commands"], weight["groups"]) for weight in figures["weights"]}
    assert groups == {"personal": (COMMANDS, COMMANDS), "twelve": (COMMANDS, 12)}


def test_texts_are_weighed_apart(figures: dict[str, Any]) -> None:
    personal, twelve = (weight["texts_bytes"] for weight in figures["weights"])
    assert personal > 100 > twelve > 0


def test_each_way_costs_some_time(figures: dict[str, Any]) -> None:
    assert all(cost[name] > 0 for cost in figures["costs"] for name in ("admit_us", "take_us", "land_us"))
