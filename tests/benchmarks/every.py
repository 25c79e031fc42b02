"""All benchmarks at a modest size, and what became of the ratios that were recorded the last time.

`python -m tests.benchmarks.every --compare` prints each ratio beside the recorded one and fails only where more than a
third is lost: machines are noisy, and a guard that cries wolf is switched off. `--record` writes the new ones down.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import outbox, peers, plan, request, standing, whole
from tests.benchmarks.stage import OWN_KAFKA
from tests.benchmarks.telling import keep, parser_of, ruled
from tests.kafka.ring import available

RECORDED = Path(__file__).with_name("recorded.json")
GROSS_LOSS = 1 / 3
EVENTS = 4_000
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Change:
    """A ratio then and now; more is better. `before` is None where there is none yet, `now` where it was not
    measured."""

    name: str
    before: float | None
    now: float | None

    @property
    def is_gross_loss(self) -> bool:
        return self.before is not None and self.now is not None and self.now < self.before * (1 - GROSS_LOSS)


def changes(recorded: Mapping[str, float], found: Mapping[str, float]) -> list[Change]:
    names = dict.fromkeys((*recorded, *found))
    return [Change(name, recorded.get(name), found.get(name)) for name in names]


def ratios(whole_job: Path, pure_way: Path) -> dict[str, float]:
    """What can be compared from one run to the next: shares of the same CPU, more is better."""
    job = json.loads(whole_job.read_text())
    found: dict[str, float] = dict(job["ratios"])
    costs = {score["job"]: score["us_per_event"] for score in job["scores"] if score["contestant"] == "vestnik"}
    pure = {row["way"]: row["us_per_event"] for row in json.loads(pure_way.read_text())}
    if {"orders", "coalesced"} <= costs.keys():
        found["a request an event/coalesced, CPU"] = round(costs["orders"] / costs["coalesced"], 2)
    if "coalesced" in costs:
        found["plan and put/coalesced, CPU"] = round(pure["plan and put, twelve texts"] / costs["coalesced"], 3)
    bare_bones = {
        score["job"]: score["us_per_event"] for score in job["scores"] if score["contestant"] == "vestnik-null"
    }
    if "orders" in bare_bones:
        found["plan/whole job without HTTP, CPU"] = round(pure["plan, personal texts"] / bare_bones["orders"], 3)
    found["decode/plan of a personal text, CPU"] = round(pure["decode"] / pure["plan, personal texts"], 3)
    return found


def request_ratios(one_request: Path) -> dict[str, float]:
    """The same of one request: how many requests of the sink cost as much as a bare post."""
    told = json.loads(one_request.read_text())["ratios"]
    return {f"bare post/request of the sink on {loop}, CPU": round(1 / ratio, 2) for loop, ratio in told.items()}


def table(told: Sequence[Change]) -> Table:
    made = ruled("Ratios, more is better", ["ratio"], ("recorded", "now", "wanted", ""))
    for each in told:
        wanted = whole.wanted_of(each.name)
        figures = (("–" if value is None else f"{value:.2f}") for value in (each.before, each.now, wanted))
        made.add_row(each.name, *figures, "lost more than a third" if each.is_gross_loss else "")
    return made


def measured(folder: Path, options: argparse.Namespace, bootstrap: str) -> tuple[dict[str, Any], dict[str, float]]:
    """All figures by their benchmarks, and the ratios of this run."""
    events = str(options.events)
    where = ["--bootstrap", bootstrap] if bootstrap else []

    def file(name: str) -> list[str]:
        return ["--json", str(folder / f"{name}.json")]

    outbox.main([*file("outbox"), "--commands", str(10 * options.events), "--groups", str(5 * options.events)])
    plan.main([*file("plan"), "--events", events])
    request.main([*file("request"), "--requests", events, "--rounds", "3"])
    work = ["--events", events, "--coalesced", str(5 * options.events), "--latency-ms", *options.latency_ms]
    whole.main([*file("whole"), *work, "--contestants", *options.contestants, "--rounds", str(options.rounds), *where])
    if not options.brief:
        standing.main([*file("standing"), *where])
    found = ratios(folder / "whole.json", folder / "plan.json") | request_ratios(folder / "request.json")
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}, found


def kafka(asked: str) -> str:
    """Where to measure: the address that was asked for, a Kafka of this run's own, or "" where none can be had."""
    why_not = available()
    if asked in ("", OWN_KAFKA) and why_not is not None:
        Console(width=120).print(f"on the embedded broker: {why_not}", markup=False)
        return ""
    return "" if asked == EMBEDDED else asked or OWN_KAFKA


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("every", __doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--latency-ms", nargs="+", default=["0", "20"])
    parser.add_argument("--contestants", nargs="+", default=list(peers.CONTESTANTS))
    parser.add_argument("--bootstrap", default="", help=f"a Kafka, or `{EMBEDDED}`; without any one of its own")
    parser.add_argument("--rounds", type=int, default=3, help="of the whole job; medians are told")
    parser.add_argument("--brief", action="store_true", help="without what takes minutes")
    parser.add_argument("--compare", action="store_true", help="fail where more than a third of a ratio is lost")
    parser.add_argument("--record", action="store_true", help="write the ratios down for the next time")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures, found = measured(Path(folder), options, kafka(options.bootstrap))
    told = changes(json.loads(RECORDED.read_text()) if RECORDED.exists() else {}, found)
    Console(width=120).print(table(told))
    keep({**figures, "ratios": found}, options.json)
    if options.record:
        RECORDED.write_text(json.dumps(found, indent=2) + "\n")
    return int(options.compare and any(each.is_gross_loss for each in told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
