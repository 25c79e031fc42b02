"""`vestnik lane pause` and `resume`, and moments as people write them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.app import controlling
from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE
from consumer.app.moments import read_ago, read_ahead
from consumer.app.setup import Setup, load_setup
from consumer.core.control import Order
from tests.app.support import ROUTES, write

LINES = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
  staff: {provider: {type: console}, mode: live}
"""
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, LINES, ROUTES)
    return tmp_path


def call(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["lane", *words, "-c", str(folder)])


def orders(folder: Path) -> dict[str, Order]:
    setup = load_setup(folder / "vestnik.yaml", {})
    assert isinstance(setup, Setup)
    found = asyncio.run(controlling.orders(setup))
    assert isinstance(found, dict), found
    return found


def test_a_lane_is_paused_with_who_and_why_and_let_go_on(folder: Path) -> None:
    told = call(folder, "pause", "app-push", "--reason", "wrong text", "--who", "anna@desk")
    assert told.exit_code == FINE, told.output
    assert told.stdout.startswith("app-push is paused by anna@desk: wrong text. It goes on with: vestnik lane resume")
    (found,) = orders(folder).values()
    assert (found.paused, found.who, found.reason, found.until) == (True, "anna@desk", "wrong text", None)
    assert call(folder, "resume", "app-push").stdout == "app-push may send again.\n"
    assert [order.paused for order in orders(folder).values()] == [False]


def test_machines_are_told_the_order_as_it_was_written(folder: Path) -> None:
    told = call(folder, "pause", "staff", "--reason", "r", "--until", "2h", "-o", "json")
    order = orders(folder)["staff"]
    assert json.loads(told.stdout) == {"lane": "staff", **order.model_dump(mode="json")}
    assert order.until is not None
    assert timedelta(hours=1.9) < order.until - order.since < timedelta(hours=2.1)
    assert order.who.partition("@")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "app-psh", "--reason", "r"), "app-push"),
        (("pause", "app-push", "--reason", " "), "needs a --reason"),
        (("pause", "app-push", "--reason", "x" * 201), "at most 200"),
        (("pause", "app-push", "--reason", "r", "--until", "2020-01-01"), "is over already"),
        (("pause", "app-push", "--reason", "r", "--until", "soon"), "or a span"),
        (("resume", "nobody"), "unknown lane"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage_and_changes_nothing(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    told = call(folder, *words)
    assert (told.exit_code, said in told.stderr) == (USAGE, True), told.output
    assert not (folder / "out").exists()


def test_a_table_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "out").write_text("a file where a folder must be")
    told = call(folder, "pause", "app-push", "--reason", "r")
    assert (told.exit_code, "the lane was not told: " in told.stderr) == (FAILED, True)


@pytest.mark.parametrize(
    ("text", "ahead", "ago"),
    [
        ("90s", NOW + timedelta(seconds=90), NOW - timedelta(seconds=90)),
        ("2027-01-01", datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-01-02T06:04:06+03:00", NOW + timedelta(seconds=1), NOW + timedelta(seconds=1)),
        ("2025-01-01", "2025-01-01 is over already", datetime(2025, 1, 1, tzinfo=UTC)),
        ("99999999999d", None, None),
    ],
)
def test_moments_are_dates_or_spans(text: str, ahead: object, ago: object) -> None:
    for read, wanted in ((read_ahead, ahead), (read_ago, ago)):
        found = read(text, NOW)
        assert found == wanted or (wanted is None and isinstance(found, str) and "not a date" in found)
