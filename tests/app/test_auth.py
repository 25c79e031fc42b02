"""`vestnik auth bitrix24`: a code becomes a pair where the lane looks for it, and nothing is lost on the way."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.auth import account_of, authorise
from consumer.app.cli import app
from consumer.app.setup import Setup, load_setup
from consumer.demo.fakes import Bitrix24Fake
from consumer.sinks.bitrix24 import Bitrix24Config
from consumer.sinks.tokens import TokenFile, TokenPen, Tokens
from tests.app.support import CONFIG, write

SECRET = "client-secret"
PORTAL = """\
  staff:
    provider:
      type: bitrix24
      portal: {portal}
      oauth_url: {oauth}
      token_file: tokens.json
      client_id: local.app
      client_secret: {{env: B24_SECRET}}
    mode: live
routes:"""


def setup_for(folder: Path, portal: str, oauth: str) -> Setup:
    config = CONFIG.replace("routes:", PORTAL.format(portal=portal, oauth=oauth), 1)
    found = load_setup(write(folder, config), {"IMSHOP_KEY": "k", "B24_SECRET": SECRET})
    assert isinstance(found, Setup), [str(problem) for problem in found]
    return found


@pytest.fixture
async def portal() -> AsyncIterator[Bitrix24Fake]:
    async with Bitrix24Fake() as fake:
        yield fake


async def authorised(folder: Path, fake: Bitrix24Fake, code: str) -> tuple[bool, str]:
    setup = setup_for(folder, fake.url, fake.oauth_url)
    account = account_of(setup, "staff")
    assert isinstance(account, Bitrix24Config)
    said = await authorise(setup, "staff", account, code)
    assert SECRET not in said.words
    assert code not in said.words
    return said.kept, said.words


async def test_a_code_becomes_a_pair_that_only_we_can_read(tmp_path: Path, portal: Bitrix24Fake) -> None:
    kept, words = await authorised(tmp_path, portal, f" {portal.oauth.code()}\n")
    assert (kept, words) == (True, f"The pair is in token file {tmp_path}/tokens.json.")
    path = tmp_path / "tokens.json"
    assert path.stat().st_mode & 0o777 == 0o600
    tokens = TokenFile(path).read()
    assert isinstance(tokens, Tokens)
    assert portal.oauth.check(tokens.access) == ""
    assert tokens.obtained is not None


async def test_a_pair_goes_sealed_into_the_topic_and_over_a_foreign_one_only_when_a_person_says_so(
    tmp_path: Path, portal: Bitrix24Fake
) -> None:
    text = CONFIG.replace("routes:", PORTAL.format(portal=portal.url, oauth=portal.oauth_url), 1)
    text = text.replace("token_file: tokens.json", "token_topic: {key: {env: NEW}, older_keys: [{env: OLD}]}")
    path, environ = write(tmp_path, text), {"IMSHOP_KEY": "k", "B24_SECRET": SECRET, "NEW": "n" * 32, "OLD": "o" * 32}
    files = ("events.jsonl", str(tmp_path / "out"))

    def setup(**more: str) -> Setup:
        found = load_setup(path, environ | more, files)
        assert isinstance(found, Setup), [str(problem) for problem in found]
        return found

    async def said(setup: Setup, *, replace: bool = False) -> tuple[bool, str]:
        account = account_of(setup, "staff")
        assert isinstance(account, Bitrix24Config)
        told = await authorise(setup, "staff", account, portal.oauth.code(), replace=replace)
        return told.kept, told.words

    assert await said(setup()) == (True, "The pair is in topic vestnik.tokens, key staff.")
    assert "access-" not in (tmp_path / "out" / "vestnik.tokens.jsonl").read_text()
    assert (await said(setup(NEW="m" * 32, OLD="n" * 32)))[0], "a key that was rotated"
    codes = len(portal.oauth.codes)
    kept, words = await said(setup(NEW="x" * 32))
    assert (kept, "another key" in words, len(portal.oauth.codes)) == (False, True, codes + 1)
    assert (await said(setup(NEW="x" * 32), replace=True))[0]
    lost = load_setup(path, {key: value for key, value in environ.items() if key != "OLD"}, files)
    assert isinstance(lost, Setup)
    assert any("older_keys.0" in warning for warning in lost.warnings)


async def test_a_code_is_good_once_and_a_pair_that_is_there_stays(tmp_path: Path, portal: Bitrix24Fake) -> None:
    code = portal.oauth.code()
    assert (await authorised(tmp_path, portal, code))[0]
    before = (tmp_path / "tokens.json").read_text()
    kept, words = await authorised(tmp_path, portal, code)
    assert (kept, words) == (False, "invalid_grant: the code is used up or older than half a minute")
    assert (tmp_path / "tokens.json").read_text() == before


async def test_the_code_is_not_spent_when_there_is_no_room_for_the_pair(tmp_path: Path, portal: Bitrix24Fake) -> None:
    (tmp_path / "tokens.json.new").mkdir()
    code = portal.oauth.code()
    kept, words = await authorised(tmp_path, portal, code)
    assert not kept
    assert words.startswith("token_store: ")
    assert code in portal.oauth.codes


async def test_a_refresh_that_is_under_way_is_waited_for(
    tmp_path: Path, portal: Bitrix24Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    pen = TokenFile(tmp_path / "tokens.json").hold()
    assert isinstance(pen, TokenPen)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            pen.release()

    monkeypatch.setattr("consumer.app.auth.asyncio.sleep", wait)
    assert (await authorised(tmp_path, portal, portal.oauth.code()))[0]
    assert waits == [1.0, 1.0]


async def test_a_pair_that_cannot_push_is_kept_and_warned_of(tmp_path: Path, portal: Bitrix24Fake) -> None:
    portal.fail("status", 1, path="/oauth", status=200, body=json.dumps({
        "access_token": "a", "refresh_token": "b", "expires_in": 3600, "scope": "user,task",
        "client_endpoint": "https://other.bitrix24.ru/rest/",
    }))  # fmt: skip
    kept, words = await authorised(tmp_path, portal, "code-1")
    assert kept
    assert "no scope `pull`" in words
    assert "the pair is for other.bitrix24.ru" in words


def test_the_command_shows_where_to_agree_and_says_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMSHOP_KEY", "k")
    monkeypatch.setenv("B24_SECRET", SECRET)
    setup_for(tmp_path, "https://ducky.bitrix24.ru", "http://127.0.0.1:9/oauth/token/")
    told = CliRunner().invoke(app, ["auth", "bitrix24", "staff", "-c", str(tmp_path)], input="code-1\n")
    assert "https://ducky.bitrix24.ru/oauth/authorize/?client_id=local.app&response_type=code" in told.output
    assert told.exit_code == 1
    assert "token_endpoint: try again" in told.output
    for lane, words in (("nobody", 'unknown lane "nobody"'), ("app-push", "is imshop, not bitrix24")):
        told = CliRunner().invoke(app, ["auth", "bitrix24", lane, "--code", "x", "-c", str(tmp_path)])
        assert told.exit_code == 2
        assert words in told.output
