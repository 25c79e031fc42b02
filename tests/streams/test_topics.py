"""Which topics a set of lanes needs, and where an existing one falls short."""

import shlex

from consumer.streams.settings import KafkaSettings
from consumer.streams.topics import Shape, check, config_problems, create, script, wanted

DAY_MS = 86_400_000


def test_each_lane_has_a_journal_of_one_partition_with_broker_time_and_twice_its_memory() -> None:
    """And a backfill topic; the rest is common."""
    specs = {spec.name: spec for spec in wanted(["app-push", "staff"], ["shop.orders", "shop.orders"])}
    assert list(specs) == [
        "shop.orders",
        "vestnik.journal.app-push",
        "vestnik.backfill.app-push",
        "vestnik.journal.staff",
        "vestnik.backfill.staff",
        "vestnik.dead-letters",
        "vestnik.control",
        "vestnik.suppressions",
        "vestnik.tokens",
    ]
    journal = specs["vestnik.journal.app-push"]
    assert (journal.partitions, journal.replicas) == (1, 3)
    assert journal.configs["cleanup.policy"] == "delete"
    assert journal.configs["message.timestamp.type"] == "LogAppendTime"
    assert int(journal.configs["retention.ms"]) >= 16 * DAY_MS
    assert journal.configs["min.insync.replicas"] == "2"
    assert specs["vestnik.tokens"].configs["cleanup.policy"] == "compact"
    assert not specs["shop.orders"].ours


def test_one_broker_is_not_asked_for_two_replicas_in_sync() -> None:
    """It could never ack."""
    assert all("min.insync.replicas" not in spec.configs for spec in wanted(["a"], [], Shape(replicas=1)))


def test_more_than_wanted_is_no_problem_and_less_is_named_with_its_mending() -> None:
    """Longer retention is fine; another clean-up policy is not."""
    journal = wanted(["a"], [])[0]
    assert (
        config_problems(journal, dict(journal.configs) | {"retention.ms": "-1", "max.message.bytes": "9999999"}) == []
    )
    (problem,) = config_problems(journal, dict(journal.configs) | {"retention.ms": str(DAY_MS)})
    assert "retention.ms is 86400000" in str(problem)
    assert "kafka-configs.sh --alter --topic vestnik.journal.a" in problem.mend
    assert len(config_problems(journal, {"cleanup.policy": "compact", "min.insync.replicas": "1"})) == 2


def test_the_script_makes_our_topics_and_not_the_shops() -> None:
    """Each line is one command that a shell understands."""
    lines = script(wanted(["a"], ["shop.orders"])).splitlines()
    words = [shlex.split(line) for line in lines]
    assert all(command[:3] == ["kafka-topics.sh", "--create", "--if-not-exists"] for command in words)
    assert words[0][words[0].index("--topic") + 1] == "vestnik.journal.a"
    assert len(words) == 6
    assert "message.timestamp.type=LogAppendTime" in words[0]


async def test_an_address_where_nobody_answers_is_one_problem() -> None:
    """With the address in it, for checking and for making."""
    nowhere = KafkaSettings("127.0.0.1:1")
    for problems in (await check(nowhere, wanted(["a"], [])), await create(nowhere, wanted(["a"], []))):
        (problem,) = problems
        assert problem.what.startswith("broker_unreachable")
        assert "127.0.0.1:1" in problem.mend
