"""A person's own message: known by its header on the lane's own topic, planned like any other."""

import json
from dataclasses import replace
from typing import Any

import pytest

from consumer.core.model import Message, OnUnsure, Planned, Position, Priority, Record, Rejected
from consumer.core.plan import LaneProfile, Planner
from consumer.core.profile import Mode
from consumer.core.routes import RouteSet
from consumer.core.sending import Sending
from tests.core.planning import SHOPS

TOPIC = "vestnik.backfill.app"
PROFILE = LaneProfile("app", SHOPS, backfill=TOPIC)


def sending(**more: Any) -> Sending:
    return Sending.model_validate({"id": "0123456789abcdef", "recipient": "123", "text": "Проверка", **more})


def record(message: Sending | bytes, topic: str = TOPIC) -> Record:
    key, value, headers = (message if isinstance(message, Sending) else sending()).to_record()
    return Record(Position(topic, 0, 7), 1000.0, key, message if isinstance(message, bytes) else value, headers)


def planned(record: Record, profile: LaneProfile = PROFILE) -> Any:
    return Planner(profile, RouteSet(())).plan(record)


def test_a_message_becomes_one_command_that_is_told_at_most_once() -> None:
    plan = planned(record(sending(title="Т", link="ducky://home", ttl_seconds=60.0)))
    assert isinstance(plan, Planned)
    (command,) = plan.commands
    assert command.wordings == (Message("Т", "Проверка", "ducky://home"),)
    assert (command.recipient, command.thread, command.source) == ("123", None, TOPIC)
    assert (command.arrived, command.deadline) == (1000.0, 1060.0)
    terms = command.terms
    assert (terms.route, terms.priority, terms.on_unsure, terms.ladder) == ("send", Priority.LOW, OnUnsure.STOP, False)


def test_the_same_message_read_again_is_the_same_command_and_another_is_another() -> None:
    first, again, other = (planned(record(each)) for each in (sending(), sending(), sending(id="fedcba9876543210")))
    assert first.commands[0].id == again.commands[0].id != other.commands[0].id


def test_a_shop_s_topic_cannot_carry_one() -> None:
    assert not isinstance(planned(record(sending(), topic="shop.orders")), Planned)
    assert not isinstance(planned(record(sending()), replace(PROFILE, backfill="")), Planned)
    assert not isinstance(planned(replace(record(sending()), headers=())), Planned)


@pytest.mark.parametrize(("mode", "people"), [(Mode.SHADOW, 0), (Mode.ALLOW_LIST, 0), (Mode.LIVE, 1)])
def test_the_lane_s_mode_holds_for_it_too(mode: Mode, people: int) -> None:
    plan = planned(record(sending()), replace(PROFILE, mode=mode))
    assert (len(plan.commands), len(plan.ended)) == (people, 1 - people)
    listed = planned(record(sending()), replace(PROFILE, mode=Mode.ALLOW_LIST, allow_list=frozenset({"123"})))
    assert len(listed.commands) == 1


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"", "not a message"),
        (b"null", "not a message"),
        (b"{", "not a message"),
        (b'{"id": "0123456789abcdef", "recipient": "1", "text": "x", "more": 1}', "more"),
        (b'{"id": "short", "recipient": "1", "text": "x"}', "id"),
        (json.dumps({"id": "0123456789abcdef", "recipient": "1", "text": "x" * 5000}).encode(), "text"),
        (sending(link="javascript:alert(1)").model_dump_json().encode(), "link"),
        (sending(image="file:///etc/passwd").model_dump_json().encode(), "link"),
    ],
)
def test_what_is_no_message_is_a_dead_letter(value: bytes, field: str) -> None:
    plan = planned(record(value))
    assert isinstance(plan, Rejected)
    assert plan.rejection.reason == "schema"
    assert field in plan.rejection.detail
    assert plan.rejection.id == f"{TOPIC}/0/7"


def test_texts_are_cleaned_as_those_of_routes_are() -> None:
    plan = planned(record(sending(text="a\u202eb\u0000  c", title=" Т ")))
    assert plan.commands[0].wordings[0][:2] == ("Т", "ab c")
