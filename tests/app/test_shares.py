"""A lane with shares: what the configuration may say of it, and what it becomes."""

from pathlib import Path

import pytest

from consumer.app import wiring
from consumer.app.deployed import planners_of
from consumer.app.setup import Setup, load_setup
from consumer.core.document import Problem
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
        ("quota: {requests: 10, per: 1m}", "shares", "the quota that it has is kept by one process alone"),
        ("ceiling: {recipients: 10, per: 1m}", "shares", "the ceiling that it has is kept by one process alone"),
        ("in_flight: 3", "in_flight", "3 divided among 4 shares leaves nothing for some"),
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
