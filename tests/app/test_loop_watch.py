"""A loop that stands still ends the process, wherever it stands; a process that was stopped itself is not blamed."""

import io
import json
import subprocess
import sys

import pytest

from consumer.app.logs import configure
from consumer.app.loop_watch import LoopWatch
from tests.app.support import Hand

pytestmark = pytest.mark.usefixtures("logging_restored")


class Room:
    """A watch of sixty seconds, looked at by hand."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.left: list[int] = []
        self.watch = LoopWatch(60.0, self.left.append, self.clock)
        self.stream = io.StringIO()
        configure("json", "info", self.stream, self.clock)

    def look(self, times: int, apart_seconds: float = 1.0, *, beating: bool = False) -> None:
        for _ in range(times):
            self.clock.now += apart_seconds
            if beating:
                self.watch.beat()
            self.watch.look()


def test_a_loop_that_turns_is_left_alone() -> None:
    room = Room()
    room.look(1000, beating=True)
    assert room.left == []


def test_a_loop_that_stands_still_for_a_minute_ends_the_process_and_the_last_line_says_where() -> None:
    room = Room()
    room.look(10, beating=True)
    room.look(59)
    assert room.left == []
    room.look(1)
    assert room.left == [70]
    line = json.loads(room.stream.getvalue().splitlines()[-1])
    assert (line["event"], line["exit_code"]) == ("ended", 70)
    assert line["why"] == "the event loop has not turned for 60 s"
    assert any("test_loop_watch.py" in frame for frame in line["frames"])


def test_a_loop_that_stood_still_for_less_begins_anew() -> None:
    room = Room()
    for _ in range(5):
        room.look(50)
        room.look(1, beating=True)
    assert room.left == []


def test_a_process_that_was_stopped_for_an_hour_is_not_stuck() -> None:
    room = Room()
    room.look(10, beating=True)
    room.look(1, apart_seconds=3600.0)
    room.look(50)
    assert room.left == []


HOARDER = """
from collections import deque
from itertools import repeat
from consumer.app import loop_watch

loop_watch.SPARE_SECONDS = 0.2
loop_watch.LoopWatch(0.1).start()
deque(repeat(None), maxlen=0)
"""


def test_a_loop_in_machine_code_that_lets_no_other_thread_run_ends_the_process_too() -> None:
    ended = subprocess.run([sys.executable, "-c", HOARDER], capture_output=True, text=True, timeout=60.0, check=False)
    assert ended.returncode == 27
    assert 'File "<string>", line 8 in <module>' in ended.stderr
