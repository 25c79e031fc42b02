"""A gateway of the shop's own: the structure that goes out, and the table that says what comes back."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from consumer.core.document import read_document
from consumer.core.model import Blocked, Deferred, Delivered, Message, Refused, Trouble, Unsure, Verdict
from consumer.demo.fakes_webhook import WebhookFake
from consumer.sinks.base import Access, Call, make_sink
from consumer.sinks.webhook import WebhookConfig, compose, judge
from consumer.sinks.webhook_answers import ANSWER_KEPT_BYTES, ANSWERS_KEPT
from tests.sinks.support import CANARY, MESSAGE, ODD_BODIES, batch, reply, secret

URL = "https://push.shop.example/v1/push"
BODY = {"to": "{{ recipients }}", "title": "{{ title }}", "text": "{{ text }}", "link": "{{ link }}"}
ANSWERS: list[dict[str, Any]] = [
    {"when": "status == `200` && body.ok == `true`", "verdict": "delivered"},
    {"when": "status == `429`", "verdict": "deferred", "reason": "limit", "limit": True, "after": "30s"},
    {"when": "status == `503`", "verdict": "deferred"},
    {"when": "status == `401` || status == `403`", "verdict": "blocked", "reason": "key_refused"},
    {"when": "status == `422`", "verdict": "refused", "reason": "text", "detail": "body.error"},
    {"when": "status == `404` && body.error == 'gone'", "verdict": "refused", "reason": "gone", "letter": False},
    {"when": "status == `500` && length(body.error) > `3`", "verdict": "unsure", "reason": "half_done"},
]


def config(**more: Any) -> WebhookConfig:
    part = {"type": "webhook", "url": URL, "body": BODY, "answers": ANSWERS, "recipients_per_request": 100, **more}
    return WebhookConfig.model_validate(part)


def sent(config: WebhookConfig, *recipients: str, message: Message = MESSAGE) -> tuple[Call, Any]:
    call = compose(config, batch(*recipients, message=message), Access(secrets={"X-Key": CANARY}, lane="own"))
    assert isinstance(call, Call)
    return call, json.loads(call.body) if config.encoding == "json" else parse_qs(call.body.decode())


def test_a_structure_is_filled_with_values_and_texts() -> None:
    call, body = sent(config(), "1", "2", "1")
    assert (call.url, call.method, call.headers) == (URL, "POST", {"Content-Type": "application/json"})
    assert body == {"to": ["1", "2"], "title": MESSAGE.title, "text": MESSAGE.text, "link": MESSAGE.link}


def test_what_is_absent_is_left_out_and_what_is_written_stays() -> None:
    structure = {
        **BODY, "flag": True, "n": 3, "nothing": None, "picture": "{{ image }}",
        "id": "{{ lane }}!", "deep": [{"name": "{{ title }}!"}],
    }  # fmt: skip
    _, body = sent(config(body=structure), "1", message=Message("Т", "текст"))
    assert body == {
        "to": ["1"], "title": "Т", "text": "текст", "flag": True, "n": 3, "nothing": None,
        "id": "own!", "deep": [{"name": "Т!"}],
    }  # fmt: skip


def test_each_recipient_can_have_an_entry_of_its_own() -> None:
    structure = {"messages": {"each_recipient": {"to": "{{ recipient }}", "body": {"text": "{{ text }}"}}}}
    _, body = sent(config(body=structure), "1", "2")
    assert body == {"messages": [{"to": each, "body": {"text": MESSAGE.text}} for each in ("1", "2")]}


def test_a_form_is_flat_and_encoded() -> None:
    call, body = sent(config(encoding="form"), "1", "2", message=Message("А&Б", "c=d\nя"))
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert body == {"to": ["1,2"], "title": ["А&Б"], "text": ["c=d\nя"]}


def test_data_is_never_read_as_a_template() -> None:
    _, body = sent(config(), "{{ lane }}", message=Message("{{ 7 * 7 }}", "{% raw %}{{ text }}", None))
    assert body == {"to": ["{{ lane }}"], "title": "{{ 7 * 7 }}", "text": "{% raw %}{{ text }}"}


def test_half_a_letter_does_no_harm() -> None:
    call, body = sent(config(), "1", message=Message("Т\ud83d", "т"))
    assert (body["title"], body["text"]) == ("Т?", "т")
    assert call.body.decode("utf-8")


def test_a_structure_that_does_not_fit_a_message_refuses_it() -> None:
    refused = compose(config(body={**BODY, "link": "see {{ link }}"}), batch("1", message=Message("Т", "т")), Access())
    assert isinstance(refused, Refused)
    assert refused.reason == "body"


def test_headers_may_be_words_or_secrets_or_both() -> None:
    headers = {"X-Shop": "ducky", "X-Key": {"secret": {"env": "K"}, "prefix": "Token "}}
    call, _ = sent(config(headers=headers, method="PUT"), "1")
    assert call.method == "PUT"
    assert call.headers == {"X-Shop": "ducky", "X-Key": f"Token {CANARY}", "Content-Type": "application/json"}
    assert CANARY not in repr(call)


TABLE: list[tuple[int, object, Verdict]] = [
    (200, {"ok": True}, Delivered()),
    (200, {"ok": "true"}, Unsure("unmatched", answered=True)),
    (200, {"ok": False}, Unsure("unmatched", answered=True)),
    (201, {"ok": True}, Unsure("unmatched", answered=True)),
    (302, b"", Unsure("unmatched", answered=True)),
    (100, b"", Unsure("unmatched")),
    (429, b"", Deferred("limit", 30.0, limit=True)),
    (503, b"<html>", Deferred("deferred")),
    (401, b"", Blocked("key_refused", "HTTP 401")),
    (422, {"error": "text too long"}, Refused("text", "text too long")),
    (422, {"error": {"code": 1}}, Refused("text", "HTTP 422")),
    (404, {"error": "gone"}, Refused("gone", "HTTP 404", letter=False)),
    (404, b"", Unsure("unmatched", answered=True)),
    (500, {"error": "half done"}, Unsure("half_done", answered=True)),
    (500, {"error": 5}, Unsure("unmatched", answered=True)),
    (504, b"", Unsure("unmatched", answered=False)),
]


@pytest.mark.parametrize(("status", "body", "verdict"), TABLE)
def test_each_answer_means_what_its_row_says(status: int, body: object, verdict: Verdict) -> None:
    assert judge(config(), batch("1"), reply(status, body)) == (verdict,)


@pytest.mark.parametrize("hundred", range(100, 600, 100))
def test_nothing_but_the_row_that_says_so_counts_as_delivered(hundred: int) -> None:
    for status in range(hundred, hundred + 100):
        for body in ODD_BODIES:
            (verdict,) = judge(config(), batch("1"), reply(status, body))
            assert not isinstance(verdict, Delivered), (status, body[:60])
        (verdict,) = judge(config(), batch("1"), reply(status, {"ok": True}))
        assert isinstance(verdict, Delivered) == (status == 200)


def test_a_row_that_says_delivered_of_an_error_is_not_believed() -> None:
    careless = config(answers=[{"when": "status > `0`", "verdict": "delivered"}])
    for status in (100, 302, 404, 503):
        assert isinstance(judge(careless, batch("1"), reply(status))[0], Unsure)
    assert judge(careless, batch("1"), reply(204)) == (Delivered(),)


def test_an_answer_that_comes_again_means_the_same_and_another_means_something_else() -> None:
    known, people = config(), batch("1")
    for _ in range(2):
        for status, body, verdict in TABLE:
            assert judge(known, people, reply(status, body)) == (verdict,)
        for after in ("5", "7"):
            waits = judge(known, people, reply(429, b"", {"retry-after": after}))
            assert waits == (Deferred("limit", float(after), limit=True),)


def test_what_is_remembered_of_answers_is_bounded() -> None:
    known, people = config(), batch("1")
    for number in range(3 * ANSWERS_KEPT):
        answer = {"ok": True, "id": number, "more": "." * (2 * ANSWER_KEPT_BYTES if number % 3 == 0 else 10)}
        assert judge(known, people, reply(200, answer)) == (Delivered(),)
    kept = known.meanings._lately.cache_info()
    assert (kept.currsize, kept.maxsize) == (ANSWERS_KEPT, ANSWERS_KEPT)
    assert kept.misses == 2 * ANSWERS_KEPT


def test_a_gateway_may_say_whom_it_does_not_know() -> None:
    known = config(unknown_recipients="body.unknown")
    answer = reply(200, {"ok": True, "unknown": ["2", 3, True]})
    verdicts = judge(known, batch("1", "2", "3"), answer)
    assert [type(verdict) for verdict in verdicts] == [Delivered, Refused, Refused]
    assert judge(known, batch("1"), answer) == (Delivered(),)
    assert judge(known, batch("1"), reply(200, {"ok": True})) == (Delivered(),)


def test_a_wait_that_the_gateway_asks_for_goes_before_the_configured_one() -> None:
    (verdict,) = judge(config(), batch("1"), reply(429, b"", {"retry-after": "7"}))
    assert verdict == Deferred("limit", 7.0, limit=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://push.shop.example/"}, "plain http"),
        ({"method": "GET"}, "POST"),
        ({"timeout": "0s"}, "some time"),
        ({"body": {"to": "{{ recipients }}"}}, "the text"),
        ({"body": {"text": "{{ text }}"}}, "no recipient"),
        ({"body": {"text": "{{ text }}", "to": "{{ recipient }}"}}, "recipients_per_request is 1"),
        ({"body": {**BODY, "x": "{{ event.order.id }}"}}, "not known here"),
        ({"body": {**BODY, "x": "{{ titel }}"}}, "not known here"),
        ({"body": {**BODY, "x": "{% for a in recipients %}{% endfor %}"}}, "not possible"),
        ({"body": {**BODY, "x": "{{ title.__class__ }}"}}, "reaches fields"),
        ({"body": {**BODY, "x": "{{ title | nofilter }}"}}, "unknown filter"),
        ({"body": {**BODY, "x": "{{ title"}}, "template"),
        ({"body": {**BODY, "x": "{{ title( }}"}}, "template"),
        ({"body": {"each_recipient": "{{ recipient }}", **BODY}}, "stands alone"),
        ({"body": {**BODY, "x": {"y": 1}}, "encoding": "form"}, "flat"),
        ({"executes_once": True}, "key"),
        ({"answers": []}, "at least 1"),
        ({"answers": [{"when": "status ==", "verdict": "delivered"}]}, "JMESPath"),
        ({"answers": [{"when": "status", "verdict": "blocked"}]}, "ever be told"),
        ({"answers": [{"when": "status", "verdict": "fine"}]}, "delivered"),
        ({"unknown_recipients": "["}, "JMESPath"),
        ({"headers": {"X Y": "1"}}, "name"),
        ({"headers": {"Content-Length": "1"}}, "ourselves"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "letters"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**change)


def test_a_whole_gateway_is_read_from_yaml() -> None:
    text = """
