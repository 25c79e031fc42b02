"""The fault matrix of `docs/guarantees.md`, made from the rows and from what their last runs measured.

`python -m tests.chaos.table` writes it between its two markers; a test fails where somebody typed it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.chaos.discovery import FAMILIES, MATRIX, rows
from tests.chaos.results import RESULTS, Result, latest
from tests.chaos.row import Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
BEGIN = "<!-- the matrix begins: made by `python -m tests.chaos.table`, never typed -->"
END = "<!-- the matrix ends -->"
HEAD = "| row | what fails | what is promised | passes with | measured | sent again? | how |"
RULE = "|---|---|---|---|---|---|---|"


def matrix(results: Path = RESULTS) -> str:
    """The text between the markers."""
    found, measured = rows(), latest(results)
    parts = [_summary(found, measured)]
    parts += [_family(title, _with_parts(names.split(), found), found, measured) for title, names in FAMILIES]
    others = [row for row in found if row.partition(".")[0] not in MATRIX]
    parts += [_family("Others", others, found, measured)] if others else []
    return "\n\n".join(parts) + "\n"


def _with_parts(names: Iterable[str], found: Iterable[str]) -> list[str]:
    """Each row of the matrix, with the rows that are parts of it after it."""
    return [each for name in names for each in (name, *(row for row in found if row.startswith(f"{name}.")))]


def _summary(found: dict[str, Row], measured: dict[str, Result]) -> str:
    run = [measured[row] for row in found if row in measured]
    passed = sum(result.passed for result in run)
    hours = sum(result.seconds for result in run) / 3600
    return (
        f"{len(found)} rows are written; {len(run)} were run, which took {hours:.1f} hours in all, and {passed} of "
        "them passed the last time."
    )


def _family(title: str, names: list[str], found: dict[str, Row], measured: dict[str, Result]) -> str:
    lines = [_line(found[name], measured.get(name)) if name in found else _unwritten(name) for name in names]
    return "\n".join([f"### {title}", "", HEAD, RULE, *lines])


def _unwritten(name: str) -> str:
    return f"| {name} | | | | no row is written for it | | |"


def _line(row: Row, result: Result | None) -> str:
    test = f"`{row.test}`" if row.test else ""
    how = "; ".join(_how(row, result, test))
    cells = (row.id, row.fault, row.promise, row.passes, _measured(row, result), row.again, how)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _measured(row: Row, result: Result | None) -> str:
    if result is None:
        return f"not run: {row.not_run}" if row.not_run else "never run"
    return result.measured if result.passed else f"**failed**: {result.measured}"


def _how(row: Row, result: Result | None, test: str) -> Iterator[str]:
    if row.compressed:
        yield row.compressed
    if result is not None:
        yield f"{_spelt(result.seconds)} at `{result.commit}`, {result.when[:10]}"
    if test:
        yield f"also {test}"


def _spelt(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def block(page: str) -> str | None:
    """What stands between the markers of a page; None where they are missing."""
    _, begin, rest = page.partition(BEGIN + "\n\n")
    inner, end, _ = rest.partition("\n" + END)
    return inner if begin and end else None


def refreshed(page: str, results: Path = RESULTS) -> str:
    """The page with the matrix as it is now."""
    inner = block(page)
    if inner is None:
        raise ValueError(f"{PAGE.name} lacks the markers of the matrix")
    return page.replace(f"{BEGIN}\n\n{inner}\n{END}", f"{BEGIN}\n\n{matrix(results)}\n{END}")


def write() -> None:
    page = PAGE.read_text("utf-8")
    PAGE.write_text(refreshed(page), "utf-8")


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{PAGE.name} is fresh\n")
