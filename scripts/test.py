"""Everything that must hold before a change lands: style, types, every ring of tests, and all branches of the core.

The last line is exactly `N passed, N failed, N skipped`. A check that is not a test (style, types, coverage) counts as
one. With ALL_RINGS=1 a skipped ring fails the run.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from tests.rings import MAY_BE_MISSING, RINGS, all_demanded

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "tests"
STAGE_SECONDS = 1800
GRACE_SECONDS = 20
NO_TESTS = 5  # what pytest exits with where nothing was collected
SLOW_RINGS = " or ".join(RINGS)
# Minutes each: they run where every ring is demanded, as on a build machine, and are left out by name elsewhere.
LONG = "long"


@dataclass(slots=True)
class Tally:
    """What came of the run so far, and what its last lines must say."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished stage. `code` is None where it was ended because it took too long."""

    name: str
    code: int | None
    seconds: float
    output: str = ""


def tool(name: str) -> str:
    """The tool of this environment, wherever the caller's PATH points."""
    return str(Path(sys.executable).parent / name)


def run(name: str, command: Sequence[str], *, quiet: bool = False) -> Done:
    """Run one stage to its end; `quiet` keeps its output for later, so that stages side by side stay readable."""
    started = time.monotonic()
    # A session of its own, so that what a stuck stage started ends with it.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        start_new_session=True,
        env=os.environ | {"COVERAGE_FILE": str(REPORTS / "coverage")},
    )
    try:
        output, _ = process.communicate(timeout=STAGE_SECONDS)
    except subprocess.TimeoutExpired:
        return Done(name, None, time.monotonic() - started)
    finally:
        end(process)
    return Done(name, process.returncode, time.monotonic() - started, output or "")


def end(process: subprocess.Popen[str]) -> None:
    """Ask a stage to tidy up after itself, and make it end; does nothing where it has ended."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)


def check(tally: Tally, done: Done) -> None:
    """Count a stage that is one check as a whole."""
    if done.code == 0:
        tally.passed += 1
    else:
        tally.failed += 1
        tally.notes.append(f"failed: {done.name}")
    said(done)


def said(done: Done) -> None:
    if done.output.strip():
        print(done.output.rstrip())
    end = "took too long and was ended" if done.code is None else "ok" if done.code in (0, NO_TESTS) else "FAILED"
    print(f"--- {done.name}: {end}, {done.seconds:.0f} s", flush=True)


def pytest_command(name: str, *arguments: str) -> list[str]:
    return ["-m", "pytest", "-q", f"--junitxml={report(name)}", *arguments]


def report(name: str) -> Path:
    return REPORTS / f"{name}.xml"


def tests(tally: Tally, done: Done) -> None:
    """Count the tests of a stage from its report; a stage that broke without one failed test counts as one."""
    said(done)
    if done.code == NO_TESTS:
        return
    path = report(done.name)
    suite = ElementTree.parse(path).getroot().find("testsuite") if path.is_file() else None
    counts = {key: int(suite.get(key, "0")) if suite is not None else 0 for key in COUNTS}
    failed = counts["failures"] + counts["errors"]
    tally.passed += counts["tests"] - failed - counts["skipped"]
    tally.skipped += counts["skipped"]
    tally.failed += failed or int(done.code != 0)
    if done.code != 0 and not failed:
        tally.notes.append(f"failed: {done.name} ended with {done.code}")
    if suite is not None and all_demanded():
        refuse_skips(tally, suite)


COUNTS = ("tests", "failures", "errors", "skipped")


def refuse_skips(tally: Tally, suite: ElementTree.Element) -> None:
    """Where every ring is demanded, a test that skips itself is a failure too; only the large input may be missing."""
    for case in suite.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if skip is not None and skip.get("type") == "pytest.skip" and not may_skip(name, skip):
            tally.failed += 1
            tally.skipped -= 1
            tally.notes.append(f"failed: {name} was skipped, and every ring is demanded")


def may_skip(name: str, skip: ElementTree.Element) -> bool:
    said = f"{name} {skip.get('message')}".lower()
    return any(missing in said for missing in MAY_BE_MISSING)


def has_tests(ring: str) -> bool:
    """Whether the ring has a test at all: one that is not written yet is not skipped."""
    return any((ROOT / "tests" / ring).glob("test_*.py")) or any(
        f"mark.{ring}" in path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")
    )


def marks(ring: str) -> set[str]:
    """The marks that the tests in a ring's folder carry."""
    texts = (path.read_text("utf-8") for path in (ROOT / "tests" / ring).glob("test_*.py"))
    return {found for text in texts for found in re.findall(r"@pytest\.mark\.(\w+)", text)}


def note_missing_rings(tally: Tally) -> None:
    for ring, missing in RINGS.items():
        reason = missing() if has_tests(ring) else None
        if reason is None and not all_demanded() and LONG in marks(ring):
            tally.notes.append(f"left out: the long tests of ring {ring}; ALL_RINGS=1 runs them")
        if reason:  # its tests are counted already: as skipped, or as failed where they are demanded
            tally.notes.append(f"skipped ring: {ring} ({reason})")


def static_and_core(tally: Tally) -> None:
    """Style first, for it is quick; then types beside the core's tests, one processor each."""
    check(tally, run("style", [tool("ruff"), "check", "."]))
    check(tally, run("format", [tool("ruff"), "format", "--check", "--quiet", "."]))
    coverage = [tool("coverage"), "run", "--source=consumer/core"]
    with ThreadPoolExecutor(1) as beside:
        types: Future[Done] = beside.submit(partial(run, "types", [tool("mypy")], quiet=True))
        tests(tally, run("core", [*coverage, *pytest_command("core", "tests/core")]))
        check(tally, types.result())
    check(tally, run("all branches of the core", [tool("coverage"), "report", "--fail-under=100"]))


def the_rest(tally: Tally) -> None:
    """Everything else on two processes; then ring after ring, each on two: most of their time is waiting."""
    rest = pytest_command("rest", "-n", "2", "-m", f"not ({SLOW_RINGS})", "--ignore=tests/core", "tests")
    tests(tally, run("rest", [sys.executable, *rest]))
    for ring in RINGS:
        if has_tests(ring):
            chosen = ring if all_demanded() else f"{ring} and not {LONG}"
            tests(tally, run(ring, [sys.executable, *pytest_command(ring, "-n", "2", "-m", chosen, "tests")]))


def main() -> int:
    # Started in the background by a shell, it would hand down that interrupts are ignored, and some tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    started, tally = time.monotonic(), Tally()
    stages: Sequence[Callable[[Tally], None]] = (static_and_core, the_rest, note_missing_rings)
    for stage in stages:
        stage(tally)
    print(f"\n{time.monotonic() - started:.0f} s in all; reports in {REPORTS.relative_to(ROOT)}")
    print("\n".join(tally.notes))
    (REPORTS / "summary").write_text(tally.line() + "\n", "utf-8")
    print(tally.line(), flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
