"""Configuration becomes what the engine, the planner and the streams are told."""

from pathlib import Path

import pytest

from consumer.app.profiles import lane_profile
from consumer.app.wiring import (
    expected,
    kafka_settings,
    kafka_streams,
    lane_settings,
    lane_sheets,
    lines_streams,
    new_member,
    usual_streams,
)
from consumer.core.facts import Fact
from consumer.core.model import Quota
from consumer.core.profile import Mode
from consumer.streams.lines import LinesSource
from consumer.streams.source import KafkaSource
from tests.app.support import CONFIG, ENVIRON, setup_of

FILES = CONFIG.replace("kafka:\n  bootstrap: localhost:9092", "source: {lines: events.jsonl}")


def silent(_: Fact) -> None:
    """Nobody listens."""


def secured(security: str) -> str:
    return CONFIG.replace("localhost:9092", f"[a:1, b:2]\n  security: {security}")


def test_a_lane_gets_its_provider_s_usual_where_nothing_is_said(tmp_path: Path) -> None:
    settings = lane_settings(setup_of(tmp_path), "app-push", "me")
    assert (settings.quota, settings.in_flight, settings.member) == (Quota(10, 60.0), 2, "me")
    assert settings.memory_seconds == 8 * 86_400
    assert settings.start_at == "latest"


def test_what_is_said_stands_above_the_usual(tmp_path: Path) -> None:
    said = "quota: {requests: 5, per: 30s, bucket: true}\n    in_flight: 7\n    drain: 5s\n    lost_for: 1s"
    settings = lane_settings(setup_of(tmp_path, CONFIG.replace("mode: live", said)), "app-push", "me")
    assert (settings.quota, settings.in_flight) == (Quota(5, 30.0, bucket=True), 7)
    assert (settings.drain_seconds, settings.lost_for_seconds) == (5.0, 1.0)


@pytest.mark.parametrize(
    ("shares", "parts"),
    [
        ("{}", {"shop.orders": 0.5, "shop.bonuses": 0.5}),
        ("{shop.orders: 0.8}", {"shop.orders": 0.8, "shop.bonuses": 0.2}),
    ],
)
def test_each_source_has_its_part_of_the_backlog(tmp_path: Path, shares: str, parts: dict[str, float]) -> None:
    config = CONFIG.replace("mode: live", f"backlog: {{shares: {shares}, bytes: 2MiB, commands: 500}}")
    bounds = lane_settings(setup_of(tmp_path, config), "app-push", "me").bounds
    assert dict(bounds.shares) == pytest.approx(parts)
    assert (bounds.bytes, bounds.commands) == (2 * 1024 * 1024, 500)


def test_a_new_lane_on_a_file_reads_all_of_it(tmp_path: Path) -> None:
    assert lane_settings(setup_of(tmp_path, FILES), "app-push", "me").start_at == "earliest"


def test_the_planner_knows_the_shops_of_its_lane(tmp_path: Path) -> None:
    shops = "ducky: {slug: ducky, lanes: [app-push]}\n  other: {lanes: []}"
    setup = setup_of(tmp_path, CONFIG.replace("ducky: {slug: ducky}", shops))
    profile = lane_profile(setup.config, "app-push")
    assert (list(profile.shops), profile.default_shop, profile.mode) == (["ducky"], None, Mode.LIVE)


def test_with_one_shop_alone_events_need_not_name_it(tmp_path: Path) -> None:
    assert lane_profile(setup_of(tmp_path).config, "app-push").default_shop == "ducky"


@pytest.mark.parametrize(
    ("security", "protocol"),
    [
        ("{}", "PLAINTEXT"),
        ("{tls: true, ca: ca.pem}", "SSL"),
        ("{sasl: {user: u, password: {env: IMSHOP_KEY}}}", "SASL_PLAINTEXT"),
        ("{tls: true, sasl: {user: u, password: {env: IMSHOP_KEY}}}", "SASL_SSL"),
    ],
)
def test_security_is_told_to_the_streams(tmp_path: Path, security: str, protocol: str) -> None:
    settings = kafka_settings(setup_of(tmp_path, secured(security)))
    assert (settings.bootstrap, settings.security) == ("a:1,b:2", protocol)
    if "ca" in security:
        assert settings.ca_file == str(tmp_path / "ca.pem")
    if "sasl" in security:
        assert (settings.username, settings.sasl_mechanism) == ("u", "SCRAM-SHA-512")
        assert settings.password is not None
        assert settings.password() == ENVIRON["IMSHOP_KEY"]
        assert ENVIRON["IMSHOP_KEY"] not in repr(settings)


async def test_the_streams_are_what_the_configuration_says(tmp_path: Path) -> None:
    assert isinstance(usual_streams(setup_of(tmp_path), silent)("app-push").source, KafkaSource)
    assert isinstance(usual_streams(setup_of(tmp_path, FILES), silent)("app-push").source, LinesSource)


def test_the_wrong_streams_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no source"):
        lines_streams(setup_of(tmp_path), silent)
    with pytest.raises(ValueError, match="no kafka"):
        kafka_streams(setup_of(tmp_path, FILES), silent)


def test_metrics_expect_the_routes_of_each_lane(tmp_path: Path) -> None:
    (names,) = expected(setup_of(tmp_path), "1").lanes
    assert (names.routes, names.levels, names.provider) == (("order-paid",), 2, "imshop")
    assert [sheet.mode for sheet in lane_sheets(setup_of(tmp_path))] == ["live"]


def test_every_life_of_a_process_has_a_name_of_its_own() -> None:
    assert new_member() != new_member()
