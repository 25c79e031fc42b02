"""The test run counts honestly: a broken stage is a failure, and a skipped ring is named or refused."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import test as run
from tests.rings import all_demanded

SUITE = """<testsuites><testsuite tests="4" failures="1" errors="0" skipped="2">
<testcase classname="tests.core.test_a" name="test_one"/>
<testcase classname="tests.core.test_a" name="test_two"><failure/></testcase>
<testcase classname="tests.kafka.test_kill" name="test_kill">
  <skipped type="pytest.skip" message="ring kafka: no java"/></testcase>
<testcase classname="tests.kafka.test_day" name="test_day">
  <skipped type="pytest.skip" message="no Olist data here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "REPORTS", tmp_path)
    monkeypatch.delenv("ALL_RINGS", raising=False)
    return tmp_path


def test_tests_are_counted_from_the_report_of_their_stage(reports: Path) -> None:
    (reports / "core.xml").write_text(SUITE, "utf-8")
    tally = run.Tally()
    run.tests(tally, run.Done("core", 1, 0.1))
    assert tally.line() == "1 passed, 1 failed, 2 skipped"


def test_a_stage_without_a_report_is_one_failure(reports: Path) -> None:
    tally = run.Tally()
    run.tests(tally, run.Done("core", None, 900.0))
    assert tally.line() == "0 passed, 1 failed, 0 skipped"
    assert tally.notes


def test_a_stage_that_ends_badly_without_a_failed_test_is_a_failure(reports: Path) -> None:
    (reports / "core.xml").write_text(SUITE.replace('failures="1"', 'failures="0"'), "utf-8")
    tally = run.Tally()
    run.tests(tally, run.Done("core", 3, 0.1))
    assert tally.failed == 1


def test_a_ring_without_a_test_yet_is_nothing(reports: Path) -> None:
    tally = run.Tally()
    run.tests(tally, run.Done("browser", run.NO_TESTS, 0.1))
    assert tally.line() == "0 passed, 0 failed, 0 skipped"


def test_where_every_ring_is_demanded_only_the_large_input_may_be_missing() -> None:
    suite = ElementTree.fromstring(SUITE).find("testsuite")
    assert suite is not None
    tally = run.Tally(passed=1, failed=1, skipped=2)
    run.refuse_skips(tally, suite)
    assert tally.line() == "1 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize(("value", "demanded"), [("1", True), ("0", False), ("", False)])
def test_a_variable_demands_every_ring(value: str, *, demanded: bool) -> None:
    assert all_demanded({"ALL_RINGS": value}) is demanded


def test_a_stage_that_hangs_is_ended_and_told(monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    monkeypatch.setattr(run, "STAGE_SECONDS", 0.2)
    assert run.run("sleep", ["sleep", "60"]).code is None
