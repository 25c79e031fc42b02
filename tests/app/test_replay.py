"""`vestnik replay`: what may be asked for, what a plan says, and what it leaves behind for those who resume it."""

import asyncio
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.profiles import lane_profile
from consumer.app.replay_calls import Manner, Words, WordsError, unfit, wish_from, wrong
from consumer.app.replay_sending import PLAN_HEADER, Published, Recorded, Sent, _note, plan_note, wish_of
from consumer.app.replay_told import WHY, WORDS, Progress, log_line, report, tell_plan, tell_sent
from consumer.app.replaying import Foreseen, pace_of
from consumer.app.wiring import lines_streams
from consumer.core.backfill import Backfilled
from consumer.core.decode import decode
from consumer.core.hindsight import Hindsight
from consumer.core.model import Planned, Position, Record, TopicPartition
from consumer.core.plan import Planner
from consumer.core.replay import Fate, Forecast, Foresight, Outlook
from consumer.streams.ranges import Offset, Stretch
from schemas.journal import Outcomes
from tests.app.support import CONFIG, ENVIRON, ROUTES, setup_of, write

BACKFILLED = CONFIG.replace("mode: live", "mode: live\n    backfill: true")
LONG = ROUTES.replace("ttl: 3h", "ttl: 7d")
RUNNER = CliRunner(env={**ENVIRON, "COLUMNS": "200"})
LINES = """\
source: {lines: events.jsonl, out: out}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
routes: routes
"""


def event(number: int, happened: str = "", **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"e-{number}",
        "type": "order.paid",
        "version": 1,
        "occurred_at": happened or datetime.now(UTC).isoformat(timespec="seconds"),
        "shop": "ducky",
        "customer": {"id": f"c-{number}"},
        "order": {"id": f"o-{number}"},
        **more,
    }


