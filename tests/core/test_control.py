"""Orders to lanes: what the control topic holds, and what a lane makes of it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from consumer.core.control import Control, Order, order_row, read_order

GOLDEN = (
    b'{"paused":true,"who":"anna@desk","reason":"wrong text","since":"2026-01-02T03:04:05Z",'
    b'"until":"2026-01-02T09:00:00Z"}'
)
SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UNTIL = datetime(2026, 1, 2, 9, tzinfo=UTC)
PAUSE = Order(paused=True, who="anna@desk", reason="wrong text", since=SINCE, until=UNTIL)
RESUME = Order(paused=False, who="anna@desk", since=SINCE)


def control(*rows: tuple[bytes | None, bytes | None]) -> Control:
    found = Control("app-push")
    for row in rows:
        found.apply(*row)
    return found


def test_the_form_of_a_row_stays_as_it_is() -> None:
    assert order_row("app-push", PAUSE) == (b"app-push", GOLDEN)
    assert read_order(GOLDEN) == PAUSE
    assert order_row("app-push", RESUME)[1] == (
        b'{"paused":false,"who":"anna@desk","reason":"","since":"2026-01-02T03:04:05Z"}'
    )


def test_what_a_newer_version_adds_is_passed_over_and_the_rest_is_read_strictly() -> None:
    assert read_order(GOLDEN.replace(b"{", b'{"color":"red",', 1)) == PAUSE
    assert read_order(GOLDEN.replace(b"true", b'"true"')) is None
    assert read_order(GOLDEN.replace(b"05Z", b"05")) is None
    with pytest.raises(ValidationError):
        Order(paused=True, who="anna", reason="x" * 201, since=SINCE)


def test_a_pause_holds_until_its_end_or_until_somebody_lets_go() -> None:
    paused = control(order_row("app-push", PAUSE))
    assert paused.pause(UNTIL.timestamp() - 1) == PAUSE
    assert paused.pause(UNTIL.timestamp()) is None
    for_good = order_row("app-push", PAUSE.model_copy(update={"until": None}))
    assert control(for_good).pause(9e9) is not None
    assert control(for_good, order_row("app-push", RESUME)).pause(0.0) is None
    assert control(for_good, (b"app-push", None)).pause(0.0) is None


def test_only_the_lane_s_own_rows_count_and_bytes_of_a_stranger_change_nothing() -> None:
    others = control(order_row("staff", PAUSE), (None, GOLDEN))
    assert (others.pause(0.0), others.ordered, others.unreadable) == (None, False, 0)
    odd = control(order_row("app-push", PAUSE), (b"app-push", b"{}"))
    assert (odd.pause(0.0), odd.ordered, odd.unreadable) == (PAUSE, True, 1)


def test_each_resume_is_counted_even_where_nothing_was_paused() -> None:
    assert control().resumes == 0
    assert control(order_row("app-push", RESUME), order_row("app-push", RESUME)).resumes == 2
    assert control(order_row("app-push", PAUSE), (b"app-push", None)).resumes == 0


def test_an_order_tells_who_and_why() -> None:
    assert PAUSE.words == "by anna@desk, until 2026-01-02T09:00:00+00:00: wrong text"
    assert RESUME.words == "by anna@desk"
