"""The fake providers are strict: they count what arrives, and keep it apart from what people saw."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import pytest

from consumer.demo.fakes import (
    Bitrix24Fake,
    Bitrix24Profile,
    ImshopFake,
    ImshopProfile,
    OnesignalFake,
    OnesignalProfile,
    WebhookFake,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def call(method: str, url: str, body: object = None) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as response:
        return response.status, await response.json()


def push(*recipients: str, text: str = "текст") -> dict[str, Any]:
    return {"userIds": list(recipients), "message": {"title": "Т", "summary": text}, "key": "k"}


@pytest.mark.parametrize(
    ("window", "statuses"),
    [("sliding", [200, 200, 429, 429, 200]), ("fixed", [200, 200, 200, 200, 429])],
)
async def test_imshop_counts_every_request_in_its_window(window: Any, statuses: list[int]) -> None:
    clock = Clock()
    async with ImshopFake("k", (2, 60.0), ImshopProfile(window=window), clock=clock) as fake:
        seen = []
        for now in (1000.0, 1010.0, 1030.0, 1040.0, 1079.0 if window == "fixed" else 1095.0):
            clock.now = now
            seen.append((await call("POST", fake.url, push("1")))[0])
        assert seen == statuses
        assert fake.worst_window() == 4
        assert len(fake.deliveries) == statuses.count(200)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"key": "wrong"}, 401),
        ({"userIds": "1"}, 400),
        ({"userIds": [1]}, 400),
        ({"userIds": []}, 400),
        ({"userIds": [str(number) for number in range(1001)]}, 400),
        ({"message": {"title": "Т"}}, 400),
        ({"message": None}, 400),
        ({"userIds": [str(number) for number in range(1000)]}, 200),
    ],
)
async def test_imshop_is_strict_about_what_it_takes(change: dict[str, Any], status: int) -> None:
    async with ImshopFake("k") as fake:
        answered, _ = await call("POST", fake.url, {**push("1"), **change})
        assert answered == status
        assert fake.requests[0].executed == (status == 200)
        assert bool(fake.deliveries) == (status == 200)


async def test_what_was_seen_twice_is_a_duplicate_by_whatever_key_counts() -> None:
    async with ImshopFake(None) as fake:
        for text in ("один", "один", "другой"):
            await call("POST", fake.url, push("1", "2", text=text))
        assert fake.duplicates() == 2
        assert fake.duplicates(lambda delivery: 0) == 4
        assert fake.duplicates(lambda delivery: delivery.message.text == "другой") == 2


async def test_a_test_in_another_process_can_set_faults_and_read_the_account() -> None:
    async with ImshopFake(None) as fake:
        faults = [{"kind": "unavailable", "times": 1}, {"kind": "status", "status": 503, "body": "{}", "times": 1}]
        assert await call("POST", f"{fake.origin}/_fake/faults", faults) == (200, {"faults": 2})
        assert (await call("POST", fake.url, push("1")))[1] == {"success": False, "error": "Integration is unavailable"}
        assert (await call("POST", fake.url, push("1")))[0] == 503
        assert (await call("POST", fake.url, push("1")))[0] == 200
        _, report = await call("GET", f"{fake.origin}/_fake/report?seconds=60")
        assert report["requests"] == report["worst_window"] == 3
        assert report["statuses"] == {"200": 2, "503": 1}
        assert (report["executed"], report["deliveries"], report["duplicates"]) == (1, 1, 0)
        _, seen = await call("GET", f"{fake.origin}/_fake/deliveries")
        assert [each["recipient"] for each in seen] == ["1"]
        assert (await call("POST", f"{fake.origin}/_fake/faults", {"kind": "no"}))[0] == 400
        assert (await call("POST", f"{fake.origin}/_fake/faults", {"kind": "hang", "x": 1}))[0] == 400
        await call("POST", f"{fake.origin}/_fake/faults", {"kind": "hang"})
        assert await call("DELETE", f"{fake.origin}/_fake/faults") == (200, {"faults": 0})


async def test_the_bucket_of_a_portal_holds_its_depth_and_drains() -> None:
    clock = Clock()
    async with Bitrix24Fake(Bitrix24Profile(depth=3, drain=2), clock=clock) as fake:
        auth = fake.tokens()["access_token"]
        url = f"{fake.url}/rest/pull.application.push.add"
        body = {"USER_ID": [1, 1, -4, "2", "x"], "TEXT": "т", "auth": auth}
        statuses = [(await call("POST", url, body))[0] for _ in range(4)]
        clock.now += 0.5
        statuses += [(await call("POST", url, body))[0] for _ in range(2)]
        assert statuses == [200, 200, 200, 503, 200, 503]
        assert fake.worst_level == 3
        assert fake.requests[0].recipients == ("1", "2")


async def test_a_portal_rotates_refresh_tokens_and_ends_access_tokens() -> None:
    clock = Clock()
    async with Bitrix24Fake(token_seconds=10.0, clock=clock) as fake:
        first = fake.tokens()
        form = "?grant_type=refresh_token&client_id=local.app&client_secret=client-secret"
        form += f"&refresh_token={first['refresh_token']}"
        push = {"USER_ID": 1, "TEXT": "т", "auth": first["access_token"]}
        url = f"{fake.url}/rest/pull.application.push.add.json"
        clock.now += 11
        assert (await call("POST", url, push))[1]["error"] == "expired_token"
        status, second = await call("GET", fake.oauth_url + form)
        assert status == 200
        assert (await call("GET", fake.oauth_url + form))[1] == {"error": "invalid_grant"}
        assert (await call("GET", fake.oauth_url + form.replace("client-secret", "no")))[0] == 200
        assert (await call("POST", url, {**push, "auth": second["access_token"]}))[1]["result"] is True
        assert (await call("POST", url, {**push, "auth": "x"}))[1]["error"] == "invalid_token"
        assert (await call("POST", url, {**push, "auth": ""}))[1]["error"] == "NO_AUTH_FOUND"


@pytest.mark.parametrize(("statuses", "status"), [("cloud", 403), ("box", 401), ("old", 200)])
async def test_portals_differ_in_statuses_and_agree_in_codes(statuses: Any, status: int) -> None:
    async with Bitrix24Fake(Bitrix24Profile(statuses=statuses)) as fake:
        fake.fail("error", 1, code="WRONG_AUTH_TYPE")
        answered, body = await call("POST", f"{fake.url}/rest/pull.application.push.add", {})
        assert (answered, body["error"]) == (status, "WRONG_AUTH_TYPE")


async def test_a_batch_has_the_quirks_of_the_real_one() -> None:
    async with Bitrix24Fake() as fake:
        auth = fake.tokens()["access_token"]
        method = "pull.application.push.add"
        cmd = {f"c{number}": f"{method}?USER_ID[]={number + 1}&TEXT=a%20b#c" for number in range(51)}
        cmd["c1"] = f"{method}?USER_ID[]=1&TEXT=a%20b"
        cmd["c2"] = f"{method}?USER_ID[]=1&TEXT="
        _, body = await call("POST", f"{fake.url}/rest/batch", {"halt": 0, "cmd": cmd, "auth": auth})
        result = body["result"]
        assert len(result["result"]) == 49
        assert result["result_error"]["c2"]["error"] == "TEXT_ERROR"
        assert fake.duplicates() == 0
        assert {delivery.message.text for delivery in fake.deliveries} == {"a b"}
        numbered = {"0": f"{method}?USER_ID[]=9&TEXT=x"}
        _, body = await call("POST", f"{fake.url}/rest/batch", {"cmd": numbered, "auth": auth})
        assert body["result"]["result"] == [True]
        assert body["result"]["result_error"] == []


def message(*ids: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"app_id": "a", "contents": {"en": "текст"}, "include_aliases": {"external_id": list(ids)}}
    return {**body, "target_channel": "push", **({} if key is None else {"idempotency_key": key}), **more}


async def test_onesignal_executes_a_key_once_and_names_strangers() -> None:
    async with OnesignalFake(None, None, OnesignalProfile(strangers=frozenset({"9"}))) as fake:
        key = "6f0d5c52-6a5e-5c0b-9d43-0c3f0f1b7a11"
        first = await call("POST", fake.url, message("1", "9", key=key))
        assert first[1]["errors"] == {"invalid_aliases": {"external_id": ["9"]}}
        assert await call("POST", fake.url, message("1", "9", key=key)) == first
        assert (await call("POST", fake.url, message("9")))[1]["id"] == ""
        assert [delivery.recipient for delivery in fake.deliveries] == ["1"]
        assert fake.repeated == 1


async def test_onesignal_forgets_a_key_after_thirty_days() -> None:
    clock = Clock()
    async with OnesignalFake(None, None, clock=clock) as fake:
        body = message("1", key="6f0d5c52-6a5e-5c0b-9d43-0c3f0f1b7a11")
        await call("POST", fake.url, body)
        clock.now += 31 * 86_400
        await call("POST", fake.url, body)
        assert len(fake.deliveries) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": ""},
        {"contents": {"ru": "текст"}},
        {"idempotency_key": "1.7"},
        {"collapse_id": "x" * 65},
        {"include_aliases": {"external_id": []}},
        {"include_aliases": {"external_id": [str(number) for number in range(20_001)]}},
        {"target_channel": "email"},
        {"included_segments": ["All"]},
        {"include_aliases": None},
    ],
)
async def test_onesignal_is_strict_about_what_it_takes(change: dict[str, Any]) -> None:
    async with OnesignalFake(None, None) as fake:
        assert (await call("POST", fake.url, {**message("1"), **change}))[0] == 400
        assert fake.deliveries == []


async def test_onesignal_counts_requests_in_a_second() -> None:
    clock = Clock()
    async with OnesignalFake(None, (2, 1.0), clock=clock) as fake:
        assert [(await call("POST", fake.url, message("1")))[0] for _ in range(3)] == [200, 200, 429]


async def test_a_gateway_takes_what_has_a_text_and_recipients() -> None:
    async with WebhookFake(None, frozenset({"9"})) as fake:
        assert (await call("PUT", fake.url, {"to": ["1", "9"], "text": "т"}))[1] == {"ok": True, "unknown": ["9"]}
        assert (await call("POST", fake.url, {"to": "1", "text": "т"}))[0] == 422
        assert (await call("DELETE", fake.url, {}))[0] == 405
        assert [delivery.recipient for delivery in fake.deliveries] == ["1"]


async def test_the_fakes_run_as_a_program_that_prints_its_addresses() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer.app.cli", "fakes", "--strangers", "9", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        addresses = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert (await call("POST", addresses["imshop"], {**push("1"), "key": "imshop-key"}))[0] == 200
        gateway = addresses["webhook"]
        assert (await call("POST", gateway, {"to": ["9"], "text": "т"}))[1]["unknown"] == ["9"]
        faults = gateway.replace("/v1/push", "/_fake/faults")
        await call("PUT", faults, {"kind": "unavailable"})
        assert (await call("POST", gateway, {"to": ["1"], "text": "т"}))[0] == 503
        portal = addresses["bitrix24"]
        assert (await call("GET", f"{portal}/_fake/report"))[1]["requests"] == 0
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