@pytest.mark.parametrize(
    ("words", "manner", "resume", "said"),
    [
        (Words(), Manner(), None, "say --from"),
        (Words("6h"), Manner(send=True), None, "wants a --reason"),
        (Words("6h", reason="  "), Manner(send=True), None, "wants a --reason"),
        (Words("6h", reason="x" * 501), Manner(send=True), None, "500 characters"),
        (Words("6h"), Manner(), "r-1", "--resume goes on"),
        (Words(again=True), Manner(), "r-1", "--resume goes on"),
        (Words(lines="a", since="6h"), Manner(), None, "read as a whole"),
        (Words("6h"), Manner(console=True, send=True), None, "leave out --send"),
        (Words("6h", reason="because"), Manner(send=True), None, ""),
        (Words(lines="a"), Manner(), None, ""),
        (Words(), Manner(send=True), "r-1", ""),
    ],
)
def test_options_that_make_no_sense_together_are_told_before_anything_is_read(
    words: Words, manner: Manner, resume: str | None, said: str
) -> None:
    found = wrong(words, manner, resume)
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (Words("6h", lanes=["app-pushh"]), 'did you mean "app-push"'),
        (Words("6h", routes=["order-payd"]), "order-paid"),
        (Words("6h", types=["order.payed"]), "order.paid"),
        (Words("17"), "say --topic and --partition"),
        (Words("17", topics=["shop.orders"]), "say --topic and --partition"),
        (Words("soon"), "--from"),
        (Words("6h", "later"), "--to"),
        (Words("6h", extend_ttl="12"), "--extend-ttl"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(tmp_path: Path, words: Words, said: str) -> None:
    with pytest.raises(WordsError, match=said):
        wish_from(setup_of(tmp_path), words)


def test_all_lanes_and_sources_are_meant_where_nobody_says_which(tmp_path: Path) -> None:
    wish = wish_from(setup_of(tmp_path), Words("6h"))
    assert (wish.lanes, wish.range.topics) == (("app-push",), ("shop.orders", "shop.bonuses"))
    assert isinstance(wish.range.since, float)
    assert wish.selection.whole
    part = wish_from(
        setup_of(tmp_path), Words("17", "20", ["shop.orders"], [3], routes=["order-paid"], extend_ttl="2h")
    )
    assert (part.range.since, part.range.until, part.range.partitions) == (Offset(17), Offset(20), frozenset({3}))
    assert (part.asked.routes, part.asked.extend_ttl_seconds) == (frozenset({"order-paid"}), 7200.0)


def test_nothing_is_published_for_a_lane_that_would_not_read_it(tmp_path: Path) -> None:
    assert "backfill: true" in unfit(setup_of(tmp_path / "a"), ["app-push"])
    assert unfit(setup_of(tmp_path / "b", BACKFILLED), ["app-push"]) == ""
    shadow = BACKFILLED.replace("mode: live", "mode: shadow")
    assert "shadow" in unfit(setup_of(tmp_path / "c", shadow), ["app-push"])
    assert "no kafka" in unfit(setup_of(tmp_path / "d", LINES), ["app-push"])


def foreseen(folder: Path, *events: Mapping[str, Any]) -> Foreseen:
    """A plan over these events, without a broker."""
    setup = setup_of(folder, BACKFILLED, LONG)
    wish = wish_from(setup, Words("6h", reason="because", customers=["c-1", "c-2"]))
    profile = lane_profile(setup.config, "app-push")
    planner = Planner(profile, setup.routes)
    outlook = Outlook(Foresight(profile, setup.routes), planner, Hindsight(profile.memory_seconds), time())
    forecast = Forecast(outlook, wish.asked)
    for number, each in enumerate(events):
        value = json.dumps(each).encode()
        forecast.see(Record(Position("shop.orders", 0, number), time(), None, value), decode(value, 1 << 20))
    stretch = Stretch(TopicPartition("shop.orders", 0), 3, 9)
    paces = {"app-push": pace_of(setup, "app-push")}
    return Foreseen(wish, [stretch], {"app-push": forecast}, paces, time(), len(events))


def test_a_note_has_everything_that_a_resumed_replay_needs(tmp_path: Path) -> None:
    plan = foreseen(tmp_path, event(1))
    recorded = Recorded("olga@host", "because", 17.0)
    again = wish_of(plan.wish.asked.replay, json.loads(plan_note(plan, recorded, "app-push")))
    assert again[1:] == (plan.stretches, recorded)
    assert (again[0].lanes, again[0].selection, again[0].asked) == (
        plan.wish.lanes,
        plan.wish.selection,
        plan.wish.asked,
    )
    assert (again[0].range.topics, again[0].range.since) == (("shop.orders",), plan.wish.range.since)


def test_what_stands_in_the_backfill_topic_of_a_replay_is_found_there_and_nothing_of_another() -> None:
    old = Record(Position("shop.orders", 2, 7), 5.0, b"k", b"v")
    published = Published()
    for number, headers in enumerate(
        [
            (("vestnik-replay", b"r-2"), (PLAN_HEADER, b"{}")),
            (("vestnik-replay", b"r-1"), (PLAN_HEADER, b'{"first": 1}')),
            (("vestnik-replay", b"r-1"), (PLAN_HEADER, b'{"second": 1}')),
            Backfilled(old, "r-1").to_headers(),
            Backfilled(Record(Position("shop.orders", 2, 8), 5.0), "r-2").to_headers(),
            (("vestnik-replay", b"r-1"), ("vestnik-offset", b"x")),
        ]
    ):
        _note(Record(Position("vestnik.backfill.app-push", 0, number), 6.0, b"k", b"v", headers), "r-1", published)
    assert published.plan == {"first": 1}
    assert [published.has(Position("shop.orders", 2, offset)) for offset in (7, 8)] == [True, False]
    assert not published.ended
    end = (("vestnik-replay", b"r-1"), ("vestnik-replay-end", b"{}"))
    _note(Record(Position("vestnik.backfill.app-push", 0, 9), 6.0, b"k", None, end), "r-1", published)
    assert published.ended
    assert not Published().has(Position("shop.orders", 2, 7))


def test_every_fate_and_reason_has_its_words() -> None:
    assert set(WORDS) == set(Fate)
    assert all(WHY[why] or not why for why in WHY)


def test_a_plan_is_told_by_route_with_its_sum_and_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = foreseen(tmp_path, event(1), event(1), event(2, "2026-01-01T00:00:00+00:00"), {"type": "order.paid"})
    plan.warnings.append("something is cut")
    tell_plan(plan)
    told = capsys.readouterr().out
    assert "order-paid  1         would be told" in told
    assert "expired" in told
    assert "its deadline has passed" in told
    assert "dead letter" in told
    assert "warning: something is cut" in told
    assert "1 people would be told 1 messages; 1 expired, 1 copies of the same event." in told
    assert "1 texts, 1 requests" in told
    assert "6s of the lane's whole quota" in told


def test_a_report_has_all_of_it_for_machines(tmp_path: Path) -> None:
    plan = foreseen(tmp_path, event(1))
    recorded = Recorded("olga@host", "because", 0.0)
    dry = report(plan, recorded, {}, ())
    assert json.loads(json.dumps(dry)) == dry
    assert (dry["dry_run"], dry["who"], dry["at"]) == (True, "olga@host", "1970-01-01T00:00:00+00:00")
    assert dry["range"] == [{"topic": "shop.orders", "partition": 0, "begin": 3, "end": 9}]
    lane = dry["lanes"]["app-push"]
    assert lane["fates"] == [{"route": "order-paid", "fate": "told", "why": "", "commands": 1}]
    assert (lane["told"], lane["people"], lane["quota"]["requests"], "sent" in lane) == (1, 1, 1, False)
    sent = report(plan, recorded, {"app-push": Sent("app-push", 1, 1, done=True)}, ["x"])
    assert (sent["dry_run"], sent["troubles"], sent["lanes"]["app-push"]["sent"]["done"]) == (False, ["x"], True)


def test_what_was_not_finished_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = foreseen(tmp_path, event(1))
    replay = plan.wish.asked.replay
    tell_sent(plan, {"app-push": Sent("app-push", 3, 4, before=2)}, ["app-push: topic_missing"])
    output = capsys.readouterr()
    assert "4 messages in 3 records published (2 records by an earlier run)" in output.out
    assert output.err.splitlines() == [
        "not finished: app-push: topic_missing",
        f"To go on: vestnik replay --resume {replay} --send",
    ]
    tell_sent(plan, {"app-push": Sent("app-push", 3, 4, done=True)}, [])
    assert f"Replay {replay} is with its lanes" in capsys.readouterr().out


def test_who_asked_and_why_is_a_line_for_those_who_collect_logs(tmp_path: Path) -> None:
    plan = foreseen(tmp_path, event(1))
    line = json.loads(
        log_line(plan, Recorded("olga@host", "the portal was down", 0.0), Sent("app-push", 3, 4, done=True))
    )
    assert (line["event"], line["who"], line["reason"]) == ("replay_published", "olga@host", "the portal was down")
    assert (line["replay"], line["lane"], line["records"]) == (plan.wish.asked.replay, "app-push", 3)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_has_rate_and_the_time_that_the_quota_leaves(tmp_path: Path) -> None:
    plan, screen = foreseen(tmp_path, event(1), event(2)), Terminal()
    progress = Progress(screen)
    progress.reading(500, 1000)
    assert "500 of 1,000 records looked at" in screen.getvalue()
    assert screen.getvalue().rstrip().endswith("left")
    progress.over()
    waiting = {"app-push": Sent("app-push", 1, 1, behind=20_500, waits=True)}
    another = Progress(screen)
    another.publishing(plan, waiting)
    assert "app-push: 1 of 2 published" in screen.getvalue()
    assert "the lane has 20,500 records before it: waiting" in screen.getvalue()
    assert "left by the quota" in screen.getvalue()
    silent = Terminal()
    Progress(silent, silent=True).publishing(plan, waiting)
    Progress(io.StringIO()).reading(1, 0)
    assert silent.getvalue() == ""


def lines_config(folder: Path, *events: Mapping[str, Any]) -> list[str]:
    config = write(folder, LINES, LONG)
    (folder / "old.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events) + "{", encoding="utf-8")
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    return ["replay", "--lines", str(folder / "old.jsonl"), "--config", str(config)]


async def deliver(folder: Path, happened: Mapping[str, Any]) -> None:
    """Write into the journal of the files that the event's command was delivered."""
    setup = setup_of(folder, LINES, LONG)
    plan = Planner(lane_profile(setup.config, "app-push"), setup.routes).plan(
        Record(Position("lines", 0, 0), time(), None, json.dumps(happened).encode())
    )
    assert isinstance(plan, Planned)
    (command,) = plan.commands
    ids, digests, routes = [command.id.hex()], [command.digest.hex()], ["order-paid"]
    journal = lines_streams(setup, lambda _fact: None)("app-push").journal
    await journal.start()
    await journal.append(Outcomes(epoch=1, outcome="delivered", ids=ids, digests=digests, routes=routes))
    await journal.stop()


def test_lines_are_planned_without_any_broker_and_by_the_journal_in_files(tmp_path: Path) -> None:
    """What the journal has delivered is not told again."""
    words = lines_config(tmp_path, event(1), event(2), event(3))
    asyncio.run(deliver(tmp_path, event(3)))
    found = json.loads(RUNNER.invoke(app, [*words, "--output", "json"]).stdout)
    assert found["records"] == 4
    assert [(each["fate"], each["commands"]) for each in found["lanes"]["app-push"]["fates"]] == [
        ("told", 2),
        ("delivered", 1),
    ]
    assert found["lanes"]["app-push"]["rejected"] == [{"route": "", "reason": "invalid_json", "records": 1}]
    one = json.loads(RUNNER.invoke(app, [*words, "--customer", "c-2", "--output", "json"]).stdout)
    assert (one["lanes"]["app-push"]["told"], one["passed_over"]) == (1, 3)
    shown = RUNNER.invoke(app, [*words, "--console"]).stdout
    assert shown.splitlines()[0] == "app-push  order-paid  **  Order o-1 is paid | Thank you"


def test_lines_that_cannot_be_read_fail_and_without_kafka_nothing_is_published(tmp_path: Path) -> None:
    words = lines_config(tmp_path, event(1))
    missing = RUNNER.invoke(app, ["replay", "--lines", str(tmp_path / "none"), "--config", words[-1]])
    assert (missing.exit_code, "No such file" in missing.output) == (1, True)
    sent = RUNNER.invoke(app, [*words, "--send", "--reason", "x"])
    assert (sent.exit_code, "no kafka" in sent.output) == (2, True)
    ranged = RUNNER.invoke(app, ["replay", "--from", "6h", "--config", words[-1]])
    assert (ranged.exit_code, "say --lines" in ranged.output) == (2, True)
    resumed = RUNNER.invoke(app, ["replay", "--resume", "r-1", "--config", words[-1]])
    assert (resumed.exit_code, "no lane" in resumed.output) == (2, True)


def test_a_broker_that_does_not_answer_is_said_to_be_missing(tmp_path: Path) -> None:
    config = write(tmp_path, CONFIG.replace("localhost:9092", "127.0.0.1:1"), LONG)
    found = RUNNER.invoke(app, ["replay", "--from", "6h", "--config", str(config)])
    assert (found.exit_code, "broker_unreachable" in found.output) == (1, True)
