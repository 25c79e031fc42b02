"""The machinery of the fault matrix: rows are found, run and kept, and the page shows what was measured."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos.__main__ import measure, run
from tests.chaos.discovery import MATRIX, UnknownRowError, chosen, place, rows
from tests.chaos.mock import Api, Code, MockCluster
from tests.chaos.results import RESULTS, Result, append, latest, passed_on, read
from tests.chaos.row import Outcome, Row
from tests.chaos.table import BEGIN, END, PAGE, block, matrix, refreshed
from tests.tidy.repository import ROOT

GOOD = Outcome(True, "3 kills: lost 0", {"kills": 3})


async def well(folder: Path) -> Outcome:
    (folder / "scratch").touch()
    return GOOD


async def badly(folder: Path) -> Outcome:
    return Outcome(False, "lost 1", {"lost": 1})


async def crashing(folder: Path) -> Outcome:
    raise ZeroDivisionError("a bug in the row")


def row(name: str, act: Callable[[Path], Awaitable[Outcome]], not_run: str = "") -> Row:
    return Row(name, "a fault", "a promise", "lost 0", act, 0.1, selection=True, not_run=not_run)


def result(name: str, commit: str, *, passed: bool) -> Result:
    return Result(name, commit, passed, "lost | 0", {}, 1.0, "", "2026-01-01T00:00:00Z")


def test_every_row_of_the_matrix_is_unique_and_names_a_test_that_is_there() -> None:
    found = rows()
    assert list(found) == sorted(found, key=place)
    for each in found.values():
        path, _, name = each.test.partition("::")
        assert not each.test or (f"def {name}(" if name else "") in (ROOT / path).read_text("utf-8"), each.test
        assert each.fault
        assert each.promise
        assert each.passes


def test_rows_are_chosen_by_name_or_by_being_in_the_selection() -> None:
    assert [each.id for each in chosen(["P-7", "K-6"], selection=False)] == ["K-6", "P-7"]
    assert 0 < len(chosen([], selection=True)) <= len(chosen([], selection=False)) == len(rows())
    with pytest.raises(UnknownRowError, match="Z-1"):
        chosen(["Z-1"], selection=False)


def test_the_selection_fits_into_about_half_an_hour() -> None:
    assert sum(each.minutes for each in chosen([], selection=True) if not each.not_run) <= 40


def test_rows_are_measured_one_after_the_other_and_a_crash_is_a_failed_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    asked = [row("C1", well), row("C2", crashing), row("C3", badly), row("C4", well, "no such machine")]
    assert measure(asked, results) == 2
    kept = {each.row: each for each in read(results)}
    assert [(each.row, each.passed) for each in kept.values()] == [("C1", True), ("C2", False), ("C3", False)]
    assert kept["C2"].figures == {"error": "ZeroDivisionError"}
    assert kept["C1"].measured == GOOD.measured
    assert "not run: no such machine" in capsys.readouterr().out


def test_a_row_that_never_ends_is_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(folder: Path) -> Outcome:
        await asyncio.Event().wait()
        return GOOD

    monkeypatch.setattr("tests.chaos.__main__.LEAST_SECONDS", 0.01)
    monkeypatch.setattr("tests.chaos.__main__.PATIENCE", 0.0)
    assert run(row("C1", endless)).figures == {"error": "TimeoutError"}


def test_a_run_goes_on_after_what_has_passed_on_this_very_commit(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    for name, commit, passed in (
        ("C1", "a", True), ("C2", "b", True), ("C3", "a", False), ("C4", "a", True), ("C4", "a", False),
    ):  # fmt: skip
        append(result(name, commit, passed=passed), results)
    assert passed_on("a", results) == {"C1"}
    assert passed_on("a+", results) == frozenset()
    assert latest(results)["C4"].passed is False


def test_every_kept_result_is_of_a_known_row() -> None:
    assert {each.row for each in read()} <= {*MATRIX, *rows()}
    for line in RESULTS.read_text("utf-8").splitlines():
        assert set(json.loads(line)) == set(Result.__dataclass_fields__)


def test_the_matrix_on_the_page_is_made_from_the_results() -> None:
    assert block(PAGE.read_text("utf-8")) == matrix(), "run: make references"


def test_a_matrix_that_somebody_typed_is_found_and_made_anew(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    append(result("P-7", "abc", passed=True), results)
    typed = f"# Page\n\n{BEGIN}\n\nP-7 is fine\n{END}\n\nafter it\n"
    made = refreshed(typed, results)
    assert block(typed) != matrix(results) == block(made)
    assert "lost \\| 0" in made
    assert "| never run |" in made
    assert made.startswith("# Page\n")
    assert made.endswith("after it\n")


def test_the_mock_cluster_gives_the_errors_that_it_is_told_to() -> None:
    with MockCluster(3, ["a"]) as cluster:
        assert len(cluster.bootstrap.split(",")) == 3
        cluster.fail(Api.HEARTBEAT, [Code.FENCED_INSTANCE])
        cluster.slow(100, 1)
        cluster.down(2)
        cluster.up(2)
        cluster.heal(Api.HEARTBEAT)
        cluster.count()
        assert not cluster.requests()
