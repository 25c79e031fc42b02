"""Of one event at most ten lines a second are written, and how many more there were."""

import io
import json
import logging

import pytest
import structlog

from consumer.app.log_limit import EVENTS_LIMIT, LINES_PER_SECOND, LineLimit
from consumer.app.logs import configure
from tests.app.support import Hand

pytestmark = pytest.mark.usefixtures("logging_restored")


class Room:
    """Logging into memory, by a clock of its own."""

    def __init__(self) -> None:
        self.clock = Hand()
        self._stream = io.StringIO()
        configure("json", "info", self._stream, self.clock)

    def say(self, event: str, times: int = 1) -> None:
        for number in range(times):
            structlog.stdlib.get_logger("vestnik").info(event, number=number)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


def test_ten_lines_a_second_of_one_event_and_how_many_more_there_were() -> None:
    room = Room()
    room.say("poison", 500)
    assert len(room.lines) == LINES_PER_SECOND
    room.clock.now += 1.0
    room.say("other")
    assert [line["event"] for line in room.lines[LINES_PER_SECOND:]] == ["lines_suppressed", "other"]
    assert (room.lines[-2]["of"], room.lines[-2]["count"]) == ("poison", 490)


def test_floods_of_several_events_that_end_together_are_each_told() -> None:
    room = Room()
    for event in ("poison", "repeats", "limits"):
        room.say(event, 50)
    room.clock.now += 1.0
    room.say("other")
    told = [(line["of"], line["count"]) for line in room.lines if line["event"] == "lines_suppressed"]
    assert told == [("poison", 40), ("repeats", 40), ("limits", 40)]


def test_a_flood_of_one_event_hides_no_other() -> None:
    room = Room()
    room.say("poison", 500)
    room.say("lane_blocked", 3)
    assert sum(line["event"] == "lane_blocked" for line in room.lines) == 3


def test_an_hour_of_a_flood_is_eleven_lines_a_second() -> None:
    room = Room()
    for _ in range(60):
        room.say("poison", 50)
        room.clock.now += 1.0
    assert len(room.lines) <= 60 * (LINES_PER_SECOND + 1)
    assert sum(int(str(line.get("count", 1))) for line in room.lines) == 60 * 50 - 40


def test_libraries_are_bounded_by_their_logger_whatever_they_say() -> None:
    room = Room()
    for number in range(500):
        logging.getLogger("aiokafka.consumer").warning(f"{number} is another message each time")
    assert len(room.lines) == LINES_PER_SECOND


def test_the_limit_itself_keeps_few_events_in_memory() -> None:
    limit = LineLimit(Hand(), lambda _event, _count: None)
    for number in range(10 * EVENTS_LIMIT):
        limit.filter(logging.makeLogRecord({"msg": {"event": f"event {number}"}}))
    assert len(limit._windows) <= EVENTS_LIMIT
