"""`vestnik doctor` looks at everything that a lane needs, and tells nobody anything."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE
from consumer.app.doctor import Visit, diagnose
from consumer.app.doctor_row import Row
from consumer.app.setup import Setup, load_setup
from consumer.demo.fakes import Bitrix24Fake, ImshopFake, OnesignalFake, write_tokens
from consumer.sinks.examination import clock_of
from consumer.sinks.http import Reply
from tests.app.support import ROUTES, write

HEAD = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
routes: routes
lanes:
"""


def configured(folder: Path, provider: str) -> Setup:
    setup = load_setup(
        write(folder, HEAD + f"  app-push: {{mode: shadow, provider: {provider}}}\n", ROUTES), {"KEY": "k", "S": "s"}
    )
    assert isinstance(setup, Setup), setup
    return setup


async def rows_of(folder: Path, provider: str) -> dict[str, Row]:
    return {row.what: row for row in await diagnose(configured(folder, provider), Visit(1))}


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Bitrix24Fake]:
    async with Bitrix24Fake() as fake:
        write_tokens(tmp_path / "tokens.json", fake)
        yield fake


async def test_an_imshop_is_reached_and_never_asked(tmp_path: Path) -> None:
    async with ImshopFake("k") as fake:
        rows = await rows_of(tmp_path, f'{{type: imshop, url: "{fake.url}", key: {{env: KEY}}}}')
        assert {row.state for row in rows.values() if row.part != "processes"} <= {"ok", "warning"}
        assert rows["secret key"].detail == "environment variable KEY"
        assert fake.requests == []


async def test_a_port_where_nobody_listens_and_a_missing_secret_fail(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    rows = await rows_of(tmp_path, f'{{type: imshop, url: "http://127.0.0.1:{port}/", key: {{env: NONE}}}}')
    assert rows["secret key"].state == "failed"
    assert rows[f"url 127.0.0.1:{port}"].state == "failed"
    assert "account" not in rows


async def test_a_server_without_tls_fails(tmp_path: Path) -> None:
    async with ImshopFake("k") as fake:
        url = fake.url.replace("http://127.0.0.1", "https://localhost")
        rows = await rows_of(tmp_path, f'{{type: imshop, url: "{url}", key: {{env: KEY}}}}')
        (row,) = [row for what, row in rows.items() if what.startswith("url")]
        assert row.state == "failed"


async def test_the_key_of_onesignal_is_tried_without_a_push(tmp_path: Path) -> None:
    async with OnesignalFake("k") as good, OnesignalFake("other") as bad:
        for fake, state in ((good, "ok"), (bad, "failed")):
            provider = f'{{type: onesignal, app_id: a, subscribers: 5, url: "{fake.url}", key: {{env: KEY}}}}'
            rows = await rows_of(tmp_path, provider)
            assert rows["account"].state == state
            assert fake.deliveries == []


def portal_provider(fake: Bitrix24Fake) -> str:
    return (
        f'{{type: bitrix24, portal: "{fake.url}", oauth_url: "{fake.oauth_url}", token_file: tokens.json, '
        "client_id: local.app, client_secret: {env: S}}"
    )


@pytest.mark.parametrize(("ahead_seconds", "state"), [(5, "fine"), (300, "warning"), (-300, "warning")])
def test_a_clock_that_is_not_the_provider_s_is_warned_of(ahead_seconds: float, state: str) -> None:
    dated = Reply(200, {"date": "Sun, 06 Nov 1994 08:49:37 GMT"})
    (row,) = clock_of(dated, 784111777.0 + ahead_seconds)
    assert row.state == state
    assert ("ahead of" in row.detail, "behind" in row.detail) == (ahead_seconds > 30, ahead_seconds < 0)
    assert clock_of(Reply(200, {"date": "yesterday"}), 0.0) == clock_of(Reply(200), 0.0) == []


async def test_the_token_of_a_portal_is_tried_and_never_refreshed(portal: Bitrix24Fake, tmp_path: Path) -> None:
    fresh = await rows_of(tmp_path, portal_provider(portal))
    assert (fresh["account"].state, fresh["clock"].state) == ("ok", "ok")
    portal.oauth.expire()
    ended = (await rows_of(tmp_path, portal_provider(portal)))["account"]
    assert (ended.state, "refreshes it" in ended.detail) == ("ok", True)
    portal.fail("error", path="/rest", code="insufficient_scope")
    assert (await rows_of(tmp_path, portal_provider(portal)))["account"].state == "failed"
    assert (portal.oauth.refreshes, portal.deliveries) == (0, [])
    (tmp_path / "tokens.json").unlink()
    assert (await rows_of(tmp_path, portal_provider(portal)))["account"].state == "failed"


def test_the_command_prints_rows_and_ends_with_a_code(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "  app-push: {mode: shadow, provider: {type: console}}\n", ROUTES)
    told = CliRunner().invoke(app, ["doctor", "-c", str(path)])
    assert (told.exit_code, "Everything is there." in told.stdout) == (FINE, True)
    closed = HEAD.replace("source: {lines: events.jsonl}", "kafka: {bootstrap: 127.0.0.1:1}")
    write(tmp_path, closed + "  app-push: {mode: shadow, provider: {type: console}}\n", ROUTES)
    told = CliRunner().invoke(app, ["doctor", "-c", str(path), "-o", "json"])
    assert told.exit_code == FAILED
    (broker,) = [row for row in json.loads(told.stdout) if row["part"] == "kafka"]
    assert (broker["what"], broker["state"]) == ("brokers", "failed")
