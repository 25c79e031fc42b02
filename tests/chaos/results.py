"""What the rows measured, one line of JSON for each run, in `results.jsonl` beside this file."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.row import Outcome, Row

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one row. `commit` has a plus where the tree differed from it; `when` is UTC."""

    row: str
    commit: str
    passed: bool
    measured: str
    figures: Mapping[str, float | int | str]
    seconds: float
    compressed: str
    when: str

    @classmethod
    def of(cls, row: Row, outcome: Outcome, commit: str, seconds: float) -> "Result":
        when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(
            row.id, commit, outcome.passed, outcome.measured, outcome.figures, round(seconds, 1), row.compressed, when
        )


def append(result: Result, path: Path = RESULTS) -> None:
    """One write for one line, so that runs side by side do not mix theirs."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


def read(path: Path = RESULTS) -> Iterator[Result]:
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            yield Result(**json.loads(line))


def latest(path: Path = RESULTS) -> dict[str, Result]:
    """The last run of each row, by the row's id."""
    return {result.row: result for result in read(path)}


def passed_on(commit: str, path: Path = RESULTS) -> frozenset[str]:
    """Rows whose last run on this very commit passed; a tree that differs from its commit proves nothing twice."""
    if commit.endswith("+"):
        return frozenset()
    runs = {result.row: result.passed for result in read(path) if result.commit == commit}
    return frozenset(row for row, passed in runs.items() if passed)


def commit() -> str:
    """The commit that is run, with a plus where what ships, or the rows, differ from it."""
    head = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    dirty = _git("status", "--porcelain", "--untracked-files=no", "--", "../../consumer", "../../schemas", "*.py")
    return f"{head}+" if dirty else head


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=False).stdout.strip()
