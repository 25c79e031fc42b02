"""`vestnik lag`: what it makes of marks, journals and groups."""

import json
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.app import lagging
from consumer.app.cli import app
from consumer.app.commands.lag import plain_lag, tell_lane
from consumer.app.commands.shared import FAILED, USAGE
from consumer.app.lagging import LaneLag, Owner, PartitionLag, owner_of, people_a_request, seconds_to_clear, unread_of
from consumer.core.control import Order
from consumer.core.model import Quota, TopicPartition
from consumer.core.ports import Entry, Unreadable
from consumer.streams.inspection import GroupMember, GroupState
from consumer.streams.marks import Mark
from schemas.journal import Attempt, AttemptParcel, Claim, Landing, SentMessage
from tests.app.support import write
from tests.core.journal import alike

CLOSED = """\
kafka: {bootstrap: "127.0.0.1:1"}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
"""
ORDERS = TopicPartition("shop.orders", 0)
HELD = GroupMember("m1", "vestnik", "10.0.0.1", 7, (ORDERS,))
IDLE = GroupMember("m2", "vestnik", "10.0.0.2", 0, ())


def entry(offset: int, record: Any) -> Entry:
    return Entry(offset, 1000.0 + offset, record)


def attempt(number: int, people: int) -> Attempt:
    commands = alike(*["0" * 24] * people)
    parcel = AttemptParcel(message=SentMessage(title="t", text="t"), wording=0, commands=commands)
    return Attempt(id=f"1.{number}", epoch=1, parcels=[parcel])


def part(records: int | None, seconds: float | None = 0.0, read: int | None = None, gone: int = 0) -> PartitionLag:
    return PartitionLag(
        "shop.orders", 0, None if records is None else 10, read, 10 + (records or 0), records, seconds, gone
    )


def test_a_mark_tells_what_is_behind_and_what_is_gone() -> None:
    assert (Mark(5, 0, 12, None).records, Mark(5, 0, 12, None).gone) == (7, 0)
    assert (Mark(5, 8, 12, None).records, Mark(5, 8, 12, None).gone) == (4, 3)
    assert (Mark(None, 8, 12, None).records, Mark(None, 8, 12, None).gone) == (None, 0)


def test_the_owner_is_who_claimed_first_in_the_highest_epoch_and_who_holds_partitions_now() -> None:
    tail = [
        entry(1, Claim(epoch=3, member="old:1:a")),
        entry(2, Claim(epoch=4, member="new:1:b")),
        entry(3, Claim(epoch=4, member="late:1:c")),
        entry(4, Unreadable("json_invalid")),
        entry(5, Landing(attempt="4.1", epoch=4, verdict="delivered", outcome="delivered")),
    ]
    found = owner_of(tail, GroupState("Stable", "p", (IDLE, HELD), None))
    assert found == Owner("new:1:b", 4, "10.0.0.1", ("10.0.0.2",), "Stable")
    forgotten = [*tail, entry(6, Landing(attempt="6.1", epoch=6, verdict="withdrawn"))]
    assert owner_of(forgotten, GroupState("Empty", "", (), None)) == Owner("", 6, "", (), "Empty")


def test_time_to_clear_goes_by_what_requests_carried_lately() -> None:
    tail = [entry(number, attempt(number, people)) for number, people in enumerate([900] + [10, 30] * 25)]
    assert people_a_request(tail) == 20.0
    assert people_a_request([]) == 1.0
    assert seconds_to_clear(Quota(10, 60.0), 201, 20.0, 0.0) == 66.0
    assert seconds_to_clear(Quota(10, 60.0), 0, 1.0, 12.5) == 12.5
    assert seconds_to_clear(None, 200, 20.0, 0.0) is None


def test_what_is_unread_is_counted_by_offsets_where_the_owner_tells_them() -> None:
    assert unread_of([part(5, read=12), part(5, read=15)], {"lag_records": 99}) == 3
    assert unread_of([part(5, read=12), part(5)], {"lag_records": 99}) == 99


