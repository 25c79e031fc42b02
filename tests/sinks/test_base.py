"""Providers are found, sinks are made of their configuration, and no secret comes out of one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consumer.core.document import read_document
from consumer.core.facts import Fact
from consumer.core.model import Blocked, Capacity, Deferred, Delivered, Message, Quota, Refused, Trouble, Unsure
from consumer.core.ports import Sink
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile, ImshopFake, write_tokens
from consumer.sinks.base import Access, Call, SinkConfig, limits_of, make_sink, providers
from consumer.sinks.bitrix24 import Bitrix24Config
from consumer.sinks.imshop import ImshopConfig
from tests.sinks.support import CANARY, batch, secret


def imshop_config(url: str, **more: Any) -> ImshopConfig:
    return ImshopConfig.model_validate({"type": "imshop", "url": url, "key": {"env": "K"}, "timeout": "5s", **more})


def bitrix24_config(fake: Bitrix24Fake, path: Path) -> Bitrix24Config:
    return Bitrix24Config.model_validate(
        {
            "type": "bitrix24",
            "portal": fake.url,
            "oauth_url": fake.oauth_url,
            "token_file": str(path),
            "client_id": "local.app",
            "client_secret": {"env": "S"},
            "timeout": "5s",
        }
    )


@pytest.fixture
async def imshop() -> AsyncIterator[ImshopFake]:
    async with ImshopFake(CANARY) as fake:
        yield fake


def test_every_provider_is_found_by_its_name() -> None:
    assert set(providers()) >= {"bitrix24", "console", "imshop", "onesignal"}
    for name, provider in providers().items():
        assert provider.name == name
        assert issubclass(provider.config, SinkConfig)
        assert provider.config.model_fields["type"].annotation is not str


def test_each_provider_says_what_it_may_do() -> None:
    limits = limits_of(imshop_config("https://push.example.com/"))
    assert limits.capacity == Capacity(1, 1000)
    assert limits.quota == Quota(10, 60.0)
    assert (limits.in_flight, limits.timeout_seconds) == (2, 5.0)


def test_a_configuration_is_read_from_yaml_and_never_shows_a_secret() -> None:
    text = "type: imshop\nurl: https://push.example.com/p\nauth: body\nkey: {file: /run/secrets/imshop}\ntimeout: 20s\n"
    config = read_document(text, "lane.yaml", ImshopConfig)
    assert isinstance(config, ImshopConfig)
    assert config.timeout == 20.0
    problems = read_document(text.replace("{file: /run/secrets/imshop}", CANARY), "lane.yaml", ImshopConfig)
    assert isinstance(problems, list)
    assert CANARY not in "".join(map(str, problems))


async def test_a_sink_tells_people(imshop: ImshopFake) -> None:
    sink = make_sink(imshop_config(imshop.url), secret(f"{CANARY}\n"), lambda fact: None, "app-push")
    assert (sink.provider, sink.timeout_seconds, sink.idempotent) == ("imshop", 5.0, False)
    assert sink.capacity == Capacity(1, 1000)
    assert await sink.ready() is None
    assert await sink.send(batch("1", "2", "1")) == (Delivered(),)
    assert [delivery.recipient for delivery in imshop.deliveries] == ["1", "2"]
    await sink.close()


async def test_a_sink_that_nobody_asked_whether_it_is_ready_sends_nothing(imshop: ImshopFake) -> None:
    sink = make_sink(imshop_config(imshop.url), secret(), lambda fact: None, "app-push")
    assert await sink.send(batch("1")) == (Deferred("not_ready", left=False),)
    assert imshop.requests == []
    await sink.close()


async def test_a_rotated_key_heals(imshop: ImshopFake) -> None:
    keys: list[str | Trouble] = [Trouble("other"), "old\nkey", "старый", "old", CANARY]
    sink = make_sink(imshop_config(imshop.url), lambda ref: keys.pop(0), lambda fact: None, "app-push")
    for reason in ("secret_missing", "secret_unusable", "secret_unusable"):
        blocked = await sink.ready()
        assert isinstance(blocked, Blocked)
        assert blocked.reason == reason
        assert (await sink.send(batch("1")))[0] == Deferred("not_ready", left=False)
    assert await sink.ready() is None
    assert await sink.send(batch("1")) == (Blocked("key_refused", "Unauthorized Missing authentication"),)
    assert await sink.ready() is None
    assert await sink.send(batch("1")) == (Delivered(),)
    await sink.close()


async def test_network_trouble_is_deferred_before_the_wire_and_unsure_after(imshop: ImshopFake) -> None:
    sink = make_sink(imshop_config(imshop.url), secret(), lambda fact: None, "app-push")
    await sink.ready()
    imshop.fail("reset_after", 1)
    assert await sink.send(batch("1")) == (Unsure("reset"),)
    imshop.fail("cut_body", 1)
    assert await sink.send(batch("2")) == (Unsure("cut", answered=True),)
    await imshop.__aexit__(None, None, None)
    assert await sink.send(batch("3")) == (Deferred("refused", left=False),)
    assert [delivery.recipient for delivery in imshop.deliveries] == ["1", "2"]
    await sink.close()


async def test_a_key_and_a_phone_that_a_provider_echoes_stay_inside(imshop: ImshopFake) -> None:
    sink = make_sink(imshop_config(imshop.url), secret(), lambda fact: None, "app-push")
    await sink.ready()
    echo = json.dumps(
        {"message": f"key {CANARY} or access-0001-7f99b6d0da80 may not tell vip-7 or 79991234567 or order 12345678"}
    )
    imshop.fail("status", 1, status=400, body=echo)
    (verdict,) = await sink.send(batch("79991234567", "vip-7"))
    assert verdict == Refused("bad_request", "key … or … may not tell … or … or order …")
    await sink.close()


async def test_no_secret_is_in_anything_that_is_printed(
    imshop: ImshopFake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    facts: list[Fact] = []
    printed: list[object] = [Access(CANARY), Call(f"https://a/?{CANARY}", CANARY.encode(), {"Authorization": CANARY})]
    async with Bitrix24Fake(client=("local.app", CANARY)) as portal:
        write_tokens(tmp_path / "tokens.json", portal)
        configs: list[SinkConfig] = [imshop_config(imshop.url), bitrix24_config(portal, tmp_path / "tokens.json")]
        for config in configs:
            sink = make_sink(config, secret(), facts.append, "lane")
            printed += [config, sink, vars(sink), await sink.ready(), await _moods(sink, imshop, portal)]
            await sink.close()
        hidden = [CANARY, *portal.oauth.access, portal.oauth.refresh_token]
    for text in (repr(printed), str(printed), repr(facts), caplog.text):
        assert [word for word in hidden if word in text] == []


async def _moods(sink: Sink, *fakes: ImshopFake | Bitrix24Fake) -> list[object]:
    found: list[object] = []
    for kind in ("reset_before", "cut_body", "html", "limit", "unavailable", "error"):
        for fake in fakes:
            fake.fail(kind, 1, path="" if isinstance(fake, ImshopFake) else "/rest")
        found.append(await sink.send(batch("17")))
        for fake in fakes:
            fake.heal()
    return found


@pytest.fixture
async def portal() -> AsyncIterator[Bitrix24Fake]:
    async with Bitrix24Fake() as fake:
        yield fake


async def staff(portal: Bitrix24Fake, tmp_path: Path) -> Sink:
    write_tokens(tmp_path / "tokens.json", portal)
    sink = make_sink(bitrix24_config(portal, tmp_path / "tokens.json"), secret("client-secret"), lambda fact: None, "s")
    assert await sink.ready() is None
    return sink


async def test_a_portal_tells_its_staff_and_an_ended_token_costs_one_deferral(
    portal: Bitrix24Fake, tmp_path: Path
) -> None:
    sink = await staff(portal, tmp_path)
    assert await sink.send(batch("17", "4")) == (Delivered(),)
    portal.oauth.expire()
    assert await sink.send(batch("17")) == (Deferred("token_expired", 0.0),)
    assert await sink.ready() is None
    assert await sink.send(batch("17")) == (Delivered(),)
    assert portal.oauth.refreshes == 1
    assert [delivery.recipient for delivery in portal.deliveries] == ["17", "4", "17"]
    await sink.close()


async def test_a_token_that_ends_under_fifty_parallel_calls_is_refreshed_once(
    portal: Bitrix24Fake, tmp_path: Path
) -> None:
    sink = await staff(portal, tmp_path)
    portal.oauth.expire()

    async def tell(user: int) -> None:
        while await sink.send(batch(str(user))) != (Delivered(),):
            assert await sink.ready() is None

    await asyncio.gather(*(tell(user) for user in range(1, 26)))
    portal._levels.clear()
    await asyncio.gather(*(tell(user) for user in range(26, 51)))
    assert portal.oauth.refreshes == 1
    assert sorted(int(delivery.recipient) for delivery in portal.deliveries) == list(range(1, 51))
    await sink.close()


async def test_a_token_that_is_refused_twice_blocks(portal: Bitrix24Fake, tmp_path: Path) -> None:
    sink = await staff(portal, tmp_path)
    portal.fail("error", path="/rest", code="invalid_token")
    assert await sink.send(batch("17")) == (Deferred("token_expired", 0.0),)
    assert await sink.ready() is None
    (verdict,) = await sink.send(batch("17"))
    assert isinstance(verdict, Blocked)
    assert isinstance(await sink.ready(), Blocked)
    assert portal.oauth.refreshes == 1
    await sink.close()


async def test_a_query_limit_waits_longer_each_time_and_shorter_after_a_success(
    portal: Bitrix24Fake, tmp_path: Path
) -> None:
    sink = await staff(portal, tmp_path)
    portal.fail("limit", 3, path="/rest")
    waits = []
    for _ in range(3):
        (verdict,) = await sink.send(batch("17"))
        assert isinstance(verdict, Deferred)
        assert verdict.limit
        waits.append(verdict.after_seconds or 0.0)
    assert all(start <= wait <= start * 1.2 for start, wait in zip((1.5, 3.0, 6.0), waits, strict=True))
    assert await sink.send(batch("17")) == (Delivered(),)
    portal.fail("limit", 1, path="/rest")
    (verdict,) = await sink.send(batch("17"))
    assert isinstance(verdict, Deferred)
    assert (verdict.after_seconds or 0.0) <= 1.5 * 1.2
    await sink.close()


async def test_a_used_up_operating_time_waits_until_the_portal_says_it_resets(tmp_path: Path) -> None:
    profile = Bitrix24Profile(operating_seconds=300.0, operating_limit_seconds=480.0)
    async with Bitrix24Fake(profile) as portal:
        sink = await staff(portal, tmp_path)
        assert await sink.send(batch("17")) == (Delivered(),)
        assert await sink.send(batch("18")) == (Delivered(),)
        (verdict,) = await sink.send(batch("19"))
        assert isinstance(verdict, Deferred)
        assert verdict.reason == "operation_time_limit"
        assert 590 < (verdict.after_seconds or 0.0) <= 601
        await sink.close()


async def test_a_renamed_portal_is_found_and_remembered(portal: Bitrix24Fake, tmp_path: Path) -> None:
    async with Bitrix24Fake() as home:
        sink = await staff(portal, tmp_path)
        home.oauth.access.update(portal.oauth.access)
        portal.moved_to = home.origin
        assert await sink.send(batch("17")) == (Deferred("portal_moved", 0.0, at_most=3),)
        assert await sink.send(batch("17")) == (Delivered(),)
        assert await sink.send(batch("18")) == (Delivered(),)
        assert [arrival.path for arrival in portal.requests] == ["/rest/pull.application.push.add"]
        assert [delivery.recipient for delivery in home.deliveries] == ["17", "18"]
        await sink.close()


async def test_the_terminal_shows_one_masked_line_for_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    config = providers()["console"].config.model_validate({"type": "console"})
    sink = make_sink(config, secret(), lambda fact: None, "dry")
    assert await sink.ready() is None
    message = Message("Ваш\x1b[31m заказ", "готов\nк выдаче", "app://home")
    people = [f"7999123456{last}" for last in range(7)]
    assert await sink.send(batch(*people, "12", message=message)) == (Delivered(),)
    line = capsys.readouterr().out
    assert line == "push 1.7 to 8 (…60 …61 …62 …63 …64 …): Ваш [31m заказ | готов к выдаче | app://home\n"
    await sink.close()


async def test_a_closed_terminal_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    sink = make_sink(providers()["console"].config.model_validate({"type": "console"}), secret(), print, "dry")
    await sink.ready()
    with monkeypatch.context() as broken:
        broken.setattr("consumer.sinks.console.sys.stdout", Closed())
        verdicts = await sink.send(batch("1"))
    assert verdicts == (Blocked("output_closed", "standard output cannot be written"),)
    await sink.close()
