"""What the doctor makes of what brokers, groups and journals tell: each row with what to do about it."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import USAGE
from consumer.app.doctor_cluster import broker_rows, needed_rights, right_rows, topic_rows
from consumer.app.doctor_lanes import clock_row, group_rows, journal_rows, offset_rows, process_rows
from consumer.app.doctor_row import Row, exit_code
from consumer.app.setup import Setup
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Entry, Unreadable
from consumer.streams.inspection import Broker, Cluster, GroupMember, GroupState, TopicState, allowed, release_of
from consumer.streams.marks import Mark
from consumer.streams.topics import TopicProblem
from schemas.journal import Claim
from tests.app.support import CONFIG, setup_of, write

NOW = 1_767_225_600.0  # the first moment of 2026
ALL = frozenset({"Read", "Write", "Describe", "DescribeConfigs"})
JOURNAL = "vestnik.journal.app-push"
ORDERS = TopicPartition("shop.orders", 0)
OLDEST = "older than 2.3"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return setup_of(tmp_path)


def told(rows: Iterable[Row]) -> list[tuple[str, str]]:
    return [(row.what, row.state) for row in rows]


def topic(name: str = "shop.orders", **given: object) -> TopicState:
    usual = {"partitions": 3, "replicas": 3, "lagging": (), "leaderless": (), "allowed": ALL, "configs": {}}
    return TopicState(name, **{**usual, **given})  # type: ignore[arg-type]


def cluster(*topics: TopicState, brokers: tuple[Broker, ...] = (), **troubles: Trouble) -> Cluster:
    hidden = {name.replace("_", "."): trouble for name, trouble in troubles.items()}
    return Cluster(brokers, {each.name: each for each in topics}, hidden)


# --- brokers ----------------------------------------------------------------------------------------------------------


def test_brokers_tell_their_release_and_one_that_is_not_reached_fails(setup: Setup) -> None:
    brokers = (Broker(1, "127.0.0.1", 9092, "4.1 or later"), Broker(2, "127.0.0.1", 9093, trouble="no connection"))
    rows = list(broker_rows(setup, cluster(brokers=brokers), NOW))
    assert told(rows) == [("broker 2 at 127.0.0.1:9093", "failed"), ("brokers", "ok")]
    assert "advertised.listeners" in rows[0].mend
    assert rows[1].detail == "1 reached; Kafka 4.1 or later"


@pytest.mark.parametrize(
    ("versions", "release"),
    [({1: (4, 18)}, "4.1 or later"), ({1: (4, 17)}, "3.9 or later"), ({1: (0, 12)}, "2.7 or later"), ({}, OLDEST)],
)
def test_a_release_is_known_by_the_protocol(versions: dict[int, tuple[int, int]], release: str, setup: Setup) -> None:
    assert release_of(versions) == release
    rows = broker_rows(setup, cluster(brokers=(Broker(1, "localhost", 1, release),)), NOW)
    old = release.startswith(("older", "2."))
    assert [row.state for row in rows] == (["ok", "warning"] if old else ["ok"])


def test_a_line_that_others_can_hear_is_a_warning_and_so_is_a_certificate_that_ends(
    tmp_path: Path, setup: Setup
) -> None:
    far = Broker(1, "kafka.example", 9092, "4.1 or later")
    assert told(broker_rows(setup, cluster(brokers=(far,)), NOW))[1:] == [("TLS", "warning")]
    secret = setup_of(tmp_path, CONFIG.replace("localhost:9092", "localhost:9092\n  security: {tls: true}"))
    for ends, state in (("Jan 10 00:00:00 2026 GMT", "warning"), ("Jan 10 00:00:00 2027 GMT", "ok"), (None, "ok")):
        broker = Broker(1, "kafka.example", 9092, "4.1 or later", "", "TLSv1.3", ends)
        assert told(broker_rows(secret, cluster(brokers=(broker,)), NOW))[1:] == [("TLS of broker 1", state)]


# --- topics and rights ------------------------------------------------------------------------------------------------


def test_topics_as_they_should_be_are_one_row(setup: Setup) -> None:
    assert told(topic_rows(setup, [], cluster(topic()))) == [("topics", "ok")]


def test_missing_leaders_replicas_out_of_sync_and_settings_that_bite_later_are_told(setup: Setup) -> None:
    found = cluster(
        topic("a", leaderless=(0, 2)),
        topic("b", lagging=(1,)),
        topic("c", configs={"min.insync.replicas": "3"}),
        topic("shop.orders", configs={"retention.ms": "3600000"}),
        topic("shop.bonuses", configs={"retention.ms": "-1"}),
    )
    rows = list(topic_rows(setup, [TopicProblem("d", "missing", "vestnik topics create makes it")], found))
    assert told(rows) == [
        ("topic d", "failed"),
        ("topic a", "failed"),
        ("topic b", "warning"),
        ("topic c", "warning"),
        ("topic shop.orders", "warning"),
    ]
    assert rows[1].detail == "no leader for partitions 0, 2"
    assert rows[3].mend == "min.insync.replicas=2"
    assert rows[4].detail == "keeps records 1h, and news is worth telling 3h"


def test_rights_are_those_that_the_lanes_need(tmp_path: Path, setup: Setup) -> None:
    assert needed_rights(setup)[JOURNAL] == {"Read", "Write", "Describe"}
    assert "vestnik.suppressions" not in needed_rights(setup)
    more = CONFIG.replace("mode: live", "mode: live\n    backfill: true") + "privacy: {hash_key: {env: IMSHOP_KEY}}\n"
    needed = needed_rights(setup_of(tmp_path, more))
    assert needed["vestnik.backfill.app-push"] == needed["vestnik.suppressions"] == {"Read", "Describe"}


def test_a_right_that_is_missing_fails_with_the_command_that_grants_it(setup: Setup) -> None:
    few = topic(JOURNAL, allowed=frozenset({"Describe", "Read"}))
    hidden = Trouble("not_authorised", "TopicAuthorizationFailedError")
    rows = list(right_rows(setup, cluster(few, topic("shop.bonuses", allowed=None), shop_orders=hidden)))
    assert told(rows) == [
        ("rights on shop.bonuses", "unknown"),
        (f"rights on {JOURNAL}", "failed"),
        ("rights on shop.orders", "failed"),
    ]
    assert rows[1].mend == f"kafka-acls.sh --add --allow-principal User:… --operation Write --topic {JOURNAL}"
    assert told(right_rows(setup, cluster(topic()))) == [("rights on topics", "ok")]


def test_the_broker_s_bits_are_names_and_none_are_unknown() -> None:
    assert allowed((1 << 3) | (1 << 8)) == frozenset({"Read", "Describe"})
    assert allowed(0) == frozenset()
    assert allowed(-(2**31)) is None


# --- lanes ------------------------------------------------------------------------------------------------------------


def member(name: str, *partitions: TopicPartition) -> GroupMember:
    return GroupMember(name, "vestnik", f"10.0.0.{name}", 1, partitions)


def group(state: str, *members: GroupMember, protocol: str = "vestnik-exclusive") -> GroupState:
    return GroupState(state, protocol, members, ALL)


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (group("Stable", member("1", ORDERS), member("2")), "ok", "owner at 10.0.0.1, 1 standing by"),
        (group("Stable", member("1")), "ok", "owner at nobody yet"),
        (group("Empty", protocol=""), "warning", "no process runs the lane"),
        (group("Dead", protocol=""), "warning", "nobody ever joined it"),
        (group("PreparingRebalance", member("1")), "warning", "PreparingRebalance"),
        (group("Stable", member("1", ORDERS), protocol="range"), "failed", "share partitions by range"),
        (group("Stable", member("1", ORDERS), member("2", ORDERS)), "failed", "2 members have partitions"),
        (Trouble("not_authorised", "GroupAuthorizationFailedError"), "failed", "not_authorised"),
        (Trouble("broker_unreachable", "no broker answers"), "unknown", "broker_unreachable"),
    ],
)
def test_a_group_has_one_owner_of_ours(found: GroupState | Trouble, state: str, words: str) -> None:
    (row,) = group_rows("lane a", found)
    assert (row.state, words in row.detail) == (state, True)


def test_a_group_that_may_not_be_read_is_told() -> None:
    bare = GroupState("Stable", "vestnik-exclusive", (member("1", ORDERS),), frozenset({"Describe"}))
    assert told(group_rows("lane a", bare)) == [("group", "ok"), ("rights on the group", "failed")]


def test_journals_that_others_write_to_are_told() -> None:
    good, strange = Entry(0, NOW, Claim(epoch=1, member="m")), Entry(1, NOW, Unreadable("json_invalid"))
    assert [row.state for row in journal_rows("lane a", [good])] == ["ok"]
    assert [row.detail for row in journal_rows("lane a", [])] == ["empty"]
    (odd,) = journal_rows("lane a", [good, strange])
    assert (odd.state, odd.detail) == ("warning", "1 of the last 2 records are none of ours: json_invalid")
    (missing,) = journal_rows("lane a", Trouble("topic_missing", JOURNAL))
    assert (missing.state, missing.mend) == ("failed", "vestnik topics create")


@pytest.mark.parametrize(
    ("marks", "worked", "state", "words"),
    [
        ({ORDERS: Mark(5, 0, 9, None)}, True, "ok", "1 of 1"),
        ({ORDERS: Mark(None, 0, 9, None)}, False, "ok", "0 of 1"),
        ({ORDERS: Mark(None, 0, 9, None)}, True, "failed", "lost"),
        ({ORDERS: Mark(5, 7, 9, None)}, True, "failed", "2 records of shop.orders/0 were gone"),
        (Trouble("topic_missing", "shop.orders"), True, "failed", "topic_missing"),
    ],
)
def test_offsets_that_are_lost_or_out_of_range_fail(
    marks: dict[TopicPartition, Mark] | Trouble, worked: bool, state: str, words: str
) -> None:
    (row,) = offset_rows("lane a", "a", marks, worked=worked)
    assert (row.state, words in row.detail) == (state, True)


@pytest.mark.parametrize(
    ("newest", "state", "words"),
    [
        ([], "unknown", "no journal has a record"),
        ([NOW - 5000, NOW - 2], "ok", "within 60 s"),
        ([NOW - 5000], "ok", "whether it is ahead"),
        ([NOW + 40], "warning", "at least 40 s behind"),
    ],
)
def test_the_clock_is_compared_with_what_brokers_stamped(newest: list[float], state: str, words: str) -> None:
    row = clock_row(newest, NOW)
    assert (row.state, words in row.detail) == (state, True)


async def test_processes_that_do_not_answer_are_unknown_and_only_a_failing_when_they_were_named(setup: Setup) -> None:
    address = "http://127.0.0.1:1"
    (named,) = await process_rows(setup, [address], asked=True)
    (guessed,) = await process_rows(setup, [address], asked=False)
    assert (named.state, guessed.state) == ("unknown", "unknown")
    assert (exit_code([named]), exit_code([guessed])) == (3, 0)


def test_the_exit_code_tells_scripts_what_they_need() -> None:
    good, bad = Row("a", "b", "ok"), Row("a", "b", "failed", mend="mend it")
    unknown = Row("a", "b", "unknown", mend="let me in")
    assert [exit_code(rows) for rows in ([good], [good, Row("a", "b", "warning")], [bad, unknown], [unknown])] == [
        0,
        0,
        1,
        3,
    ]


def test_an_address_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    told_ = CliRunner().invoke(app, ["doctor", "-c", str(write(tmp_path)), "--admin", "nowhere"])
    assert (told_.exit_code, '--admin: "nowhere"' in told_.stderr) == (USAGE, True)
