"""OneSignal: what goes out, under which key, and what each answer means."""

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from consumer.core.ceiling import PeopleLimit
from consumer.core.model import Batch, Blocked, Capacity, Deferred, Delivered, Message, Parcel, Refused, Unsure, Verdict
from consumer.demo.fakes_onesignal import OnesignalFake, OnesignalProfile
from consumer.sinks.base import Access, Call, limits_of, make_sink
from consumer.sinks.onesignal import UNSUBSCRIBED, OnesignalConfig, compose, judge
from tests.sinks.support import CANARY, MESSAGE, ODD_BODIES, batch, command, reply, secret

APP = "5eb5a37e-b458-11e3-ac11-000c2940e62c"
AGAIN = Deferred("server_error", same_key=True)


def config(**more: Any) -> OnesignalConfig:
    return OnesignalConfig.model_validate(
        {"type": "onesignal", "app_id": APP, "key": {"env": "K"}, "subscribers": 50, **more}
    )


def sent(config: OnesignalConfig, batch: Batch) -> Any:
    call = compose(config, batch, Access(CANARY))
    assert isinstance(call, Call)
    assert call.url == config.url
    assert call.headers == {"Content-Type": "application/json", "Authorization": f"Key {CANARY}"}
    return json.loads(call.body)


def test_a_request_carries_one_text_to_people_by_their_ids_in_the_shop() -> None:
    body = sent(config(), batch("123", "vip-7", "123"))
    assert uuid.UUID(body.pop("idempotency_key")).version == 5
    assert body == {
        "app_id": APP,
        "target_channel": "push",
        "include_aliases": {"external_id": ["123", "vip-7"]},
        "contents": {"en": MESSAGE.text},
        "headings": {"en": MESSAGE.title},
        "app_url": MESSAGE.link,
        "ttl": 3600,
    }


def test_a_segment_is_named_instead_of_people() -> None:
    body = sent(config(recipients="segments"), batch("Active Users"))
    assert body["included_segments"] == ["Active Users"]
    assert "include_aliases" not in body


def test_links_pictures_and_lives_stand_where_onesignal_looks_for_them() -> None:
    message = Message("", "текст", "https://shop.example/o/1", "https://img.example/1.png")
    body = sent(config(push_lives="10m"), batch("1", message=message))
    assert (body["url"], body["big_picture"], body["ttl"]) == (message.link, message.image, 600)
    assert body["ios_attachments"] == {"picture": message.image}
    assert "headings" not in body
    odd = sent(config(), batch("1", message=message._replace(image="http://169.254.169.254/x", link=None)))
    assert {"big_picture", "ios_attachments", "url", "app_url"}.isdisjoint(odd)


def test_a_push_to_one_person_takes_the_place_of_an_older_one_of_its_thread() -> None:
    alone = replace(command("1"), thread=0xABC)
    assert sent(config(), Batch("1.7", 1, (Parcel(MESSAGE, 0, (alone,)),)))["collapse_id"] == "0000000000000abc"
    both = Batch("1.7", 1, (Parcel(MESSAGE, 0, (alone, command("2"))),))
    assert "collapse_id" not in sent(config(), both)


def test_a_text_that_is_empty_is_refused_before_the_wire() -> None:
    assert isinstance(compose(config(), batch("1", message=Message("Т", " ")), Access("k")), Refused)


def test_the_same_batch_has_the_same_key_and_any_other_has_another() -> None:
    def key(batch: Batch, **more: Any) -> str:
        return str(sent(config(**more), batch)["idempotency_key"])

    usual = key(batch("1", "2"))
    assert usual == key(replace(batch("1", "2"), epoch=9))
    others = [batch("1", "3"), batch("1"), replace(batch("1", "2"), id="1.8")]
    assert len({usual, *(key(other) for other in others), key(batch("1", "2"), app_id="other")}) == 5


TABLE: list[tuple[int, object, Verdict]] = [
    (200, {"id": "b98881cc"}, Delivered()),
    (200, {"id": "b98881cc", "external_id": None, "errors": ["a word for people"]}, Delivered()),
    (200, {"id": "b98881cc", "errors": {"invalid_aliases": {"external_id": ["9"]}}}, Delivered()),
    (200, {"id": "b98881cc", "errors": {"invalid_aliases": {"external_id": ["1"]}}}, UNSUBSCRIBED),
    (200, {"id": "b98881cc", "errors": {"invalid_aliases": {"other": ["1"]}}}, Delivered()),
    (200, {"id": "b98881cc", "errors": {"invalid_aliases": "1"}}, Delivered()),
    (200, {"id": "", "errors": ["All included players are not subscribed"]}, UNSUBSCRIBED),
    (200, {"id": None}, Deferred("unreadable", same_key=True)),
    (200, {"errors": ["x"]}, Deferred("unreadable", same_key=True)),
    (200, b"<html>", Deferred("unreadable", same_key=True)),
    (202, {"id": "b98881cc"}, Deferred("no_answer", same_key=True)),
    (102, b"", Deferred("no_answer", same_key=True)),
    (301, b"", Blocked("redirected", "HTTP 301")),
    (400, {"errors": ["Message Notifications must have English language content"]},
     Refused("bad_request", "Message Notifications must have English language content")),
    (400, {"errors": [{"title": "no", "code": 1}]}, Refused("bad_request", "no")),
    (401, {"errors": ["Access denied"]}, Blocked("key_refused", "Access denied")),
    (403, b"", Blocked("key_refused", "HTTP 403")),
    (404, {"errors": ["app not found"]}, Blocked("wrong_address", "app not found")),
    (422, b"", Blocked("app_unusable", "HTTP 422")),
    (408, b"", Deferred("no_answer", same_key=True)),
    (413, b"", Refused("too_large", "")),
    (418, b"", Refused("bad_request", "HTTP 418")),
    (425, b"", Deferred("too_early")),
    (429, b"", Deferred("limit", 60.0, limit=True)),
    (500, {"id": "b98881cc"}, AGAIN),
    (503, b"<html>", AGAIN),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "verdict"), TABLE)
