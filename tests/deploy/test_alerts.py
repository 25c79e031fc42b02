"""Alerts fire when they should and are silent when they should be, as promtool judges; and they name real metrics."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.app.metrics import Metrics
from consumer.app.wiring import expected
from scripts.observability.__main__ import files
from scripts.observability.alerts import RUNBOOKS, names
from tests.app.support import setup_of
from tests.deploy.alert_cases import CASES, Case, Series

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.yaml"))


@pytest.mark.deploy
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *map(str, RULES))


@pytest.mark.deploy
def test_the_words_of_an_alert_are_as_written() -> None:
    promtool("test", "rules", str(HERE / "refresh_token.test.yaml"))


@pytest.mark.deploy
def test_every_alert_fires_over_one_history_and_is_silent_over_another(tmp_path: Path) -> None:
    told = [test for case in CASES for test in histories(case)]
    path = tmp_path / "cases.test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rule) for rule in RULES], "tests": told}), "utf-8")
    promtool("test", "rules", str(path))


def test_every_alert_has_such_histories() -> None:
    with_cases = {case.alert for case in CASES} | {"VestnikRefreshTokenNearItsEnd"}
    assert with_cases == set(names())


def test_every_alert_has_a_page_that_says_what_it_means_how_to_see_it_and_what_to_do() -> None:
    for name in names():
        headings = re.findall(r"^## (.+)$", (ROOT / RUNBOOKS / f"{name}.md").read_text("utf-8"), re.MULTILINE)
        assert headings == ["What it means", "How to see it", "What to do"], name
    assert {page.stem for page in (ROOT / RUNBOOKS).glob("*.md")} == {*names(), "index"}


def test_every_metric_of_a_rule_exists(tmp_path: Path) -> None:
    exposed = set(re.findall(r"# TYPE (\w+) ", Metrics(expected(setup_of(tmp_path), "1")).render().decode()))
    for rule in RULES:
        expressions = [
            each["expr"] for group in yaml.safe_load(rule.read_text("utf-8"))["groups"] for each in group["rules"]
        ]
        named = set(re.findall(r"(?<![:\w])vestnik_\w+", " ".join(expressions)))
        assert named
        assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} - exposed == set()


def test_the_files_are_those_that_the_sources_make() -> None:
    """`make references` writes them."""
    for path, text in files():
        assert path.read_text("utf-8") == text, path.name


def histories(case: Case) -> Iterator[dict[str, Any]]:
    """The two tests of a case, as promtool reads them."""
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    for series, samples in ((case.fires, [{"labels": "{}", "value": case.count}]), (case.silent, [])):
        question = {"expr": firing, "eval_time": f"{case.at}m", "exp_samples": samples}
        yield {
            "interval": "1m",
            "name": f"{case.alert} {'fires' if samples else 'is silent'}",
            "input_series": listed(series),
            "promql_expr_test": [question],
        }


def listed(series: Series) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