def test_the_owner_s_state_is_found_among_many_processes() -> None:
    reports: list[dict[str, Any]] = [
        {"lanes": {}},
        {"lanes": {"a": {"owner": False}}},
        {"lanes": {"a": {"owner": True, "waiting": 3}}},
    ]
    assert lagging.owner_state(reports, "a") == {"owner": True, "waiting": 3}
    assert lagging.owner_state(reports, "b") is None


def lane(**given: Any) -> LaneLag:
    usual: dict[str, Any] = {
        "lane": "app-push",
        "partitions": (part(5, 90.0), part(None, None)),
        "owner": Owner("host:1:a", 3, "10.0.0.1", ("10.0.0.2",), "Stable"),
        "paused": None,
        "waiting": 40,
        "clear_seconds": 75.0,
        "people": 20.0,
    }
    return LaneLag(**usual | given)


def test_people_read_sentences_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    tell_lane(lane())
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [
        (
            "app-push: 5 records, 1 min 30 s behind; to clear: 1 min 15 s "
            "(40 commands wait; estimated at 20 people a request)"
        ),
        "  owner at 10.0.0.1; epoch 3, claimed by host:1:a, 1 standing by at 10.0.0.2",
    ]
    assert told[-1].split() == ["shop.orders", "0", "-", "-", "10", "-", "-"]


def test_nobody_s_lane_a_pause_and_lost_records_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    paused = Order(paused=True, who="anna", reason="wrong text", since=datetime(2026, 1, 1, tzinfo=UTC))
    owner = Owner("", 0, "", (), "Empty")
    tell_lane(lane(owner=owner, paused=paused, partitions=(part(5, 90.0, gone=4),), waiting=None, clear_seconds=None))
    told = capsys.readouterr().out
    assert "nobody owns it (its group is Empty); never claimed" in told
    assert "paused by anna: wrong text" in told
    assert "4 records are gone" in told
    assert "to clear: no quota" in told


def test_machines_get_sums_and_nothing_that_json_cannot_hold() -> None:
    plain = json.loads(json.dumps(plain_lag(lane())))
    assert (plain["records"], plain["seconds"], plain["owner"]["epoch"]) == (5, 90.0, 3)
    assert plain["partitions"][1]["committed"] is None


def test_a_cluster_that_does_not_answer_is_told_for_each_lane_and_fails(tmp_path: Path) -> None:
    path = write(tmp_path, CLOSED, "[]")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        path.write_text(CLOSED.replace(':1"', f':{found.getsockname()[1]}"'))
    told = CliRunner().invoke(app, ["lag", "-c", str(path), "-o", "json"])
    assert told.exit_code == FAILED, told.output
    (only,) = json.loads(told.stdout)
    assert only["trouble"].startswith("broker_unreachable")


@pytest.mark.parametrize(
    ("words", "said"), [(("nobody",), 'unknown lane "nobody"'), (("--url", "ftp://x"), "is not like http://")]
)
def test_what_cannot_be_meant_is_wrong_usage(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    told = CliRunner().invoke(app, ["lag", *words, "-c", str(write(tmp_path, CLOSED, "[]"))])
    assert (told.exit_code, said in told.stderr) == (USAGE, True)


def test_records_from_a_file_have_no_lag(tmp_path: Path) -> None:
    text = CLOSED.replace('kafka: {bootstrap: "127.0.0.1:1"}', "source: {lines: events.jsonl}")
    told = CliRunner().invoke(app, ["lag", "-c", str(write(tmp_path, text, "[]"))])
    assert (told.exit_code, "no kafka" in told.stderr) == (USAGE, True)


def test_watching_ends_cleanly_when_it_is_told_to(tmp_path: Path) -> None:
    vestnik = Path(sys.executable).with_name("vestnik")
    words = ["lag", "-c", str(write(tmp_path, CLOSED, "[]")), "--watch", "--every", "0.5", "-o", "json"]
    with subprocess.Popen([str(vestnik), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert [look[0]["lane"] for look in looks] == ["app-push", "app-push"]
    assert (process.returncode, errors) == (0, "")
