"""`vestnik send`: what it refuses, and that what it writes is read by the lane alone."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, USAGE
from consumer.app.send import refusal
from consumer.app.wiring import expected, kafka_streams, lane_settings, lane_sources
from consumer.core.facts import Fact
from consumer.streams.source import KafkaSource
from tests.app.support import CONFIG, setup_of, write

BACKFILLED = CONFIG.replace("mode: live", "mode: live\n    backfill: true")


def silent(_: Fact) -> None:
    """Nobody listens."""


def test_a_lane_reads_its_backfill_topic_at_a_quarter_of_its_backlog(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, BACKFILLED)
    assert lane_sources(setup, "app-push") == ["shop.orders", "shop.bonuses", "vestnik.backfill.app-push"]
    shares = lane_settings(setup, "app-push", "me").bounds.shares
    assert dict(shares) == pytest.approx(
        {"shop.orders": 0.375, "shop.bonuses": 0.375, "vestnik.backfill.app-push": 0.25}
    )
    assert "vestnik.backfill.app-push" in expected(setup, "0").topics
    assert isinstance(kafka_streams(setup, silent)("app-push").source, KafkaSource)


def test_a_lane_that_was_not_asked_to_reads_the_shop_alone(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    assert lane_sources(setup, "app-push") == ["shop.orders", "shop.bonuses"]
    assert "backfill" not in str(lane_settings(setup, "app-push", "me").bounds)


@pytest.mark.parametrize(
    ("config", "lane", "words"),
    [
        (BACKFILLED, "app-pushh", "unknown lane"),
        (CONFIG, "app-push", "backfill: true"),
        (BACKFILLED.replace("mode: live", "mode: shadow"), "app-push", "tells nobody"),
        (BACKFILLED.replace("mode: live", "mode: allow_list\n    allow_list: [7]"), "app-push", "not on the list"),
        (BACKFILLED.replace("mode: live", "mode: allow_list\n    allow_list: [1]"), "app-push", ""),
        (BACKFILLED, "app-push", ""),
    ],
)
def test_what_could_not_arrive_is_refused_with_a_reason(tmp_path: Path, config: str, lane: str, words: str) -> None:
    why_not = refusal(setup_of(tmp_path, config), lane, "1")
    assert (words in why_not) if words else why_not == ""


def test_the_command_says_why_nothing_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMSHOP_KEY", "k")
    path = write(tmp_path)
    told = CliRunner().invoke(app, ["send", "app-push", "--to", "1", "--text", "x", "-c", str(path)])
    assert (told.exit_code, "backfill: true" in told.output) == (USAGE, True)
    path = write(tmp_path, BACKFILLED.replace("localhost:9092", "127.0.0.1:1"))
    told = CliRunner().invoke(app, ["send", "app-push", "--to", "1", "--text", "x", "-c", str(path)])
    assert (told.exit_code, "broker_unreachable" in told.output) == (FAILED, True)
