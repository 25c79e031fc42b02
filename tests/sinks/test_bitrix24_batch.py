"""Bitrix24's `batch`: what goes out for different texts, and what each answer means for each of them."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.model import (
    Batch,
    Blocked,
    Deferred,
    Delivered,
    Message,
    Parcel,
    Refused,
    Unsure,
    Verdict,
)
from consumer.sinks.base import Access, Call
from consumer.sinks.bitrix24 import compose, judge
from consumer.sinks.bitrix24_account import Budget
from consumer.sinks.bitrix24_lines import METHOD, lines_of
from consumer.sinks.http import Reply
from tests.sinks.support import CANARY, ODD_BODIES, command, reply
from tests.sinks.test_bitrix24 import CODES, PORTAL, config


def parcels(*texts_and_users: tuple[str, tuple[str, ...]]) -> Batch:
    made = (
        Parcel(Message("", text), 0, tuple(command(user, Message("", text)) for user in users))
        for text, users in texts_and_users
    )
    return Batch("1.7", 1, tuple(made))


def three() -> Batch:
    return parcels(("один", ("1",)), ("два", ("2",)), ("три", ("3",)))


def commands_of(batch: Batch, **more: Any) -> dict[str, str]:
    call = compose(config(**more), batch, Access(CANARY))
    assert isinstance(call, Call)
    assert call.url == f"{PORTAL}/rest/batch"
    body = json.loads(call.body)
    assert body["halt"] == 0
    assert body["auth"] == CANARY
    assert set(body) == {"halt", "cmd", "auth"}
    found = body["cmd"]
    assert isinstance(found, dict)
    return found


def told(query: str) -> tuple[str, list[int]]:
    """What a portal makes of one command: everything behind a # is gone, and + is a space."""
    method, _, fields = query.partition("#")[0].partition("?")
    assert method == METHOD
    pairs = parse_qsl(fields, keep_blank_values=True, strict_parsing=True)
    return dict(pairs)["TEXT"], [int(value) for name, value in pairs if name.startswith("USER_ID[")]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_whatever_stands_in_a_text_arrives_unchanged(text: str) -> None:
    batch = parcels((text, ("1",)), ("другой", ("2",)))
    lines, _ = lines_of(batch, 100, ())
    for line in lines:
        assert told(line.query) == (line.text, list(line.users))
        assert "#" not in line.query
        assert "$" not in line.query


def test_a_batch_has_a_key_for_each_text_that_is_no_number() -> None:
    cmd = commands_of(three())
    assert list(cmd) == ["c0", "c1", "c2"]
    assert [told(query) for query in cmd.values()] == [("один", [1]), ("два", [2]), ("три", [3])]


def test_equal_texts_share_a_list_and_a_user_is_in_it_once() -> None:
    batch = parcels(("один", ("1", "2")), ("два", ("3",)), ("один", ("2", "4")))
    assert [told(query) for query in commands_of(batch).values()] == [("один", [1, 2, 4]), ("два", [3])]
    done = {"result": {"c0": True}, "result_error": {"c1": {"error": "TEXT_ERROR"}}}
    verdicts = judge(config(), batch, reply(200, {"result": done}))
    assert [type(verdict) for verdict in verdicts] == [Delivered, Delivered, Refused, Delivered, Delivered]


def test_a_list_is_cut_where_it_gets_too_long() -> None:
    batch = parcels(("один", tuple(map(str, range(1, 8)))))
    cmd = commands_of(batch, recipients_per_request=3)
    assert [told(query)[1] for query in cmd.values()] == [[1, 2, 3], [4, 5, 6], [7]]
    done = {"result": {"c0": True, "c2": True}, "result_error": []}
    verdicts = judge(config(recipients_per_request=3), batch, reply(200, {"result": done}))
    assert [type(verdict) for verdict in verdicts] == [*[Delivered] * 3, *[Deferred] * 3, Delivered]


@pytest.mark.parametrize("mark", ["$result[c0]", "$ERROR[c0]", "$total[a]", "$next[x", "$time[0]"])
def test_a_text_that_a_batch_would_change_stays_out_of_it(mark: str) -> None:
    batch = parcels(("один", ("1",)), (f"цена {mark}", ("2",)), ("три", ("3",)))
    assert [told(query)[0] for query in commands_of(batch).values()] == ["один", "три"]
    done = {"result": {"c0": True, "c1": True}, "result_error": []}
    assert judge(config(), batch, reply(200, {"result": done})) == (
        Delivered(), Deferred("goes_alone", 0.0), Delivered(),
    )  # fmt: skip
    alone = compose(config(), parcels((f"цена {mark}", ("2",))), Access(CANARY))
    assert isinstance(alone, Call)
    assert json.loads(alone.body)["TEXT"] == f"цена {mark}"
    assert alone.url.endswith(METHOD)


