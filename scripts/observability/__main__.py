"""Writes rules, dashboards and the pages about metrics and log lines anew: `python -m scripts.observability`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.observability.alerts import alert_rules
from scripts.observability.boards import BOARDS
from scripts.observability.kit import rendered
from scripts.observability.log_events import log_page
from scripts.observability.pages import metrics_page
from scripts.observability.rules import recording_rules

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NOTE = "# Made by `make references` out of scripts/observability; a test compares.\n"


def files() -> Iterator[tuple[Path, str]]:
    """Each file and what must stand in it."""
    yield DEPLOY / "prometheus" / "rules.yaml", _rules(recording_rules())
    yield DEPLOY / "prometheus" / "alerts.yaml", _rules(alert_rules())
    yield DEPLOY / "kubernetes" / "components" / "rules" / "prometheusrule.yaml", _resource()
    yield DEPLOY.parent / "docs" / "metrics.md", metrics_page()
    yield DEPLOY.parent / "docs" / "log-events.md", log_page()
    for board in BOARDS:
        yield DEPLOY / "grafana" / f"{board.uid}.json", rendered(board)


def _resource() -> str:
    """The same rules for the operator of Prometheus in Kubernetes."""
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "vestnik"},
        "spec": {"groups": [recording_rules(), alert_rules()]},
    }
    return NOTE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _rules(group: dict[str, Any]) -> str:
    return NOTE + yaml.safe_dump({"groups": [group]}, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    for path, text in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
