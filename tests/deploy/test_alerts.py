"""Alerts fire when they should and are silent when they should be, as promtool judges; and they name real metrics."""

import re
import subprocess
from pathlib import Path

from consumer.app.metrics import Metrics
from consumer.app.wiring import expected
from tests.app.support import setup_of

HERE = Path(__file__).resolve().parent
ALERTS = HERE.parents[1] / "deploy" / "prometheus" / "alerts.yaml"


def test_every_alert_fires_and_is_silent_as_its_tests_say() -> None:
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(HERE / "alerts.test.yaml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_an_alert_exists(tmp_path: Path) -> None:
    told = Metrics(expected(setup_of(tmp_path), "1")).render().decode()
    named = set(re.findall(r"\bvestnik_\w+", ALERTS.read_text("utf-8")))
    assert named
    assert {name for name in named if f"# TYPE {name} " not in told} == set()