def test_nobody_who_can_be_told_is_no_request() -> None:
    refused = compose(config(), parcels(("0", ("1",)), ("два", ("abc",))), Access(CANARY))
    assert isinstance(refused, tuple)
    assert [each.reason for each in refused if isinstance(each, Refused)] == ["text_empty", "recipient"]


def each(done: object, failed: object) -> list[Verdict]:
    verdicts = judge(config(), three(), reply(200, {"result": {"result": done, "result_error": failed}, "time": {}}))
    return list(verdicts) * (3 if len(verdicts) == 1 else 1)


YES = Delivered()
LOST = Unsure("no_result", answered=True)


@pytest.mark.parametrize(
    ("done", "failed", "verdicts"),
    [
        ({"c0": True, "c1": True, "c2": True}, [], [YES] * 3),
        ([True, True, True], [], [YES] * 3),
        ([True], [], [YES, Deferred("not_executed"), Deferred("not_executed")]),
        ([], [], [Deferred("not_executed")] * 3),
        ({"c0": True, "c2": True}, {"c1": {"error": "INVALID_ARG_VALUE"}},
         [YES, Refused("invalid_arg_value", "INVALID_ARG_VALUE"), YES]),
        ({"c0": True, "c2": True}, {"c1": "WHAT"}, [YES, Refused("unknown_code", "WHAT"), YES]),
        ({"c0": True, "c2": 1}, {"c1": {"error": "INTERNAL_SERVER_ERROR"}},
         [YES, Unsure("internal_server_error", answered=True), LOST]),
        ({"c0": True, "c1": False, "c2": None}, [], [YES, LOST, LOST]),
        ({"c0": True, "c1": True, "c2": True}, {"c1": {"error": "TEXT_ERROR"}},
         [YES, Unsure("contradictory", answered=True), YES]),
        ({"c0": True, "c9": True}, [], [LOST] * 3),
        ({"c0": True, "0": True}, [], [LOST] * 3),
        ([True] * 4, [], [LOST] * 3),
        (True, [], [LOST] * 3),
        ({"c0": True, "c1": True, "c2": True}, None, [LOST] * 3),
        ([], {"c0": {"error": "OPERATION_TIME_LIMIT"}, "c1": {"error": "OPERATION_TIME_LIMIT"}},
         [*[Deferred("operation_time_limit", 10.0, limit=True)] * 2, Deferred("not_executed")]),
        ([], {f"c{n}": {"error": "ERROR_BATCH_METHOD_NOT_ALLOWED"} for n in range(3)},
         [Deferred("batch_not_allowed", 0.0)] * 3),
    ],
)  # fmt: skip
def test_each_command_of_a_batch_has_the_verdict_that_its_map_says(
    done: object, failed: object, verdicts: list[Verdict]
) -> None:
    assert each(done, failed) == verdicts


@pytest.mark.parametrize(("code", "status", "verdict"), CODES)
def test_a_code_means_the_same_of_one_command_and_of_the_whole_batch(code: str, status: int, verdict: Verdict) -> None:
    done = {"c0": True, "c2": True}
    assert each(done, {"c1": {"error": code, "error_description": ""}}) == [YES, verdict, YES]
    assert judge(config(), three(), reply(status, {"error": code})) == (verdict,)


def test_a_batch_that_is_not_allowed_is_deferred_whole_however_the_portal_says_it() -> None:
    for code in ("ERROR_BATCH_METHOD_NOT_ALLOWED", "ERROR_BATCH_LENGTH_EXCEEDED"):
        for status in (200, 400, 403):
            assert judge(config(), three(), reply(status, {"error": code})) == (Deferred("batch_not_allowed", 0.0),)