def test_each_documented_answer_has_its_verdict(status: int, body: object, verdict: Verdict) -> None:
    assert judge(config(), batch("1"), reply(status, body)) == (verdict,)


def test_some_of_a_request_may_have_no_subscription() -> None:
    answer = reply(200, {"id": "x", "errors": {"invalid_aliases": {"external_id": ["2", 4]}}})
    assert judge(config(), batch("1", "2", "3"), answer) == (Delivered(), UNSUBSCRIBED, Delivered())


@pytest.mark.parametrize("hundred", range(100, 600, 100))
def test_nothing_but_an_id_counts_as_delivered_and_nothing_is_unsure(hundred: int) -> None:
    for status in range(hundred, hundred + 100):
        for body in ODD_BODIES:
            (verdict,) = judge(config(), batch("1"), reply(status, body))
            assert not isinstance(verdict, Delivered | Unsure), (status, body[:60])
        (verdict,) = judge(config(), batch("1"), reply(status, {"id": "x"}))
        assert isinstance(verdict, Delivered) == (status == 200)


def test_a_limit_waits_as_long_as_it_was_asked_to() -> None:
    (verdict,) = judge(config(), batch("1"), reply(429, b"", {"retry-after": "7"}))
    assert verdict == Deferred("limit", 7.0, limit=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://api.example.com/"}, "plain http"),
        ({"app_id": ""}, "at least 1"),
        ({"timeout": "0s"}, "some time"),
        ({"recipients_per_request": 20_001}, "20000"),
        ({"recipients": "everybody"}, "aliases"),
        ({"key": CANARY}, "never written here"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(**change)


def test_a_request_carries_twenty_thousand_people_or_one_segment() -> None:
    assert limits_of(config()).capacity == Capacity(1, 20_000)
    assert limits_of(config(recipients="segments")).capacity == Capacity(1, 1)


def test_a_lane_stays_under_what_would_get_the_app_switched_off() -> None:
    assert limits_of(config(subscribers=1000)).ceiling == PeopleLimit(9000, 900.0)
    assert limits_of(config(recipients="segments")).ceiling == PeopleLimit(9, 900.0)


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def onesignal() -> AsyncIterator[OnesignalFake]:
    async with OnesignalFake(CANARY, None, OnesignalProfile(strangers=frozenset({"9"}))) as fake:
        yield fake


async def test_a_sink_tells_those_who_are_subscribed(onesignal: OnesignalFake) -> None:
    sink = make_sink(config(url=onesignal.url, timeout="5s"), secret(), lambda fact: None, "mass")
    assert sink.idempotent
    assert await sink.ready() is None
    assert await sink.send(batch("1", "9", "2")) == (Delivered(), UNSUBSCRIBED, Delivered())
    assert await sink.send(replace(batch("9"), id="1.8")) == (UNSUBSCRIBED,)
    assert [delivery.recipient for delivery in onesignal.deliveries] == ["1", "2"]
    await sink.close()


@pytest.mark.parametrize("kind", ["reset_after", "cut_body", "hang_after"])
async def test_a_lost_answer_is_asked_for_again_and_nobody_is_told_twice(onesignal: OnesignalFake, kind: Any) -> None:
    sink = make_sink(config(url=onesignal.url, timeout="250ms"), secret(), lambda fact: None, "mass")
    await sink.ready()
    onesignal.fail(kind, 1)
    (verdict,) = await sink.send(batch("1", "9"))
    assert isinstance(verdict, Deferred)
    assert verdict.same_key
    assert await sink.send(batch("1", "9")) == (Delivered(), UNSUBSCRIBED)
    assert [delivery.recipient for delivery in onesignal.deliveries] == ["1"]
    assert onesignal.repeated == 1
    await sink.close()


async def test_each_refusal_of_the_fake_means_what_it_means_at_onesignal(onesignal: OnesignalFake) -> None:
    sink = make_sink(config(url=onesignal.url, timeout="5s"), secret(), lambda fact: None, "mass")
    await sink.ready()
    onesignal.fail("limit", 1)
    assert await sink.send(batch("1")) == (Deferred("limit", 1.0, limit=True),)
    onesignal.fail("unavailable", 1)
    assert await sink.send(batch("1")) == (AGAIN,)
    stranger = make_sink(config(url=onesignal.url, timeout="5s"), secret("other"), lambda fact: None, "mass")
    await stranger.ready()
    (verdict,) = await stranger.send(batch("1"))
    assert isinstance(verdict, Blocked)
    assert onesignal.deliveries == []
    for each in (sink, stranger):
        await each.close()
