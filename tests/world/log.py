"""What came of runs: a line of JSON for each hundred worlds and each hunt, and what all of them say together."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.world.world import Result

HERE = Path(__file__).parent
# What a world is made of. Other sources may change without another run.
SOURCES = ("consumer/core", "consumer/engine", "consumer/streams", "schemas", "tests/world/*.py", "tests/virtual.py")


@dataclass
class Tally:
    """What came of a range of seeds."""

    first: int
    last: int
    began: float = field(default_factory=time.monotonic)
    worlds: int = 0
    events: int = 0
    pushes: int = 0
    repeats: int = 0
    residuals: int = 0
    lives: int = 0
    faults: int = 0
    failed: dict[int, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.first}-{self.last}"

    def add(self, result: Result) -> None:
        self.worlds += 1
        self.events += result.events
        self.pushes += result.pushes
        self.repeats += result.repeats
        self.residuals += result.residuals
        self.lives += result.lives
        self.faults += len(result.faults)
        if result.violations:
            self.failed[result.seed] = result.rules

    def summary(self) -> dict[str, Any]:
        counts = ("worlds", "events", "pushes", "repeats", "residuals", "lives", "faults")
        return {
            "seeds": self.name,
            "seconds": round(time.monotonic() - self.began, 1),
            **{name: getattr(self, name) for name in counts},
            "violations": len(self.failed),
            "failed": self.failed,
        }


class Log:
    """The file of results. Each line names its commit, with a plus where the sources differed from it."""

    def __init__(self, path: Path, processes: int) -> None:
        self._path = path
        self._processes = processes
        self._commit = commit()

    @property
    def records(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]

    def write(self, record: dict[str, Any]) -> None:
        line = json.dumps({"commit": self._commit, "processes": self._processes} | record)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def finished(self) -> set[str]:
        """The ranges that were run with the sources as they are."""
        return {str(record["seeds"]) for record in self.records if "seeds" in record and unchanged(record["commit"])}

    def noticed(self) -> set[str]:
        """The planted bugs that were noticed with the sources as they are."""
        hunts = [record for record in self.records if "mutant" in record and unchanged(record["commit"])]
        return {str(hunt["mutant"]) for hunt in hunts if hunt["seed"] is not None}


def commit() -> str:
    head = _git("rev-parse", "--short=12", "HEAD").stdout.strip() or "unknown"
    return head if unchanged("HEAD") else f"{head}+"


@cache
def unchanged(since: str) -> bool:
    """Whether all that a world is made of is as it was in that commit."""
    return not since.endswith("+") and _git("diff", "--quiet", since, "--", *SOURCES).returncode == 0


def _git(*words: str) -> "subprocess.CompletedProcess[str]":
    root = HERE.parent.parent
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)


def report(records: Sequence[dict[str, Any]]) -> str:
    """For each commit its worlds, and the seeds whose last run was not clean."""
    runs = [record for record in records if "worlds" in record]
    counts: dict[str, list[float]] = {}
    last: dict[int, list[str]] = {}
    for run in runs:
        count = counts.setdefault(run["commit"], [0, 0, 0.0])
        for place, name in enumerate(("worlds", "violations", "seconds")):
            count[place] += run[name]
        first, _, end = run["seeds"].partition("-")
        for seed in range(int(first), int(end) + 1):
            last[seed] = run["failed"].get(str(seed), [])
    lines = [f"{name}: {w:.0f} worlds, {v:.0f} with violations, {s:.0f} s" for name, (w, v, s) in counts.items()]
    for name, (noticed, missed) in _hunts(records).items():
        lines.append(
            f"{name}: {noticed} of {noticed + len(missed)} mutants noticed" + "".join(f"; not: {m}" for m in missed)
        )
    failing = {seed: rules for seed, rules in sorted(last.items()) if rules}
    lines.append(f"{len(last)} seeds, {len(failing)} open: {failing}" if failing else f"{len(last)} seeds, none open")
    return "\n".join(lines)


def _hunts(records: Sequence[dict[str, Any]]) -> dict[str, tuple[int, list[str]]]:
    """How many planted bugs were noticed at each commit, and which were not."""
    found: dict[str, tuple[int, list[str]]] = {}
    for record in records:
        count, missed = found.get(record["commit"], (0, []))
        if "mutants" in record:  # a whole hunt in one line, as it once was written
            found[record["commit"]] = (count + record["mutants"] - len(record["missed"]), missed + record["missed"])
        elif "mutant" in record:
            lost = [] if record["seed"] is not None else [record["mutant"]]
            found[record["commit"]] = (count + 1 - len(lost), missed + lost)
    return found