BATCH_BODIES: tuple[bytes, ...] = (
    *ODD_BODIES,
    b'{"result": {}}', b'{"result": []}', b'{"result": true}', b'{"result": {"result": true}}',
    b'{"result": {"result": {"c0": "true", "c1": 1, "c2": []}, "result_error": []}}',
    b'{"result": {"result": {"c0": true, "c0": true}, "result_error": []}}',
    b'{"result": {"result": {"c0": true}, "result_error": []}, "error": ""}',
    b'{"result": {"result": {"c0": NaN}, "result_error": []}}',
    b'{"result": {"result": {"c0": true}, "result_error": []}',
    b'{"result": {"result": {"C0": true}, "result_error": {}}}',
    b'{"result": {"result": [[true]], "result_error": {}}}',
    b'{"result": {"result": {"c0": {"c0": true}}, "result_error": []}}',
)  # fmt: skip


@pytest.mark.parametrize("hundred", range(100, 600, 100))
def test_nothing_but_a_plain_yes_for_a_command_counts_as_delivered(hundred: int) -> None:
    good = {"result": {"result": {"c0": True}, "result_error": {"c1": {"error": "TEXT_ERROR"}}}}
    for status in range(hundred, hundred + 100):
        for body in BATCH_BODIES:
            verdicts = judge(config(), three(), Reply(status, {}, body))
            assert len(verdicts) in (1, 3)
            assert not any(isinstance(verdict, Delivered) for verdict in verdicts), (status, body[:60])
        verdicts = judge(config(), three(), reply(status, good))
        assert [type(verdict) for verdict in verdicts if isinstance(verdict, Delivered)] == [Delivered] * (
            status == 200
        )


def test_what_was_said_of_many_at_once_is_marked_so_that_halves_find_the_guilty() -> None:
    batch = parcels(("один", ("1", "2")), ("два", ("3",)))
    done = {"result": {"c1": True}, "result_error": {"c0": {"error": "INVALID_ARG_VALUE"}}}
    verdicts = judge(config(), batch, reply(200, {"result": done}))
    guilty = Refused("invalid_arg_value", "INVALID_ARG_VALUE", shared=True)
    assert verdicts == (guilty, guilty, Delivered())
    done["result_error"] = {"c0": {"error": "TEXT_ERROR"}}
    verdicts = judge(config(), batch, reply(200, {"result": done}))
    assert verdicts[0] == Refused("text_error", "TEXT_ERROR"), "a text is wrong for everybody"
    single = parcels(("один", ("1", "2")))
    assert len(judge(config(), single, reply(400, {"error": "TEXT_ERROR"}))) == 2
    assert judge(config(), single, reply(400, {"error": "INVALID_ARG_VALUE"})) == (
        Refused("invalid_arg_value", "INVALID_ARG_VALUE"),
    )


def test_a_stray_recipient_does_not_bury_those_who_were_refused_with_others() -> None:
    batch = parcels(("один", ("1", "2", "abc")))
    verdicts = judge(config(), batch, reply(413, b""))
    assert [(type(each), each.reason, each.shared) for each in verdicts if isinstance(each, Refused)] == [
        (Refused, "too_large", True), (Refused, "too_large", True), (Refused, "recipient", False),
    ]  # fmt: skip
    assert judge(config(), batch, reply(401, {"error": "NO_AUTH_FOUND"}))[0] == Blocked(
        "no_auth_found", "NO_AUTH_FOUND"
    )


class Hand:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_larger_of_two_budgets_counts_and_one_request_finds_out_what_was_freed() -> None:
    clock = Hand()
    budget = Budget(clock)
    budget.note(METHOD, {"operating": 100, "finish": 5000.0, "operating_reset_at": 5300})
    assert budget.over_seconds(432.0) == 0.0
    budget.note("batch", {"operating": 440.5, "finish": 5000.0, "operating_reset_at": 5200})
    assert budget.over_seconds(432.0) == 201.0
    assert budget.left_seconds() == 300.0
    clock.now += 202
    assert budget.over_seconds(432.0) == 0.0, "one may try"
    assert budget.over_seconds(432.0) > 0.0, "the others wait for its answer"
    budget.note("batch", {"operating": 400.0, "finish": 1.0, "operating_reset_at": 100})
    assert budget.over_seconds(432.0) == 0.0


@pytest.mark.parametrize(
    "told", [None, [], {}, {"operating": "9999"}, {"operating": 9999, "finish": 1}, {"operating": True, "finish": 1}]
)
def test_a_time_that_makes_no_sense_is_not_taken_note_of(told: object) -> None:
    budget = Budget(Hand())
    budget.note("batch", told)
    assert budget.over_seconds(1.0) == 0.0
