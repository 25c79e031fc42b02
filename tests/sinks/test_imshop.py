"""IMSHOP: what goes out, and what each answer means."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from consumer.core.model import Blocked, Deferred, Delivered, Message, Refused, Unsure, Verdict
from consumer.sinks.base import Access, Call
from consumer.sinks.imshop import STRAY, ImshopConfig, compose, judge
from tests.sinks.support import CANARY, MESSAGE, ODD_BODIES, batch, reply

URL = "https://push.example.com/v1/push"


def config(**more: Any) -> ImshopConfig:
    return ImshopConfig.model_validate({"type": "imshop", "url": URL, "key": {"env": "IMSHOP_KEY"}, **more})


def sent(config: ImshopConfig, *recipients: str, message: Message = MESSAGE) -> tuple[Call, Any]:
    call = compose(config, batch(*recipients, message=message), Access(CANARY))
    assert isinstance(call, Call)
    return call, json.loads(call.body)


def test_a_request_carries_one_text_and_tells_everybody_once() -> None:
    call, body = sent(config(), "123", "79991234567", "123", "install-9")
    assert call.url == URL
    assert call.headers == {"Content-Type": "application/json", "Authorization": f"Bearer {CANARY}"}
    assert body == {
        "userIds": ["123", "79991234567", "install-9"],
        "message": {"title": MESSAGE.title, "summary": MESSAGE.text, "deeplink": MESSAGE.link},
    }


def test_the_key_stands_where_the_configuration_says() -> None:
    call, body = sent(config(auth="body"), "1")
    assert body["key"] == CANARY
    assert "Authorization" not in call.headers
    call, body = sent(config(auth="none", key=None), "1")
    assert "key" not in body
    assert "Authorization" not in call.headers


def test_a_message_without_a_link_has_no_deeplink_and_a_lone_surrogate_does_no_harm() -> None:
    _, body = sent(config(), "1", message=Message("Т", "a\ud800b"))
    assert body["message"] == {"title": "Т", "summary": "a?b"}


@pytest.mark.parametrize(
    ("recipient", "sent_as"),
    [
        ("9123456789", "9123456789"),
        ("+7 (999) 123-45-67", "79991234567"),
        ("+89991234567", "79991234567"),
        ("install-9", "install-9"),
        ("+12", None),
        ("", None),
        (" ", None),
        ("a b", None),
        ("a\x00", None),
        ("a" * 257, None),
    ],
)
def test_only_what_can_be_an_id_leaves_and_a_written_phone_is_digits(recipient: str, sent_as: str | None) -> None:
    _, body = sent(config(), "ok", recipient)
    assert body["userIds"] == ["ok", *([sent_as] if sent_as else [])]
    verdicts = judge(config(), batch("ok", recipient), reply(200, {"success": True}))
    assert verdicts == ((Delivered(),) if sent_as else (Delivered(), STRAY))
    if sent_as is None:
        assert compose(config(), batch(recipient), Access(CANARY)) == (STRAY,)


def test_a_stray_recipient_buries_nobody_else() -> None:
    verdicts = judge(config(), batch("1", "", "2"), reply(400, BAD))
    assert [each.shared for each in verdicts if isinstance(each, Refused)] == [True, False, True]
    verdicts = judge(config(), batch("1", ""), reply(400, BAD))
    assert [each.shared for each in verdicts if isinstance(each, Refused)] == [False, False]


@pytest.mark.parametrize("message", [Message("", "т"), Message("т", ""), Message(" ", "т"), Message("т", "\n")])
def test_a_message_that_imshop_would_refuse_does_not_leave(message: Message) -> None:
    refused = compose(config(), batch("1", "2", message=message), Access(CANARY))
    assert isinstance(refused, tuple)
    assert [each.reason for each in refused if isinstance(each, Refused)] == ["text_empty"] * 2


UNAVAILABLE = {"success": False, "error": "Integration is unavailable"}
BAD = {"error": "Bad Request", "message": 'child "userIds" fails because ["userIds" must be an array]'}

TABLE: list[tuple[int, object, Verdict]] = [
    (200, {"success": True}, Delivered()),
    (200, {"success": True, "message": "limit is 1000"}, Delivered()),
    (200, UNAVAILABLE, Blocked("integration_unavailable", "Integration is unavailable")),
    (503, UNAVAILABLE, Blocked("integration_unavailable", "Integration is unavailable")),
    (200, {"success": False, "error": "Generated nothing"}, Deferred("declined", at_most=3)),
    (200, {"success": False}, Deferred("declined", at_most=3)),
    (200, {"success": False, "error": "Rate limit"}, Deferred("limit", 60.0, limit=True)),
    (200, {"success": False, "error": "Превышен лимит"}, Deferred("limit", 60.0, limit=True)),
    (200, {"success": True, "error": "x"}, Unsure("contradictory", answered=True)),
    (200, {"ok": True}, Unsure("unreadable", answered=True)),
    (200, b"<html>", Unsure("unreadable", answered=True)),
    (201, {"success": True}, Unsure("unexpected_status", answered=True)),
    (204, b"", Unsure("unexpected_status", answered=True)),
    (100, b"", Unsure("no_answer")),
    (302, b"", Blocked("redirected", "HTTP 302")),
    (400, BAD, Refused("bad_request", f"Bad Request {BAD['message']}")),
    (400, {"message": '"title" length limit is 50'}, Refused("bad_request", '"title" length limit is 50')),
    (400, {"message": "Too many requests"}, Deferred("limit", 60.0, limit=True)),
    (401, b"", Blocked("key_refused", "HTTP 401")),
    (403, {"message": "no"}, Blocked("key_refused", "no")),
    (404, b"", Blocked("wrong_address", "HTTP 404")),
    (405, b"", Blocked("wrong_address", "HTTP 405")),
    (408, b"", Unsure("unexpected_status")),
    (413, b"", Refused("too_large", "")),
    (418, b"", Refused("bad_request", "HTTP 418")),
    (425, b"", Deferred("too_early")),
    (429, b"", Deferred("limit", 60.0, limit=True)),
    (500, {"success": True}, Unsure("server_error", answered=True)),
    (503, b"<html>", Unsure("server_error", answered=True)),
    (504, b"<html>", Unsure("server_error", answered=False)),
]


@pytest.mark.parametrize(("status", "body", "verdict"), TABLE)
def test_each_documented_answer_has_its_verdict(status: int, body: object, verdict: Verdict) -> None:
    assert judge(config(), batch("1"), reply(status, body)) == (verdict,)


@pytest.mark.parametrize("hundred", range(100, 600, 100))
def test_nothing_but_a_plain_yes_counts_as_delivered(hundred: int) -> None:
    for status in range(hundred, hundred + 100):
        for body in ODD_BODIES:
            (verdict,) = judge(config(), batch("1"), reply(status, body))
            assert not isinstance(verdict, Delivered), (status, body[:60])
        (verdict,) = judge(config(), batch("1"), reply(status, {"success": True}))
        assert isinstance(verdict, Delivered) == (status == 200)


def test_a_limit_waits_as_long_as_it_was_asked_to() -> None:
    (verdict,) = judge(config(), batch("1"), reply(429, b"", {"retry-after": "7"}))
    assert verdict == Deferred("limit", 7.0, limit=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://push.example.com/"}, "plain http"),
        ({"url": "https://user:pass@push.example.com/"}, "absolute"),
        ({"url": "ftp://push.example.com/"}, "absolute"),
        ({"url": "push.example.com"}, "absolute"),
        ({"url": "https://push.example.com/ x"}, "absolute"),
        ({"url": "https://push.example.com:x/"}, "absolute"),
        ({"auth": "none"}, "take the key out"),
        ({"key": None}, "say where the key lies"),
        ({"timeout": "0s"}, "some time"),
        ({"recipients_per_request": 1001}, "1000"),
        ({"keyy": 1}, "keyy"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**change)


def test_plain_http_needs_loopback_or_a_word() -> None:
    assert config(url="http://127.0.0.1:8080/push").url
    assert config(url="http://push.example.com/", allow_http=True).url
