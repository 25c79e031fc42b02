"""Bitrix24: what goes out, and what each code means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.core.model import Blocked, Deferred, Delivered, Message, Quota, Refused, Unsure, Verdict
from consumer.sinks.base import Access, Call, limits_of
from consumer.sinks.bitrix24 import Bitrix24Config, compose, judge, moved_to
from consumer.sinks.bitrix24_lines import clip, is_avatar
from tests.sinks.support import CANARY, MESSAGE, ODD_BODIES, batch, reply

PORTAL = "https://ducky.bitrix24.ru"


def config(**more: Any) -> Bitrix24Config:
    return Bitrix24Config.model_validate(
        {
            "type": "bitrix24",
            "portal": PORTAL,
            "token_file": "tokens.json",
            "client_id": "local.1",
            "client_secret": {"env": "B24_SECRET"},
            **more,
        }
    )


def refusals(composed: object) -> list[Refused]:
    """What was answered without a request."""
    assert isinstance(composed, tuple)
    return [each for each in composed if isinstance(each, Refused)]


def body_of(message: Message, *recipients: str, **more: Any) -> dict[str, Any]:
    call = compose(config(**more), batch(*recipients, message=message), Access(CANARY))
    assert isinstance(call, Call)
    assert CANARY not in call.url
    body = json.loads(call.body)
    assert isinstance(body, dict)
    return body


def test_a_call_tells_a_list_of_portal_users_in_one_line() -> None:
    call = compose(config(), batch("17", "4", "17"), Access(CANARY))
    assert isinstance(call, Call)
    assert call.url == f"{PORTAL}/rest/pull.application.push.add"
    assert json.loads(call.body) == {
        "USER_ID": [17, 4],
        "TEXT": "Заказ М-428 ждёт вас. ПВЗ Boxberry, хранится до 9 сентября",
        "auth": CANARY,
    }


def test_a_renamed_portal_is_called_where_it_lives_now() -> None:
    call = compose(config(), batch("1"), Access(CANARY, "https://new.bitrix24.ru:443"))
    assert isinstance(call, Call)
    assert call.url.startswith("https://new.bitrix24.ru:443/rest/")


@pytest.mark.parametrize(
    ("title", "text", "line"),
    [
        ("Новый заказ!", "На 2 450 ₽", "Новый заказ! На 2 450 ₽"),
        ("Заказ", "строка\nдругая\r\n\tтретья", "Заказ. строка другая третья"),
        ("", "один текст", "один текст"),
        ("один заголовок", "", "один заголовок"),
    ],
)
def test_title_and_text_become_one_line(title: str, text: str, line: str) -> None:
    assert body_of(Message(title, text), "1")["TEXT"] == line


@pytest.mark.parametrize("message", [Message("", ""), Message("0", ""), Message("", " \n"), Message("", "0")])
def test_a_text_that_the_portal_takes_for_none_is_refused_here(message: Message) -> None:
    refused = compose(config(), batch("1", message=message), Access(CANARY))
    assert [each.reason for each in refusals(refused)] == ["text_empty"]


def test_recipients_that_are_no_portal_users_are_refused_alone() -> None:
    mixed = batch("17", "0", "-3", "٣", "abc", "1" * 13, "18")
    call = compose(config(), mixed, Access(CANARY))
    assert isinstance(call, Call)
    assert json.loads(call.body)["USER_ID"] == [17, 18]
    verdicts = judge(config(), mixed, reply(200, {"result": True}))
    assert [type(each) for each in verdicts] == [Delivered, *[Refused] * 5, Delivered]
    assert [each.reason for each in refusals(compose(config(), batch("abc"), Access(CANARY)))] == ["recipient"]


@given(st.text(max_size=1500), st.integers(min_value=8, max_value=1000))
def test_a_clipped_text_fits_and_is_a_beginning(text: str, limit_bytes: int) -> None:
    clean = text.encode("utf-8", "replace").decode()
    clipped = clip(text, limit_bytes)
    assert len(clipped.encode()) <= limit_bytes
    assert clipped == clean or clean.startswith(clipped.removesuffix("…"))


def test_a_letter_of_several_code_points_is_not_cut_in_two() -> None:
    family = "👩‍👩‍👧"
    assert clip("ab" + family, 15) == "ab…"
    assert clip("ae\u0301e\u0301e\u0301", 9) == "ae\u0301…"
    assert clip("a" + "\u0301" * 1000, 9) == "a\u0301\u0301…"
    assert clip("\ud800" * 1000, 9) == "??????…"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cdn.ducky.ru/a.png", True),
        ("http://cdn.ducky.ru/a.png", False),
        ("https://evil.example/a.png", False),
        ("https://cdn.ducky.ru:8443/a.png", False),
        ("https://user@cdn.ducky.ru/a.png", False),
        ("https://127.0.0.1/a.png", False),
        ("https://169.254.169.254/latest", False),
        ("file:///etc/passwd", False),
        ("https://cdn.ducky.ru/" + "a" * 2048, False),
        ("https://cdn.ducky.ru\\@evil.example/", False),
    ],
)
def test_a_picture_comes_from_a_listed_host_by_https(url: str, shown: bool) -> None:
    hosts = ("cdn.ducky.ru", "127.0.0.1", "169.254.169.254")
    assert is_avatar(url, hosts) is shown
    body = body_of(MESSAGE._replace(image=url), "1", avatar_hosts=hosts)
    assert ("AVATAR" in body) is shown


EXPIRED = Deferred("token_expired", 0.0)
QUERY = Deferred("query_limit_exceeded", 1.5, limit=True)
OPERATION = Deferred("operation_time_limit", 10.0, limit=True)
BLOCKED = (
    ("OVERLOAD_LIMIT", 503), ("NO_AUTH_FOUND", 401), ("authorization_error", 401), ("APPLICATION_NOT_FOUND", 401),
    ("ERROR_OAUTH", 401), ("NOT_INSTALLED", 401), ("PAYMENT_REQUIRED", 401), ("METHOD_CONFIRM_WAITING", 401),
    ("METHOD_CONFIRM_DENIED", 401), ("insufficient_scope", 403), ("INVALID_CREDENTIALS", 403), ("ACCESS_DENIED", 403),
    ("user_access_error", 403), ("WRONG_AUTH_TYPE", 403), ("ACCESS_ERROR", 400), ("EMPTY_APP_NAME", 400),
    ("INVALID_REQUEST", 400), ("ERROR_METHOD_NOT_FOUND", 404), ("PORTAL_DELETED", 500),
)  # fmt: skip
CODES: list[tuple[str, int, Verdict]] = [
    ("QUERY_LIMIT_EXCEEDED", 503, QUERY),
    ("OPERATION_TIME_LIMIT", 429, OPERATION),
    ("expired_token", 401, EXPIRED),
    ("invalid_token", 401, EXPIRED),
    ("CONNECTION_ERROR", 401, Deferred("connection_error")),
    *((code, status, Blocked(code.lower(), code)) for code, status in BLOCKED),
    *((code, 400, Refused(code.lower(), code)) for code in ("TEXT_ERROR", "ERROR_ARGUMENT", "INVALID_ARG_VALUE")),
    ("INTERNAL_SERVER_ERROR", 500, Unsure("internal_server_error", answered=True)),
    ("ERROR_UNEXPECTED_ANSWER", 500, Unsure("error_unexpected_answer", answered=True)),
]


@pytest.mark.parametrize(("code", "status", "verdict"), CODES)
def test_a_code_has_one_meaning_whatever_its_status_and_letters(code: str, status: int, verdict: Verdict) -> None:
    for answered in (status, 200, 401, 400, 500):
        assert judge(config(), batch("1"), reply(answered, {"error": code})) == (verdict,)
    (swapped,) = judge(config(), batch("1"), reply(status, {"error": code.swapcase()}))
    assert type(swapped) is type(verdict)


REST: list[tuple[int, object, Verdict]] = [
    (200, {"result": True, "time": {}}, Delivered()),
    (200, {"result": True, "error": ""}, Unsure("contradictory", answered=True)),
    (200, {"result": False}, Unsure("no_result", answered=True)),
    (200, b"<html>", Unsure("unreadable", answered=True)),
    (200, {"error": "NEW_ONE"}, Refused("unknown_code", "NEW_ONE")),
    (400, {"error": "NEW_ONE", "error_description": "why"}, Refused("unknown_code", "NEW_ONE why")),
    (400, {"error": 0}, Refused("unknown_code", "")),
    (403, {"error": "NEW_ONE"}, Blocked("http_403", "NEW_ONE")),
    (429, {"error": "NEW_ONE"}, Deferred("http_429", limit=True)),
    (500, {"error": "NEW_ONE"}, Unsure("unknown_code", answered=True)),
    (101, {"result": True}, Unsure("no_answer")),
    (400, b"<html>", Unsure("unreadable", answered=True)),
    (401, b"<html>", Blocked("http_401", "")),
    (404, b"<html>", Blocked("http_404", "")),
    (413, b"<html>", Refused("too_large", "")),
    (429, b"<html>", Deferred("http_429", limit=True)),
    (502, b"<html>", Unsure("server_error")),
    (503, b"", Unsure("server_error", answered=True)),
    (302, b"", Blocked("redirected", "the portal sends us elsewhere")),
]


@pytest.mark.parametrize(("status", "body", "verdict"), REST)
def test_an_answer_without_a_known_code_has_its_verdict(status: int, body: object, verdict: Verdict) -> None:
    assert judge(config(), batch("1"), reply(status, body)) == (verdict,)


@pytest.mark.parametrize("hundred", range(100, 600, 100))
def test_nothing_but_a_plain_yes_counts_as_delivered(hundred: int) -> None:
    for status in range(hundred, hundred + 100):
        for body in ODD_BODIES:
            (verdict,) = judge(config(), batch("1"), reply(status, body))
            assert not isinstance(verdict, Delivered), (status, body[:60])
        (verdict,) = judge(config(), batch("1"), reply(status, {"result": True}))
        assert isinstance(verdict, Delivered) == (status == 200)


@pytest.mark.parametrize(
    ("portal", "location", "home"),
    [
        (PORTAL, "https://quack.bitrix24.ru/rest/x", "https://quack.bitrix24.ru:443"),
        (PORTAL, "http://quack.bitrix24.ru/rest/x", None),
        (PORTAL, "https://quack.bitrix24.ru:8443/", None),
        (PORTAL, "https://quack.bitrix24.com/", None),
        (PORTAL, "https://evil.example/", None),
        (PORTAL, "https://bitrix24.ru.evil.example/", None),
        (PORTAL, "https://127.0.0.1/", None),
        (PORTAL, "https://169.254.169.254/latest/meta-data", None),
        (PORTAL, "/rest/x", None),
        ("https://portal.ducky.ru", "https://other.ducky.ru/", None),
        ("http://127.0.0.1:81", "http://127.0.0.1:82/rest/x", "http://127.0.0.1:82"),
    ],
)
def test_a_portal_moves_only_to_another_name_of_the_same_cloud(portal: str, location: str, home: str | None) -> None:
    answer = reply(302, b"", {"location": location})
    assert moved_to(portal, answer) == home
    (verdict,) = judge(config(portal=portal), batch("1"), answer)
    assert isinstance(verdict, Deferred if home else Blocked)


def test_each_plan_stays_a_little_under_its_bucket() -> None:
    assert limits_of(config()).quota == Quota(45, 22.5, bucket=True)
    assert limits_of(config(plan="enterprise")).quota == Quota(240, 48.0, bucket=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"portal": "http://ducky.bitrix24.ru"}, "portal host ducky.bitrix24.ru is reached by plain http"),
        ({"portal": f"{PORTAL}/rest/1/webhook-secret/"}, "without a path"),
        ({"oauth_url": "http://oauth.example/"}, "oauth_url host"),
        ({"timeout": "0s"}, "some time"),
        ({"plan": "free"}, "standard"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**change)
