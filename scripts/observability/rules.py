"""The recording rules: "delivered in time", which is the service level that Vestnik promises to a shop."""

from collections.abc import Iterator
from typing import Any

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

# Accepted, expired, or of unknown fate. What was replaced, suppressed or refused was not late.
COUNTED = 'vestnik_commands_ended_total{outcome=~"delivered|expired|unknown"}'
IN_TIME = "vestnik_pushes_in_time_total"


def late(window: str) -> str:
    """The name of the recorded share of commands that came late or not at all, over a window."""
    return f"lane:vestnik_late:ratio_rate{window}"


def recording_rules() -> dict[str, Any]:
    """The group of rules, as Prometheus reads it."""
    return {"name": "vestnik-in-time", "interval": "1m", "rules": list(_rules())}


def _rules() -> Iterator[dict[str, str]]:
    for window in WINDOWS:
        good = f"sum by (job, lane) (rate({IN_TIME}[{window}]))"
        # Without traffic there is no share, and nobody is late.
        all_of_them = f"(sum by (job, lane) (rate({COUNTED}[{window}])) > 0)"
        yield {"record": late(window), "expr": f"clamp_min(1 - {good} / {all_of_them}, 0)"}
