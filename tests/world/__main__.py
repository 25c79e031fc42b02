"""Runs worlds by the thousand, or every planted bug: `python -m tests.world --seeds 0-1999`, `--mutants`.

A line for each violation; the summary goes as one line of JSON to `results.jsonl` beside this file, every hundred
worlds, so that a run that was broken off goes on with `--resume`. The exit code is 1 where anything was violated.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.world.mutants import MUTANTS, SEEDS, hunt
from tests.world.world import Result, run_world

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
CHUNK = 100


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
            "commit": commit(),
            "seeds": f"{self.first}-{self.last}",
            "seconds": round(time.monotonic() - self.began, 1),
            **{name: getattr(self, name) for name in counts},
            "violations": len(self.failed),
            "failed": self.failed,
        }


def commit() -> str:
    """The commit that was run, with a plus where the tree differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    dirty = _git("status", "--porcelain", "--untracked-files=no", "--", "consumer", "schemas", "tests/world/*.py")
    return f"{head}+" if dirty else head


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("unknown" if words[0] == "rev-parse" else "")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(record: dict[str, Any]) -> None:
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def chunks(first: int, last: int) -> Iterator[range]:
    for start in range(first, last + 1, CHUNK):
        yield range(start, min(start + CHUNK, last + 1))


def finished() -> set[str]:
    """The ranges that this commit has run already."""
    if not RESULTS.exists():
        return set()
    records = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    now = commit()
    return {str(record["seeds"]) for record in records if record.get("commit") == now and "worlds" in record}


def run_seeds(first: int, last: int, done: set[str]) -> int:
    failed = 0
    for seeds in chunks(first, last):
        tally = Tally(seeds[0], seeds[-1])
        if f"{tally.first}-{tally.last}" in done:
            continue
        for seed in seeds:
            result = run_world(seed)
            tally.add(result)
            for violation in result.violations:
                say(f"seed {seed}: {violation}")
        write(tally.summary())
        failed += len(tally.failed)
        say(f"{tally.first}-{tally.last}: {tally.worlds} worlds, {len(tally.failed)} with violations")
    return failed


def run_mutants() -> int:
    """Every planted bug must be noticed within `SEEDS` seeds."""
    began = time.monotonic()
    caught: dict[str, Any] = {}
    for mutant in MUTANTS:
        catch = hunt(mutant, range(SEEDS))
        caught[mutant.name] = None if catch.seed is None else {"seed": catch.seed, "rules": catch.rules}
        say(f"{mutant.name}: " + ("NOT NOTICED" if catch.seed is None else f"seed {catch.seed}, {catch.rules}"))
    missed = [name for name, catch in caught.items() if catch is None]
    seconds = round(time.monotonic() - began, 1)
    write({"commit": commit(), "mutants": len(caught), "missed": missed, "seconds": seconds, "caught": caught})
    say(f"{len(caught) - len(missed)} of {len(caught)} mutants noticed")
    return len(missed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", metavar="A-B", help="run the worlds of these seeds")
    parser.add_argument("--resume", action="store_true", help="leave out ranges that this commit has run already")
    parser.add_argument("--mutants", action="store_true", help="run every planted bug")
    chosen = parser.parse_args()
    failed = 0
    if chosen.seeds:
        first, _, last = chosen.seeds.partition("-")
        failed += run_seeds(int(first), int(last or first), finished() if chosen.resume else set())
    if chosen.mutants:
        failed += run_mutants()
    if not chosen.seeds and not chosen.mutants:
        parser.print_help()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
