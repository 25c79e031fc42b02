"""A lane with shares: what the configuration may say of it, and what it becomes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from consumer.app import replay_calls, replaying, suppressing, wiring
from consumer.app.cli import app
from consumer.app.commands.shared import FINE, USAGE, known_lanes
from consumer.app.controlling import Wish, ordered
from consumer.app.deployed import planners_of
from consumer.app.doctor_cluster import topic_rows
from consumer.app.send import door_of
from consumer.app.setup import Setup, load_setup
from consumer.core.control import Order
from consumer.core.document import Problem
from consumer.core.model import Position, Record
from consumer.core.suppressions import Suppression
from consumer.streams.inspection import Cluster, TopicState
from tests.app.support import ENVIRON, ROUTES, write

HOOK = """\
kafka: {bootstrap: "localhost:9092"}
topics:
  sources: [shop.orders]
shops:
  ducky: {slug: ducky}
lanes:
  app-push:
    provider:
      type: webhook
      url: https://hook.example/in
      body: {text: "{{ text }}", to: "{{ recipients }}"}
      answers:
        - {when: "status == `200`", verdict: delivered}
    mode: live
    backfill: true
    shares: 4
    in_flight: 8
    backlog: {commands: 4000, bytes: 40MiB, records: 8000}
routes: routes
"""


def loaded(folder: Path, config: str = HOOK) -> Setup:
    setup = load_setup(write(folder, config, ROUTES), ENVIRON)
    assert isinstance(setup, Setup), setup
    return setup


def problems(folder: Path, config: str) -> list[Problem]:
    found = load_setup(write(folder, config, ROUTES), ENVIRON)
    assert isinstance(found, list), "there is nothing wrong with it"
    return found


def test_a_shared_lane_is_as_many_lanes_with_what_is_its_own_divided_among_them(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    assert setup.config.names == ("app-push.0", "app-push.1", "app-push.2", "app-push.3")
    settings = wiring.lane_settings(setup, "app-push.2", "me")
    assert (settings.id, settings.in_flight) == ("app-push.2", 2)
    bounds = settings.bounds
    assert (bounds.commands, bounds.bytes, bounds.span) == (1000, 10 * 1024 * 1024, 2000)
    assert wiring.lane_sources(setup, "app-push.2") == ["shop.orders", "vestnik.backfill.app-push.2"]
    assert wiring.journal_place("app-push.2") == ("vestnik.journal.app-push", 2)
    assert wiring.group_name("app-push.2") == "vestnik.app-push.2"


def test_every_share_plans_for_the_lane_s_routes_and_texts_name_the_lane(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    assert planners_of(setup).keys() == set(setup.config.names)
    (names, *_) = wiring.expected(setup, "1").lanes
    assert (names.lane, names.routes) == ("app-push.0", ("order-paid",))


def test_its_topics_are_one_journal_of_as_many_partitions_and_a_backfill_topic_for_each_share(tmp_path: Path) -> None:
    specs = {spec.name: spec.partitions for spec in wiring.wanted_topics(loaded(tmp_path), 1)}
    assert specs["vestnik.journal.app-push"] == 4
    assert [name for name in specs if "backfill" in name] == [f"vestnik.backfill.app-push.{n}" for n in range(4)]


def test_a_lane_that_reads_a_file_is_not_shared(tmp_path: Path) -> None:
    setup = loaded(tmp_path, HOOK.replace('kafka: {bootstrap: "localhost:9092"}', "source: {lines: r.jsonl}"))
    assert setup.config.names == ("app-push",)


IMSHOP = "{type: imshop, url: https://push.example/send, key: {env: IMSHOP_KEY}}"


@pytest.mark.parametrize(
    ("said", "where", "what"),
    [
        ("quota: {requests: 10, per: 1m}", "shares", "its quota is kept by one process alone"),
        ("ceiling: {recipients: 10, per: 1m}", "shares", "its ceiling is kept by one process alone"),
        ("in_flight: 3", "in_flight", "in_flight of 3, divided among 4 shares, leaves nothing for some"),
    ],
)
def test_what_one_process_alone_can_keep_is_refused_beside_shares(
    tmp_path: Path, said: str, where: str, what: str
) -> None:
    config = HOOK.replace("    in_flight: 8\n", f"    {said}\n")
    (problem,) = problems(tmp_path, config)
    assert what in problem.what
    assert config.splitlines()[problem.line - 1].strip().startswith(where)
    assert problem.mend


def test_a_provider_with_a_quota_is_refused_beside_shares(tmp_path: Path) -> None:
    start, end = HOOK.index("provider:"), HOOK.index("    mode: live")
    (problem,) = problems(tmp_path, HOOK[:start] + f"provider: {IMSHOP}\n" + HOOK[end:])
    assert 'the lane "app-push" cannot have shares: the quota of imshop' in problem.what


@pytest.mark.parametrize("shares", ["1", "65", "many"])
def test_there_are_two_shares_at_least_and_64_at_most(tmp_path: Path, shares: str) -> None:
    (problem,) = problems(tmp_path, HOOK.replace("shares: 4", f"shares: {shares}"))
    assert "shares" in problem.what


def test_who_leaves_out_in_flight_or_has_caps_is_told_what_that_means(tmp_path: Path) -> None:
    said = " ".join(loaded(tmp_path).warnings)
    assert "each of its shares" not in said
    assert "caps hold" not in said
    config = HOOK.replace("    in_flight: 8\n", "    caps: [{messages: 1, per: 1d}]\n")
    told = " ".join(loaded(tmp_path, config).warnings)
    assert "lane app-push: each of its shares has 1 request at a time; set in_flight for more" in told
    assert "each share counts caps by itself" in told


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_lane_s_id_means_all_its_shares_and_a_share_s_name_itself(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    assert known_lanes(setup, ["app-push.1"]) == ["app-push.1"]
    assert known_lanes(setup, ["app-push", "app-push.1"]) == known_lanes(setup, None) == list(setup.config.names)
    with pytest.raises(typer.Exit):
        known_lanes(setup, ["app-push.4"])


def test_people_speak_to_the_lane_and_not_to_a_share(tmp_path: Path) -> None:
    setup, now = loaded(tmp_path), datetime.now(UTC)
    assert isinstance(ordered(setup, Wish("app-push", paused=True, reason="why"), now), Order)
    mend = '"app-push.2" is a share; say "app-push", which means all its shares'
    assert ordered(setup, Wish("app-push.2", paused=True, reason="why"), now) == mend
    assert suppressing.asked("why", None, ["app-push.2"], setup.config) == mend
    assert isinstance(suppressing.asked("why", None, ["app-push"], setup.config), Suppression)


def test_what_is_sent_to_one_person_goes_by_one_share(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    doors = [door_of(setup, "app-push", f"c-{number}") for number in range(50)]
    assert doors == [door_of(setup, "app-push", f"c-{number}") for number in range(50)]
    assert set(doors) == {f"vestnik.backfill.{name}" for name in setup.config.names}


def wish(setup: Setup, *lanes: str) -> replaying.Wish:
    return replay_calls.wish_from(setup, replay_calls.Words(lanes=lanes))


def test_a_replay_is_each_share_s_own(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    assert wish(setup).lanes == wish(setup, "app-push").lanes == setup.config.names
    assert wish(setup, "app-push.3").lanes == ("app-push.3",)
    with pytest.raises(replay_calls.WordsError):
        wish(setup, "app-push.9")
    record = Record(Position("shop.orders", 6, 1), 0.0, None, b"{}")
    assert [lane for lane, _ in replaying.Reading(setup, wish(setup)).found(record)] == ["app-push.2"]


def test_a_line_that_says_nothing_of_its_partition_is_no_share_s(tmp_path: Path) -> None:
    setup = loaded(tmp_path)
    record = Record(Position(replaying.LINES_TOPIC, 0, 6), 0.0, None, b"{}")
    with pytest.raises(replaying.RangeError, match="line 7 does not say"):
        list(replaying.Reading(setup, wish(setup)).found(record))


@pytest.mark.parametrize(
    ("partitions", "told"),
    [
        ({"shop.orders": 8, "shop.bonuses": 8}, []),
        ({"shop.orders": 3, "shop.bonuses": 3}, ["4 shares, but no source has more than 3 partitions"]),
        ({"shop.orders": 8, "shop.bonuses": 6}, ["shop.orders has 8, shop.bonuses has 6 partitions"]),
        ({}, []),
    ],
)
def test_the_doctor_tells_of_shares_without_partitions_and_of_customers_in_two(
    tmp_path: Path, partitions: dict[str, int], told: list[str]
) -> None:
    setup = loaded(tmp_path, HOOK.replace("sources: [shop.orders]", "sources: [shop.orders, shop.bonuses]"))
    topics = {name: TopicState(name, count, 1, (), (), None, {}) for name, count in partitions.items()}
    rows = [row for row in topic_rows(setup, (), Cluster((), topics, {})) if row.what == "shares"]
    assert len(rows) == len(told)
    assert all(words in row.detail and row.mend for words, row in zip(told, rows, strict=True))


@pytest.mark.parametrize(
    ("deployed", "wanted", "said"),
    [
        (
            "shares: 4",
            "shares: 8",
            ':16: the lane "app-push" has shares: 8, and the one that is deployed has shares: 4; say shares: 4, or',
        ),
        (
            "event_limit: 1MiB",
            "shares: 2",
            "has shares: 2, and the one that is deployed has no shares; leave out shares, or",
        ),
        ("shares: 2", "event_limit: 1MiB", "has no shares, and the one that is deployed has shares: 2; say shares: 2"),
    ],
)
def test_check_holds_the_shares_of_a_lane_against_those_that_are_deployed(
    tmp_path: Path, deployed: str, wanted: str, said: str
) -> None:
    folders = {name: tmp_path / name for name in ("deployed", "wanted")}
    for name, shares in (("deployed", deployed), ("wanted", wanted)):
        folders[name].mkdir()
        write(folders[name], HOOK.replace("shares: 4", shares), ROUTES)
    words = ["check", "--without-secrets", "-c", str(folders["wanted"])]
    assert CliRunner().invoke(app, [*words, "--against", str(folders["wanted"])]).exit_code == FINE
    found = CliRunner().invoke(app, [*words, "--against", str(folders["deployed"])])
    assert (found.exit_code, said in found.stderr) == (USAGE, True), found.stderr
