"""The picture of a day: what is drawn, and that it is written."""

import struct
import sys
from math import isnan
from pathlib import Path

import pytest

from consumer.core.model import Parcel, Priority
from consumer.simulate.course import Axis, axis_of, levels_of, requests_a_minute, waits_of
from consumer.simulate.figures import Figures
from consumer.simulate.plot import NEEDS, pixels
from tests.core.waiting import command, wording
from tests.simulate.test_commands import call

MIDNIGHT = 20_000 * 86_400.0


def day() -> Figures:
    """Two hours of someone else's evening: three told in full, one coarser after an hour of nothing."""
    figures = Figures()
    evening = MIDNIGHT + 20 * 3600.0
    first = [command(arrived=evening + wait) for wait in (0.0, 10.0, 20.0)]
    figures.deliver((Parcel(wording("full"), 0, tuple(first)),), evening + 30.0)
    figures.fail(evening + 40.0)
    late = command(arrived=evening + 7200.0)
    figures.deliver((Parcel(wording("coarse"), 1, (late,)),), evening + 7260.0)
    return figures


def test_the_axis_begins_at_the_midnight_before_and_has_about_a_hundred_pieces() -> None:
    axis = axis_of([day(), Figures()])
    assert (axis.start, axis.seconds) == (MIDNIGHT, 840.0)
    assert axis.hour(axis.piece(MIDNIGHT + 20 * 3600.0)) == pytest.approx(20.0, abs=0.25)
    assert axis_of([]) == Axis(0.0, 60.0)


def test_waits_stand_where_people_came_and_leave_a_gap_where_nobody_did() -> None:
    axis = axis_of([day()])
    waits = waits_of(day().classes[Priority.NORMAL], axis)
    assert (waits.p50[0], waits.p95[0], waits.p50[-1]) == (20.0, 30.0, 60.0)
    assert all(map(isnan, waits.p50[1:-1]))
    assert len(waits.pieces) == len(waits.p50) > 5
    assert not waits_of(day().classes[Priority.LOW], axis).pieces


def test_failed_requests_are_requests_too() -> None:
    rates = requests_a_minute(day(), Axis(MIDNIGHT, 600.0))
    assert rates == {120: 0.2, **dict.fromkeys(range(121, 132), 0.0), 132: 0.1}
    assert requests_a_minute(Figures(), Axis(0.0, 60.0)) == {}


def test_the_shares_of_the_ladder_are_those_of_the_messages_told() -> None:
    levels = levels_of(day(), Axis(MIDNIGHT, 7200.0))
    assert (list(levels.pieces), levels.shares) == ([10, 11], ((1.0, 0.0), (0.0, 1.0)))
    assert levels_of(Figures(), Axis(0.0, 60.0)).shares == ()


@pytest.mark.parametrize(("policies", "scale"), [(["turn"], 0.002), (["turn", "fifo", "oldest"], 0.0002)])
def test_the_picture_is_a_png_with_a_column_for_each_policy(tmp_path: Path, policies: list[str], scale: float) -> None:
    picture = tmp_path / "day.png"
    words = [word for policy in policies for word in ("-p", policy)]
    result = call("--scale", scale, *words, "--plot", picture)
    assert result.exit_code == 0, result.output
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == pixels(len(policies))
    assert len(data) > 10_000, "an empty picture is smaller"


def test_wishes_that_cannot_be_drawn_are_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    assert "is not the name of a PNG" in call("--plot", tmp_path / "day.jpg").stderr
    nowhere = call("--plot", tmp_path / "nowhere" / "day.png")
    assert (nowhere.exit_code, "there is no folder" in nowhere.stderr) == (2, True)


def test_a_name_that_is_too_long_to_write_is_told_in_a_sentence(tmp_path: Path) -> None:
    result = call("--scale", 0.0002, "--plot", tmp_path / f"{'x' * 300}.png")
    assert (result.exit_code, "cannot be written" in result.stderr) == (1, True)


def test_without_the_library_people_are_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = call("--plot", tmp_path / "day.png")
    assert (result.exit_code, result.stderr.strip()) == (2, NEEDS)
    assert "vestnik[plot]" in NEEDS
