"""Another system's values become what an event may have there, or nothing at all."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.normalisers import As, Manner, normalised

MOSCOW = ZoneInfo("Europe/Moscow")
GOOD: list[tuple[As, object, object, Manner]] = [
    (As.TEXT, 820982911946154508, "820982911946154508", Manner()),
    (As.TEXT, "a", "a", Manner()),
    (As.TEXT, True, "true", Manner()),
    (As.TEXT, False, "false", Manner()),
    (As.TEXT, 12.0, "12", Manner()),
    (As.LOWER, "РОССИЯ", "россия", Manner()),
    (As.UPPER, "rub", "RUB", Manner()),
    (As.INTEGER, "12", 12, Manner()),
    (As.INTEGER, 12.0, 12, Manner()),
    (As.INTEGERS, ["1", 2], [1, 2], Manner()),
    (As.INTEGERS, 7, [7], Manner()),
    (As.MONEY, 12, "12.00", Manner()),
    (As.MONEY, 0.1, "0.10", Manner()),
    (As.MONEY, "1200.5000", "1200.50", Manner()),
    (As.MONEY, "0.12345", "0.1234", Manner()),
    (As.MONEY, "-3.005", "-3.0050", Manner()),
    (As.CENTS, 2450, "24.50", Manner()),
    (As.CENTS, 2450, "2450.00", Manner(digits=0)),
    (As.TIME, "2026-09-01T10:15:00Z", "2026-09-01T10:15:00+00:00", Manner()),
    (As.TIME, "2026-09-01 10:15:00+0300", "2026-09-01T10:15:00+03:00", Manner()),
    (As.TIME, "2026-09-01T10:15:00", "2026-09-01T10:15:00+03:00", Manner(MOSCOW)),
    (As.TIME, "01.09.2026 10:15:00", "2026-09-01T10:15:00+03:00", Manner(MOSCOW, "%d.%m.%Y %H:%M:%S")),
    (As.SECONDS, 1788246900, "2026-09-01T07:15:00+00:00", Manner()),
    (As.MILLISECONDS, 1788246900123, "2026-09-01T07:15:00.123000+00:00", Manner()),
    (As.DATE, "2026-09-09", "2026-09-09", Manner()),
    (As.DATE, "2026-09-09T23:30:00+03:00", "2026-09-09", Manner()),
    (As.PHONE, "8 (999) 123-45-67", "79991234567", Manner()),
    (As.PHONE, 79991234567, "79991234567", Manner()),
    (As.CHOICE, "Y", True, Manner()),
    (As.CHOICE, 0, False, Manner()),
    (As.CHOICE, True, True, Manner()),
]
BAD: list[tuple[As, object]] = [
    (As.TEXT, None),
    (As.TEXT, {"a": 1}),
    (As.TEXT, 1.5),
    (As.TEXT, "x" * 4097),
    (As.LOWER, []),
    (As.UPPER, None),
    (As.INTEGER, 1.5),
    (As.INTEGER, "1e9"),
    (As.INTEGERS, [1, "x"]),
    (As.INTEGERS, [1] * 1001),
    (As.MONEY, "twelve"),
    (As.MONEY, True),
    (As.MONEY, "9" * 16),
    (As.CENTS, None),
    (As.TIME, "yesterday"),
    (As.TIME, "2026-09-01T10:15:00"),
    (As.TIME, 1788246900),
    (As.SECONDS, 0),
    (As.SECONDS, 10**12),
    (As.MILLISECONDS, "x"),
    (As.DATE, "09/09/26"),
    (As.PHONE, "call me"),
    (As.PHONE, None),
    (As.CHOICE, "perhaps"),
]


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_a_value_is_written_as_events_have_it(number: int) -> None:
    how, value, wanted, manner = GOOD[number]
    assert normalised(value, how, manner) == wanted


@pytest.mark.parametrize("number", range(len(BAD)))
def test_what_cannot_be_written_so_is_nothing(number: int) -> None:
    how, value = BAD[number]
    assert normalised(value, how, Manner()) is None


_JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers())


@given(_JSON, st.sampled_from(As))
def test_any_value_is_something_or_nothing(value: object, how: As) -> None:
    assert isinstance(normalised(value, how, Manner()), str | int | bool | list | None)
