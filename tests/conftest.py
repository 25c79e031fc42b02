"""A ring whose tool is missing is skipped by name, and the last lines say so."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.rings import RINGS, all_demanded

TESTS = Path(__file__).parent
SKIPPED = pytest.StashKey[dict[str, str]]()

_reason = cache(lambda ring: RINGS[ring]())


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = {}


def _rings(item: pytest.Item) -> Iterable[str]:
    """A test belongs to a ring by its mark, or by standing in the ring's folder."""
    for ring in RINGS:
        if item.path.is_relative_to(TESTS / ring):
            item.add_marker(ring)
        if item.get_closest_marker(ring):
            yield ring


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for ring in _rings(item):
            if ring == "kafka":
                # The library forgets connections that were refused, and says so whenever they are collected, which may
                # be in the middle of another test.
                item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
            if reason := _reason(ring):
                item.add_marker(pytest.mark.skip(reason=f"ring {ring}: {reason}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only rings with a chosen test count as skipped."""
    for item in session.items:
        for ring in RINGS:
            if item.get_closest_marker(ring) and (reason := _reason(ring)):
                session.config.stash[SKIPPED][ring] = reason


def pytest_sessionfinish(session: pytest.Session) -> None:
    if all_demanded() and session.config.stash[SKIPPED] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for ring, reason in config.stash[SKIPPED].items():
        terminalreporter.write_line(f"skipped ring: {ring} ({reason})")
