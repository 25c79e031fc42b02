"""Runs rows of the fault matrix: `python -m tests.chaos --rows C1,S1`, `--selection` (30 minutes) or `--full` (hours).

A line for each row, and a line of JSON for each in `results.jsonl`; `--resume` leaves out what has passed on this
commit. The exit code is 1 where a row failed, 2 where there is no such row.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import table
from tests.chaos.discovery import UnknownRowError, chosen
from tests.chaos.results import RESULTS, Result, append, commit, passed_on
from tests.chaos.row import Outcome, Row

LEAST_SECONDS = 120.0
PATIENCE = 3.0


def run(row: Row) -> Outcome:
    """One row on a loop of its own, in a folder of its own; whatever it raises is a failed row, not the run's end."""
    limit = max(LEAST_SECONDS, row.minutes * 60 * PATIENCE)
    with tempfile.TemporaryDirectory(prefix=f"chaos-{row.id}-", ignore_cleanup_errors=True) as folder:
        try:
            return asyncio.run(_bounded(row, Path(folder), limit))
        except Exception as error:  # noqa: BLE001 - the outermost line: a row that crashes has failed
            traceback.print_exc()
            return Outcome(False, f"the row ended with {type(error).__name__}", {"error": type(error).__name__})
        finally:
            gc.collect()


async def _bounded(row: Row, folder: Path, limit_seconds: float) -> Outcome:
    async with asyncio.timeout(limit_seconds):
        return await row.run(folder)


def measure(rows: Sequence[Row], results: Path) -> int:
    """Run the rows one after the other and append what they measured; the number of those that failed."""
    failed = 0
    for row in rows:
        if row.not_run:
            say(f"{row.id:5} not run: {row.not_run}")
            continue
        on, began = commit(), time.monotonic()
        outcome = run(row)
        result = Result.of(row, outcome, on, time.monotonic() - began)
        append(result, results)
        failed += not outcome.passed
        say(f"{row.id:5} {'passed' if outcome.passed else 'FAILED'} in {result.seconds:.0f} s: {outcome.measured}")
    return failed


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="", help="ids with commas between them, e.g. C1,S1")
    parser.add_argument("--selection", action="store_true", help="the rows of the thirty minutes")
    parser.add_argument("--full", action="store_true", help="all rows")
    parser.add_argument("--resume", action="store_true", help="leave out rows that have passed on this commit")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the results go instead")
    parser.add_argument("--list", action="store_true", help="show the rows and run none")
    arguments = parser.parse_args()
    if not (arguments.rows or arguments.selection or arguments.full or arguments.list):
        parser.error("say which: --rows, --selection or --full")
    return arguments


def main() -> int:
    arguments = _arguments()
    names = [name.strip() for name in arguments.rows.split(",") if name.strip()]
    try:
        rows = chosen(names, selection=arguments.selection)
    except UnknownRowError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if arguments.list:
        for row in rows:
            say(f"{row.id:5} {row.minutes:6.1f} min {'*' if row.selection else ' '} {row.fault}")
        return 0
    done = passed_on(commit(), arguments.results) if arguments.resume else frozenset()
    failed = measure([row for row in rows if row.id not in done], arguments.results)
    if arguments.results == RESULTS:
        table.write()
    left_out = f", {len(done & {row.id for row in rows})} had passed before" if arguments.resume else ""
    say(f"{len(rows)} rows, {failed} failed{left_out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
