"""The demo's screen, told by facts."""

import io
from itertools import repeat

from rich.console import Console

from consumer.core.facts import CommandEnded, DeadLettered, LaneBlocked, LaneGauges, LaneUnblocked, Pushed, RequestSent
from consumer.core.model import Message, Outcome
from consumer.demo.view import DemoView, LaneCard

GAUGES = LaneGauges(
    lane="app-push", state="working", waiting=42, waiting_bytes=1, groups=7, in_flight=1, in_doubt=0, joined=0,
    oldest_waiting_seconds=1.0, seconds_to_clear=1.0, quota_used=3, quota_requests=10, gap_seconds=6.0, holds="quota",
    drift=0, lag_records=0, lag_seconds=0.0,
)  # fmt: skip


def view() -> DemoView:
    return DemoView({"app-push": LaneCard(), "staff": LaneCard()}, seconds=60.0, page="http://127.0.0.1:9/")


def shown(of: DemoView) -> str:
    console = Console(file=io.StringIO(), width=140, force_terminal=False)
    console.print(of.render(20.0))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def pushed(text: str, count: int = 3) -> Pushed:
    message = Message("Заказ М-428", text)
    return Pushed("app-push", "imshop", "1.1", "order-paid", 0, message, tuple(repeat("1", count)), (), count)


def test_a_push_shows_its_words_and_how_many_saw_it() -> None:
    screen = view()
    screen.tell(pushed("ждёт\nвас"))
    assert "×3" in shown(screen)
    assert "Заказ М-428 ждёт вас" in shown(screen)


def test_a_text_with_markup_in_it_is_shown_as_it_is() -> None:
    screen = view()
    screen.tell(pushed("[red]скидка[/red] [/nonsense]"))
    assert "[red]скидка[/red] [/nonsense]" in shown(screen)


def test_quota_groups_page_and_countdown_are_on_the_screen() -> None:
    screen = view()
    screen.tell(GAUGES)
    text = shown(screen)
    assert all(part in text for part in ("3/10", "42", "http://127.0.0.1:9/", "40 s left", "working"))


def test_a_blocked_lane_says_why_until_it_is_not() -> None:
    screen = view()
    screen.tell(LaneBlocked("staff", "ACCESS_ERROR", "not an administrator"))
    assert "blocked: ACCESS_ERROR" in shown(screen)
    screen.tell(LaneUnblocked("staff", "ACCESS_ERROR", 3.0))
    assert "blocked" not in shown(screen)


def test_the_plain_line_has_the_same_figures() -> None:
    screen = view()
    screen.published = 99
    for fact in (GAUGES, RequestSent("app-push", "imshop", "1.1", "delivered", "", 3, 0.1), pushed("ждёт")):
        screen.tell(fact)
    screen.tell(DeadLettered("staff", "schema", "", ""))
    line = screen.line(20.0)
    assert line == (
        "  20 s: 99 published; app-push working: 1 requests told 3, 42 wait in 7 groups, 0 dead letters; "
        "staff starting: 0 requests told 0, 1 dead letters"
    )


def test_what_ended_without_a_push_is_counted_by_its_outcome() -> None:
    screen = view()
    screen.tell(CommandEnded("app-push", "order-paid", Outcome.SUPERSEDED, "newer", 5))
    assert "5 superseded" in shown(screen)


def test_a_lane_that_is_not_on_the_screen_is_passed_over() -> None:
    screen = view()
    screen.tell(RequestSent("stranger", "imshop", "1.1", "delivered", "", 3, 0.1))
    assert "stranger" not in shown(screen)
