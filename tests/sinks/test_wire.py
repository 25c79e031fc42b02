"""The providers over a real connection: each status and each odd body means the same as in their tables, and no
secret comes out."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from consumer.core.facts import Fact
from consumer.core.model import Delivered, Trouble
from consumer.core.secrets import SecretRef
from consumer.sinks.base import SinkConfig, make_sink, providers
from tests.sinks.contract import example_of
from tests.sinks.support import CANARY, ODD_BODIES, batch, reply, secret
from tests.sinks.test_bitrix24 import config as bitrix24_config
from tests.sinks.test_bitrix24_batch import BATCH_BODIES, three

NAMES = ("onesignal", "webhook")
EMPTY = (204, 205, 304)
CANARIES = (CANARY, "79991234567")


@dataclass
class Echo:
    """Answers what it is told to; "echo" is the request's own head and body."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    echo: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        said = str(dict(request.headers)).encode() + await request.read()
        return web.Response(status=self.status, body=said if self.echo else self.body)


@pytest.fixture
async def server() -> AsyncIterator[Echo]:
    echo = Echo()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo.answer)
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    echo.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield echo
    await runner.cleanup()


def portal_of(server: Echo, folder: Path) -> SinkConfig:
    path = folder / "tokens.json"
    path.touch(0o600)
    path.write_text(json.dumps({"access_token": CANARY, "refresh_token": "r"}))
    return bitrix24_config(portal=server.url, oauth_url=server.url, token_file=str(path))


def config_of(name: str, url: str) -> SinkConfig:
    return example_of(providers()[name]).model_copy(update={"url": url})


@pytest.mark.parametrize("name", NAMES)
async def test_each_status_and_each_body_means_over_the_wire_what_it_means_in_the_table(
    name: str, server: Echo
) -> None:
    config, people = config_of(name, server.url), batch("17", "23")
    sink = make_sink(config, secret(), lambda fact: None, "lane")
    await sink.ready()
    answers = [(status, b"{}") for status in range(200, 600)] + [(200, body) for body in ODD_BODIES]
    for server.status, server.body in answers:
        body = b"" if server.status in EMPTY else server.body
        wanted = providers()[name].judge(config, people, reply(server.status, body))
        verdicts = await sink.send(people)
        assert [type(verdict) for verdict in verdicts] == [type(verdict) for verdict in wanted], server.status
        assert not any(isinstance(verdict, Delivered) for verdict in verdicts)
    await sink.close()


@pytest.mark.parametrize("kind", ["imshop", "bitrix24", "bitrix24 batch"])
async def test_the_two_first_providers_mean_over_the_wire_what_their_tables_say(
    kind: str, server: Echo, tmp_path: Path
) -> None:
    name, people = kind.split(maxsplit=1)[0], three() if "batch" in kind else batch("17", "23")
    config = config_of(name, server.url) if name == "imshop" else portal_of(server, tmp_path)
    sink = make_sink(config, secret(), lambda fact: None, "lane")
    assert await sink.ready() is None
    bodies = BATCH_BODIES if "batch" in kind else ODD_BODIES
    for status, body in [*((status, b"{}") for status in range(200, 600)), *((200, body) for body in bodies)]:
        server.status, server.body = status, body
        # What is wanted of the wire is what `judge` says of a whole reply; 204, 205 and 304 have no body.
        wanted = providers()[name].judge(config, people, reply(status, b"" if status in EMPTY else body))
        verdicts = await sink.send(people)
        assert [type(verdict) for verdict in verdicts] == [type(verdict) for verdict in wanted], (status, body[:60])
        assert not any(isinstance(verdict, Delivered) for verdict in verdicts)
    await sink.close()


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_provider_echoes_comes_out_nowhere(
    name: str, server: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    facts: list[Fact] = []
    config, server.echo = config_of(name, server.url), True
    sink = make_sink(config, secret(), facts.append, "lane")
    printed: list[object] = [config, sink, vars(sink), await sink.ready()]
    for server.status in (200, 302, 400, 401, 422, 429, 500):
        printed.append(await sink.send(batch("79991234567")))
    for text in (repr(printed), str(printed), repr(facts), caplog.text):
        assert [canary for canary in CANARIES if canary in text] == []
    await sink.close()


@pytest.mark.parametrize("name", NAMES)
async def test_an_error_in_the_provider_s_words_is_cleaned(name: str, server: Echo) -> None:
    sink = make_sink(config_of(name, server.url), secret(), lambda fact: None, "lane")
    await sink.ready()
    said = f'"no {CANARY} for 79991234567"'
    server.status, server.body = (400, f'{{"errors": [{said}]}}'.encode())
    if name == "webhook":
        server.status, server.body = (422, f'{{"error": {said}}}'.encode())
    assert "'no … for …'" in repr(await sink.send(batch("79991234567")))
    await sink.close()


@pytest.mark.parametrize("name", NAMES)
async def test_a_secret_that_is_not_there_is_named_by_its_place(name: str, server: Echo) -> None:
    def nothing(ref: SecretRef) -> str | Trouble:
        return Trouble("other", CANARY)

    sink = make_sink(config_of(name, server.url), nothing, lambda fact: None, "lane")
    blocked = repr(await sink.ready())
    assert "secret_missing" in blocked
    assert CANARY not in blocked
    await sink.close()
