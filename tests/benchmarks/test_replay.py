"""Live news does not suffer from a replay; the full size is `python -m tests.benchmarks.replay live`."""

import pytest

from consumer.core.model import Priority
from tests.benchmarks.replay import POINTS, Beside, worst_window

HOUR = 3600.0


@pytest.mark.parametrize("unique", [0.0, 0.1])
def test_live_news_is_as_much_in_time_beside_a_replay_as_alone_and_no_minute_has_more_requests(unique: float) -> None:
    """Also through a burst of the morning; the replay gets what the quota leaves over."""
    day = Beside(old=3_000, unique=unique, scale=0.12, since=9.0 * HOUR, until_seconds=10.5 * HOUR)
    alone, beside = day.without_it(), day.with_it()
    for priority in Priority:
        before, after = alone.classes[priority], beside.classes[priority]
        assert before.published == after.published > 300
        assert before.in_time_ratio - after.in_time_ratio <= POINTS
        assert after.coarser_ratio - before.coarser_ratio <= POINTS
    assert beside.backfill.published == 3_000 == beside.backfill.delivered
    assert worst_window(beside) == 10
