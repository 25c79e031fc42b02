"""Runs worlds by the thousand, or every planted bug: `python -m tests.world --seeds 0-1999`, `--mutants`, `--report`.

A line for each violation; the summary goes as one line of JSON to `results.jsonl` beside this file, every hundred
worlds, so that a run that was broken off goes on with `--resume`. Worlds are spread over `--processes`; what comes of a
seed does not depend on that. The exit code is 1 where anything was violated.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from tests.world.log import Log, Tally, report
from tests.world.mutants import MUTANTS, Catch, Mutant, hunt, hunting_ground
from tests.world.witness import Violation
from tests.world.world import Result, run_world

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
CHUNK = 100


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that have the sources as they are now, whatever becomes of the files meanwhile."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    workers = ProcessPoolExecutor(processes, mp_context=get_context("fork"))
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


def chunks(first: int, last: int) -> Iterator[range]:
    for start in range(first, last + 1, CHUNK):
        yield range(start, min(start + CHUNK, last + 1))


def world(seed: int) -> Result:
    """A world that cannot go on is a violation, and no reason not to run the next one."""
    try:
        return run_world(seed)
    except Exception as error:  # noqa: BLE001 - the outermost line of a run
        return Result(seed, [Violation("crash", f"the world ended with {error!r}")], "")


def run_seeds(seeds: range, log: Log, workers: ProcessPoolExecutor, done: set[str]) -> int:
    failed = 0
    for chunk in chunks(seeds[0], seeds[-1]):
        tally = Tally(chunk[0], chunk[-1])
        if tally.name in done:
            continue
        for result in workers.map(world, chunk):
            tally.add(result)
            for violation in result.violations:
                say(f"seed {result.seed}: {violation}")
        log.write(tally.summary())
        failed += len(tally.failed)
        say(f"{tally.name}: {tally.worlds} worlds, {len(tally.failed)} with violations")
    return failed


def chase(mutant: Mutant) -> Catch:
    return hunt(mutant, hunting_ground())


def run_mutants(log: Log, workers: ProcessPoolExecutor, done: set[str]) -> int:
    """Every planted bug must be noticed within fifty seeds. Each has a line of its own as soon as it has come out."""
    missed = 0
    hunts = [workers.submit(chase, mutant) for mutant in MUTANTS if mutant.name not in done]
    for finished in as_completed(hunts):
        catch = finished.result()
        missed += catch.seed is None
        log.write({"mutant": catch.mutant.name, "seed": catch.seed, "rules": list(catch.rules)})
        how = "NOT NOTICED" if catch.seed is None else f"seed {catch.seed}, {', '.join(catch.rules)}"
        say(f"{catch.mutant.name}: {how}")
    say(f"{len(MUTANTS) - missed} of {len(MUTANTS)} mutants noticed")
    return missed


def seed_range(text: str) -> range:
    """`A-B`, both counted in; or one seed."""
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) < int(first):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds; one looks like 0-1999")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", metavar="A-B", type=seed_range, help="run the worlds of these seeds")
    parser.add_argument("--resume", action="store_true", help="leave out what was run with the very same sources")
    parser.add_argument("--mutants", action="store_true", help="run every planted bug")
    parser.add_argument("--report", action="store_true", help="say what the results hold, and which seeds are open")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many worlds at a time")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the summaries are kept")
    chosen = parser.parse_args()
    if not chosen.seeds and not chosen.mutants and not chosen.report:
        parser.print_help()
        return 2
    log = Log(chosen.results, chosen.processes)
    failed = 0
    with pool(chosen.processes) as workers:
        if chosen.seeds:
            failed += run_seeds(chosen.seeds, log, workers, log.finished() if chosen.resume else set())
        if chosen.mutants:
            failed += run_mutants(log, workers, log.noticed() if chosen.resume else set())
    if chosen.report:
        say(report(log.records))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
