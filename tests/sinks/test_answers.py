"""Each row of the tables of answers that the reference shows, tried on `judge`: the page says what the code does."""

import re
from typing import Any

import pytest

from consumer.core.model import Batch, Deferred, Refused, Verdict
from consumer.sinks.base import providers, transport_verdict
from consumer.sinks.bitrix24 import Bitrix24Config
from consumer.sinks.bitrix24 import judge as judge_bitrix24
from consumer.sinks.http import Lost, NotSent, Reply
from consumer.sinks.imshop import ImshopConfig
from consumer.sinks.imshop import judge as judge_imshop
from tests.sinks import test_bitrix24, test_imshop
from tests.sinks.support import batch, reply
from tests.sinks.test_bitrix24_batch import three

Case = Reply | Lost | NotSent

LOST: list[Case] = [Lost("reset"), Lost("timeout"), Lost("cut", answered=True)]
UNSENT: list[Case] = [NotSent("refused"), NotSent("dns"), NotSent("tls"), NotSent("connect_timeout")]


def statuses(*found: int, body: object = b"") -> list[Case]:
    return [reply(status, body) for status in found]


def new_code(*found: int) -> list[Case]:
    return statuses(*found, body={"error": "NEW_ONE"})


def said(error: str, *found: int) -> list[Case]:
    return statuses(*found, body={"success": False, "error": error})


IMSHOP: dict[str, list[Case]] = {
    '200 `{"success": true}` and no `error`': statuses(200, body={"success": True}),
    '200 `{"success": true}` beside an `error`': statuses(200, body={"success": True, "error": "x"}),
    "any status, not a success: Integration is unavailable": said("Integration is unavailable", 200, 400, 500, 503),
    "429; 200, 403, 503 with words such as rate, limit, too many, лимит": [
        *statuses(429), *said("rate", 200, 403, 503), *said("Превышен лимит", 200), *said("too many", 200),
    ],
    "another 4xx with words such as rate limit, too many requests": [
        *said("rate limit", 400), *said("too many requests", 418),
    ],
    '200 `{"success": false}` with other words or none': [*said("no", 200), *statuses(200, body={"success": False})],
    "200 without `success`, or no JSON": [*statuses(200, body={}), *statuses(200, body=b"<html>")],
    "another 2xx, a 1xx": statuses(100, 101, 201, 204, body={"success": True}),
    "3xx": statuses(300, 301, 302, 307, 308),
    "401, 403, 404, 405": statuses(401, 403, 404, 405),
    "408": statuses(408),
    "425": statuses(425),
    "400, 413, other 4xx": statuses(400, 402, 413, 418, 451),
    "5xx, reset, timeout or cut after sending": [*statuses(500, 502, 503, 599), *LOST],
    "cannot connect": UNSENT,
}  # fmt: skip


def by_code(observation: str) -> list[Case]:
    """A row that begins with codes: each of them, with the statuses that portals give to it."""
    codes = re.findall(r"`([A-Za-z_]+)`", observation)
    return [reply(status, {"error": code}) for code in codes for status in (200, 400, 401, 500)]


def batched(done: object, failed: object) -> list[Case]:
    return statuses(200, body={"result": {"result": done, "result_error": failed}})


MOVED = {"location": "https://quack.bitrix24.ru/rest/x"}
BITRIX24: dict[str, list[Case]] = {
    '200 `{"result": true}` and no `error`': statuses(200, body={"result": True}),
    '`error` beside `"result": true`, and no code of these': statuses(200, body={"result": True, "error": ""}),
    "another code with 401, 403": new_code(401, 403),
    "another code with 425, 429": new_code(425, 429),
    "another code with 408, 5xx": new_code(408, 500, 503),
    "another code with any other status": new_code(200, 400, 404, 418),
    "200 without `result: true`, no JSON, a 1xx, another 2xx": [
        *statuses(200, body={"result": 1}), *statuses(200, body=b"<html>"), *statuses(101, 201, body={"result": True}),
    ],
    "no code, 401, 403, 404, 405, 407, 451": statuses(401, 403, 404, 405, 407, 451),
    "no code, 413": statuses(413),
    "no code, 425, 429": statuses(425, 429),
    "no code, another 4xx, 5xx": statuses(400, 402, 408, 418, 500, 502, 503),
    "3xx to another name of the same cloud": [reply(302, b"", MOVED), reply(307, b"", MOVED)],
    "other 3xx": [*statuses(302, 304), reply(302, b"", {"location": "https://evil.example/"})],
    "reset, timeout or cut after sending": LOST,
    "cannot connect": UNSENT,
}  # fmt: skip
# What a batch says of its three commands.
BATCHED: dict[str, list[Case]] = {
    "batch: a command in `result` alone": batched([True] * 3, []),
    "batch: a command in neither": batched([], []),
    "batch: a command in both, or maps that nobody can read": [
        *batched([True] * 3, [{"error": "TEXT_ERROR"}] * 3), *batched("yes", []),
    ],
}  # fmt: skip
OF_ITS_CODE = "batch: a command in `result_error` alone"


def rows(name: str) -> list[Any]:
    return [pytest.param(row, meaning, id=f"{name}: {row[:40]}") for row, meaning in providers()[name].answers]


def holds(meaning: str, verdict: Verdict) -> None:
    """The first word is the verdict; of a limit and of a bound the row speaks as well."""
    assert type(verdict).__name__ == re.split(r"\W", meaning)[0]
    if isinstance(verdict, Deferred) and "is a limit" not in meaning:
        assert verdict.limit == ("(a limit)" in meaning)
    if isinstance(verdict, Deferred):
        assert (verdict.at_most == 3) == ("three times" in meaning)


def verdicts_of(judge: Any, config: Any, people: Batch, case: Case) -> set[Verdict]:
    return set(judge(config, people, case)) if isinstance(case, Reply) else {transport_verdict(case)}


@pytest.mark.parametrize(("observation", "meaning"), rows("imshop"))
def test_a_row_of_imshop_holds(observation: str, meaning: str) -> None:
    config: ImshopConfig = test_imshop.config()
    for case in IMSHOP[observation]:
        (verdict,) = verdicts_of(judge_imshop, config, batch("1"), case)
        holds(meaning, verdict)


@pytest.mark.parametrize(("observation", "meaning"), rows("bitrix24"))
def test_a_row_of_bitrix24_holds(observation: str, meaning: str) -> None:
    config: Bitrix24Config = test_bitrix24.config()
    if observation == OF_ITS_CODE:
        (case,) = batched([], [{"error": "INVALID_ARG_VALUE"}] * 3)
        (verdict,) = verdicts_of(judge_bitrix24, config, three(), case)
        assert isinstance(verdict, Refused)
        return
    people = three() if observation in BATCHED else batch("1")
    cases = BITRIX24.get(observation) or BATCHED.get(observation) or by_code(observation)
    assert cases, "a row that nothing stands for"
    for case in cases:
        (verdict,) = verdicts_of(judge_bitrix24, config, people, case)
        holds(meaning, verdict)


def test_no_row_is_missing_and_every_documented_code_stands_in_one() -> None:
    assert {row for row, _ in providers()["imshop"].answers} == set(IMSHOP)
    told = {row for row, _ in providers()["bitrix24"].answers}
    assert {*BITRIX24, *BATCHED, OF_ITS_CODE} <= told
    written = {code.lower() for row in told for code in re.findall(r"`([A-Za-z_]+)`", row)}
    assert {code.lower() for code, _, _ in test_bitrix24.CODES} <= written
