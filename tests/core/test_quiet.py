"""Quiet hours: right in every zone, on every night, also when the clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.model import Quiet
from consumer.core.quiet import Nights, next_night

MOSCOW = Quiet(22 * 60, 9 * 60, "Europe/Moscow")


def at(text: str, zone: str = "Europe/Moscow", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-09-01T21:59:59", None),
        ("2026-09-01T22:00:00", "2026-09-02T09:00:00"),
        ("2026-09-01T23:59:59", "2026-09-02T09:00:00"),
        ("2026-09-02T00:00:00", "2026-09-02T09:00:00"),
        ("2026-09-02T08:59:59", "2026-09-02T09:00:00"),
        ("2026-09-02T09:00:00", None),
    ],
)
def test_a_night_reaches_over_midnight(now: str, until: str | None) -> None:
    assert Nights().quiet_until(MOSCOW, at(now)) == (None if until is None else at(until))


def test_quiet_may_lie_within_one_day() -> None:
    siesta = Quiet(13 * 60, 15 * 60 + 30, "Europe/Madrid")
    assert Nights().quiet_until(siesta, at("2026-07-01T14:00", "Europe/Madrid")) == at(
        "2026-07-01T15:30", "Europe/Madrid"
    )
    assert Nights().quiet_until(siesta, at("2026-07-01T12:59", "Europe/Madrid")) is None


def test_the_same_moment_is_night_in_one_zone_and_day_in_another() -> None:
    vladivostok = MOSCOW._replace(zone="Asia/Vladivostok")
    now = at("2026-09-01T16:00")
    nights = Nights()
    assert nights.quiet_until(MOSCOW, now) is None
    assert nights.quiet_until(vladivostok, now) == at("2026-09-02T09:00", "Asia/Vladivostok")


def test_nobody_has_quiet_hours_without_a_rule() -> None:
    assert Nights().quiet_until(None, 0.0) is None


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 10), ("2026-10-24", 12), ("2026-06-01", 11)],
)
def test_the_night_in_which_the_clock_changes_is_an_hour_shorter_or_longer(day: str, hours: int) -> None:
    berlin = MOSCOW._replace(zone="Europe/Berlin")
    night = next_night(berlin, at(f"{day}T12:00", "Europe/Berlin"))
    assert night.begin == at(f"{day}T22:00", "Europe/Berlin")
    assert night.end - night.begin == hours * 3600


def test_an_end_that_the_clock_leaves_out_is_the_moment_of_the_change() -> None:
    """On 29 March 2026 clocks in Berlin go from 02:00 to 03:00."""
    early = Quiet(22 * 60, 2 * 60 + 30, "Europe/Berlin")
    assert next_night(early, at("2026-03-28T23:00", "Europe/Berlin")).end == at("2026-03-29T03:00", "Europe/Berlin")
    late = Quiet(2 * 60 + 30, 6 * 60, "Europe/Berlin")
    assert next_night(late, at("2026-03-28T23:00", "Europe/Berlin")).begin == at("2026-03-29T03:00", "Europe/Berlin")


def test_an_edge_that_the_clock_shows_twice_begins_at_the_first_and_ends_at_the_second() -> None:
    """On 25 October 2026 clocks in Berlin go from 03:00 to 02:00."""
    early = Quiet(22 * 60, 2 * 60 + 30, "Europe/Berlin")
    assert next_night(early, at("2026-10-24T23:00", "Europe/Berlin")).end == at(
        "2026-10-25T02:30", "Europe/Berlin", fold=1
    )
    late = Quiet(2 * 60 + 30, 6 * 60, "Europe/Berlin")
    assert next_night(late, at("2026-10-24T23:00", "Europe/Berlin")).begin == at("2026-10-25T02:30", "Europe/Berlin")


def test_a_clock_that_went_back_is_followed() -> None:
    """A new owner's broker time may be behind an older one's."""
    nights = Nights()
    assert nights.quiet_until(MOSCOW, at("2026-09-10T12:00")) is None
    assert nights.quiet_until(MOSCOW, at("2026-09-01T23:00")) == at("2026-09-02T09:00")


def test_an_unknown_zone_is_utc() -> None:
    assert next_night(Quiet(0, 60, "Nowhere/At_All"), 86_400.0 * 20) == (86_400.0 * 20, 86_400.0 * 20 + 3600)


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.floats(1_767_225_600.0, 1_798_761_600.0),
)
def test_outside_of_the_hour_around_a_change_quiet_is_what_the_wall_clock_says(
    start: int, end: int, zone: str, now: float
) -> None:
    if start == end:
        return
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    near = {datetime.fromtimestamp(now + shift, ZoneInfo(zone)).utcoffset() for shift in (-7200, 0, 7200)}
    minute = local.hour * 60 + local.minute
    said = start <= minute < end if start < end else (minute >= start or minute < end)
    if len(near) == 1:
        assert (Nights().quiet_until(Quiet(start, end, zone), now) is not None) == said
