"""Facts as log lines: JSON, masked, and never a flood."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from consumer.app import logs as tables
from consumer.app.logs import Logs, configure
from consumer.app.masking import clipped, masked
from consumer.core import facts
from consumer.core.model import Outcome
from tests.app.support import PHONE, Hand, fact_kinds, sample

pytestmark = pytest.mark.usefixtures("logging_restored")


class Desk:
    """Logging into memory, with a clock set by hand."""

    def __init__(self, level: str = "debug", form: str = "json") -> None:
        self.stream = io.StringIO()
        self.clock = Hand()
        configure(form, level, self.stream, self.clock)
        self.logs = Logs(self.clock)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.mark.parametrize("kind", fact_kinds(), ids=lambda kind: kind.__name__)
def test_every_fact_is_one_line_of_json_without_recipients(kind: type[facts.Fact]) -> None:
    desk = Desk()
    desk.logs.see(sample(kind))
    assert len(desk.lines()) == (0 if kind is facts.LaneGauges else 1)
    assert PHONE not in desk.stream.getvalue()


def test_the_table_knows_every_fact_but_the_gauges() -> None:
    assert set(tables.TABLE) == set(fact_kinds()) - {facts.LaneGauges}


def test_a_line_has_utc_time_a_level_and_a_constant_name() -> None:
    desk = Desk()
    desk.logs.see(facts.LaneMoved("app-push", "working", 3))
    (line,) = desk.lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "lane_moved", "level": "info", "lane": "app-push", "state": "working", "epoch": 3}


def test_success_is_told_at_debug_alone() -> None:
    desk = Desk("info")
    desk.logs.see(sample(facts.Pushed))
    desk.logs.see(sample(facts.RequestSent, verdict="delivered"))
    desk.logs.see(facts.CommandEnded("app-push", "order-paid", Outcome.DELIVERED, "", 1))
    assert desk.lines() == []


def test_what_repeats_is_told_once_in_ten_seconds_with_what_was_left_out() -> None:
    desk = Desk("info")
    for _ in range(1000):
        desk.logs.see(facts.DeadLettered("app-push", "schema", "", "bad"))
    desk.clock.now += 10
    desk.logs.see(facts.DeadLettered("app-push", "schema", "", "bad"))
    assert [line.get("left_out") for line in desk.lines()] == [None, 999]


def test_different_reasons_do_not_hide_one_another() -> None:
    desk = Desk("info")
    for reason in ("schema", "depth"):
        desk.logs.see(facts.DeadLettered("app-push", reason, "", ""))
    assert len(desk.lines()) == 2


def test_the_memory_of_repeats_is_bounded() -> None:
    desk = Desk("error")
    for number in range(3000):
        desk.logs.see(facts.LaneCrashed("app-push", f"error {number}"))
    assert len(desk.lines()) == 10
    assert len(desk.logs._repeats._seen) <= 1000
    assert len(desk.logs._repeats._seen) <= 1000


def test_a_foreign_text_can_neither_forge_a_line_nor_show_a_phone() -> None:
    desk = Desk()
    desk.logs.see(facts.LaneBlocked("app-push", "bad", f'x"}}\n{{"event": "forged"}} {PHONE} \x1b[31m' + "y" * 5000))
    (line,) = desk.lines()
    assert line["event"] == "lane_blocked"
    assert PHONE not in desk.stream.getvalue()
    assert "\x1b" not in line["detail"]
    assert len(line["detail"]) <= 1025


def test_a_library_speaks_under_our_name_and_not_too_often() -> None:
    desk = Desk("info")
    for _ in range(50):
        logging.getLogger("aiokafka.conn").error("Unable connect to %s", "broker:9092")
    (line,) = desk.lines()
    assert (line["event"], line["logger"]) == ("library_said", "aiokafka.conn")
    assert line["said"] == "Unable connect to broker:9092"


def test_libraries_never_speak_below_their_floor() -> None:
    desk = Desk("debug")
    logging.getLogger("aiokafka").info("a payload")
    logging.getLogger("aiohttp.access").info("a request")
    assert desk.lines() == []


def test_an_error_has_its_place_and_no_local_variables() -> None:
    desk = Desk("info")

    def broken(secret: str) -> None:
        raise ValueError(f"no {len(secret)} for {PHONE}")

    try:
        broken("hunter2")
    except ValueError:
        structlog.stdlib.get_logger("vestnik").exception("task_failed")
    (line,) = desk.lines()
    assert line["error"] == "ValueError: no 7 for **67"
    assert line["frames"][-1].endswith("broken")
    assert "hunter2" not in desk.stream.getvalue()


def test_people_may_have_plain_text() -> None:
    desk = Desk("info", "console")
    desk.logs.see(facts.LaneMoved("app-push", "working", 3))
    assert "lane_moved" in desk.stream.getvalue()
    assert "{" not in desk.stream.getvalue()


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        (PHONE, "**67"),
        ("+7 916 123-45-67", "**67"),
        ("c-100042", "**42"),
        ("1234", "**"),
        ("", "**"),
        ("abcdefg", "**"),
    ],
)
def test_a_recipient_is_known_by_two_digits_at_most(recipient: str, shown: str) -> None:
    assert masked(recipient) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +7 (916) 123-45-67 now", "call +**67 now"),
        ("id 79161234567", "id **67"),
        ("at 2026-01-02 03:04:05 from 10.200.100.100:9092", "at 2026-01-02 03:04:05 from 10.200.100.100:9092"),
    ],
)
def test_a_foreign_text_keeps_what_is_no_phone(text: str, shown: str) -> None:
    assert clipped(text) == shown