type: webhook
url: https://push.shop.example/v1/push
headers:
  Authorization: {prefix: "Bearer ", secret: {file: /run/secrets/gateway}}
body: {to: "{{ recipients }}", text: "{{ text }}"}
recipients_per_request: 500
answers:
  - {when: "status == `200` && body.ok", verdict: delivered}
  - {when: "status == `429`", verdict: deferred, limit: true, after: 10s}
"""
    found = read_document(text, "lane.yaml", WebhookConfig)
    assert isinstance(found, WebhookConfig), found
    assert found.recipients_per_request == 500


# --- over the wire ----------------------------------------------------------------------------------------------------

AUTH = {"Authorization": {"prefix": "Bearer ", "secret": {"env": "K"}}}


@pytest.fixture
async def gateway() -> AsyncIterator[WebhookFake]:
    async with WebhookFake(CANARY, frozenset({"9"})) as fake:
        yield fake


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_sink_tells_people_through_the_gateway(gateway: WebhookFake, method: str) -> None:
    mine = config(url=gateway.url, headers=AUTH, method=method, unknown_recipients="body.unknown", timeout="5s")
    sink = make_sink(mine, secret(), lambda fact: None, "own")
    assert not sink.idempotent
    assert await sink.ready() is None
    verdicts = await sink.send(batch("1", "9"))
    assert [type(verdict) for verdict in verdicts] == [Delivered, Refused]
    assert [delivery.recipient for delivery in gateway.deliveries] == ["1"]
    assert gateway.seen[0][0] == method
    await sink.close()


async def test_a_put_is_not_repeated_by_the_client_library(gateway: WebhookFake) -> None:
    sink = make_sink(config(url=gateway.url, headers=AUTH, method="PUT"), secret(), lambda fact: None, "own")
    await sink.ready()
    await sink.send(batch("1"))
    gateway.fail("reset_before")
    assert await sink.send(batch("2")) == (Unsure("reset"),)
    assert len(gateway.requests) == 2
    await sink.close()


async def test_a_gateway_that_executes_once_is_asked_again_under_the_same_key(gateway: WebhookFake) -> None:
    once = config(url=gateway.url, headers=AUTH, body={**BODY, "id": "{{ key }}"}, executes_once=True)
    sink = make_sink(once, secret(), lambda fact: None, "own")
    assert sink.idempotent
    await sink.ready()
    gateway.fail("reset_after", 1)
    assert await sink.send(batch("1")) == (Deferred("reset", same_key=True),)
    await sink.close()


def test_the_same_request_has_the_same_key_and_any_other_has_another() -> None:
    once = config(body={**BODY, "id": "{{ key }}"}, executes_once=True)
    first, again, other = (sent(once, *people)[1]["id"] for people in (["1"], ["1"], ["2"]))
    assert first == again != other


async def test_a_missing_secret_blocks_and_a_refused_one_is_never_shown(gateway: WebhookFake) -> None:
    found: list[str | Trouble] = [Trouble("other"), "wrong-secret-1234", CANARY]
    sink = make_sink(config(url=gateway.url, headers=AUTH), lambda ref: found.pop(0), lambda fact: None, "own")
    assert isinstance(await sink.ready(), Blocked)
    assert await sink.send(batch("1")) == (Deferred("not_ready", left=False),)
    assert await sink.ready() is None
    assert await sink.send(batch("1")) == (Blocked("key_refused", "HTTP 401"),)
    gateway.fail("status", 1, status=422, body=json.dumps({"error": "Bearer wrong-secret-1234 for 79991234567"}))
    (verdict,) = await sink.send(batch("79991234567"))
    assert verdict == Refused("text", "Bearer … for …")
    assert await sink.ready() is None
    assert await sink.send(batch("1")) == (Delivered(),)
    await sink.close()
