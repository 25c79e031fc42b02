"""How the configuration says who we are to Kafka: certificates, passwords, and tokens that are read or asked for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from consumer.app.brokers import kafka_settings
from consumer.app.kafka_config import OidcConfig
from consumer.app.oidc import OidcTokens
from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef
from consumer.streams.bearer import NoTokenError, TokenProvider
from tests.app.support import CONFIG, Hand, problems_of, setup_of
from tests.kafka.certificates import Authority

CANARY = "canary-client-s3cret"


def secured(*lines: str) -> str:
    block = "\n".join(f"    {line}" for line in lines)
    return CONFIG.replace("  bootstrap: localhost:9092\n", f"  bootstrap: localhost:9092\n  security:\n{block}\n")


def test_a_certificate_is_shown_and_its_key_s_password_asked_each_time(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "ca").pair("client")
    text = secured("tls: true", "ca: ca.pem", "certificate: client.crt", "key: {file: client.key}")
    arguments = kafka_settings(setup_of(tmp_path, text)).connection()
    assert not isinstance(arguments, Trouble)
    assert arguments["security_protocol"] == "SSL"
    pair.key.write_text("no key any more")
    assert isinstance(broken := kafka_settings(setup_of(tmp_path, text)).connection(), Trouble)
    assert "client.key cannot be used" in broken.detail


async def test_a_token_is_read_from_its_file_at_each_connection(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    setup = setup_of(tmp_path, secured("tls: true", "sasl: {mechanism: OAUTHBEARER, token: {file: token}}"))
    settings = kafka_settings(setup)
    assert (settings.security, settings.sasl_mechanism) == ("SASL_SSL", "OAUTHBEARER")
    assert settings.token is not None
    provider = TokenProvider(settings.token)
    for said in ("first", "second"):
        token.write_text(f"{said}\n")
        assert await provider.token() == said
    token.write_text("one\x01auth=Bearer other")
    with pytest.raises(NoTokenError, match="characters that no token has"):
        await provider.token()
    token.unlink()
    with pytest.raises(NoTokenError, match="file token cannot be read: No such file"):
        await provider.token()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ca: x.pem"], "a ca is of no use without tls: true"),
        (["tls: true", "certificate: x.pem"], "a certificate goes with its key"),
        (["tls: true", "certificate: x.pem", "key: {env: KEY}"], "the key is read from a file"),
        (["sasl: {mechanism: PLAIN, user: vestnik}"], "PLAIN needs a user and a password"),
        (["sasl: {mechanism: OAUTHBEARER}"], "say token: or oidc:"),
        (["sasl: {mechanism: OAUTHBEARER, user: a, token: {env: T}}"], "has no user and no password"),
        (["sasl: {mechanism: PLAIN, user: a, password: {env: P}, token: {env: T}}"], "PLAIN has no token"),
        (
            ["sasl: {mechanism: OAUTHBEARER, oidc: {url: 'http://id.example', client_id: a, client_secret: {env: T}}}"],
            "id.example is reached by plain http",
        ),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, lines: list[str], words: str) -> None:
    assert any(words in problem for problem in problems_of(tmp_path, secured(*lines)))


@pytest.mark.parametrize("mechanism", ["PLAIN", "OAUTHBEARER"])
def test_a_password_or_token_without_tls_is_a_warning(tmp_path: Path, mechanism: str) -> None:
    who = "token: {env: T}" if mechanism == "OAUTHBEARER" else "user: vestnik, password: {env: P}"
    setup = setup_of(tmp_path, secured(f"sasl: {{mechanism: {mechanism}, {who}}}"))
    assert any(warning.startswith("kafka.security: ") and "tls" in warning for warning in setup.warnings)


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o400, False), (0o440, True), (0o644, True)])
def test_a_secret_that_others_can_read_stops_the_start(tmp_path: Path, mode: int, refused: bool) -> None:
    (tmp_path / "key").write_text("canary")
    (tmp_path / "key").chmod(mode)
    text = CONFIG.replace("key: {env: IMSHOP_KEY}", "key: {file: key}")
    if not refused:
        assert not any("key" in warning for warning in setup_of(tmp_path, text).warnings)
        return
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("vestnik.yaml:12: ")
    assert f"can be read by {'everybody' if mode & 4 else 'its group'} (mode {mode:04o}); chmod 600" in problem
    if mode == 0o440:
        setup_of(tmp_path, text + "secret_files: group\n")


def test_a_token_store_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{}")
    (tmp_path / "tokens.json").chmod(0o640)
    provider = (
        "type: bitrix24\n      portal: https://portal.example\n      token_file: tokens.json\n"
        "      client_id: a\n      client_secret: {env: IMSHOP_KEY}"
    )
    text = CONFIG.replace("type: imshop\n      url: https://push.example/send\n      key: {env: IMSHOP_KEY}", provider)
    assert any("tokens.json can be read by its group (mode 0640)" in problem for problem in problems_of(tmp_path, text))


# --- an identity provider ---------------------------------------------------------------------------------------------


@dataclass
class Provider:
    """A token endpoint that answers as it is told and remembers what it was asked."""

    url: str = ""
    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"access_token": "token-1", "expires_in": 100})
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.asked.append(parse_qs(await request.text()))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    found = Provider()
    app = web.Application()
    app.router.add_post("/token", found.hear)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    yield found
    await runner.cleanup()


def tokens_of(provider: Provider, clock: Hand) -> OidcTokens:
    account = OidcConfig(
        url=provider.url, client_id="vestnik", client_secret=SecretRef(env="S"), scope="kafka",
        parameters={"audience": "brokers"},
    )  # fmt: skip
    return OidcTokens(account, lambda _ref: CANARY, clock)


async def test_a_token_is_asked_for_once_and_again_before_it_ends(provider: Provider) -> None:
    clock = Hand()
    tokens = tokens_of(provider, clock)
    assert [await tokens.read(), await tokens.read()] == ["token-1", "token-1"]
    assert provider.asked == [
        {
            "grant_type": ["client_credentials"], "client_id": ["vestnik"], "client_secret": [CANARY],
            "scope": ["kafka"], "audience": ["brokers"],
        }
    ]  # fmt: skip
    clock.now += 79
    assert await tokens.read() == "token-1"
    clock.now += 2
    provider.answer = {"access_token": "token-2", "expires_in": 100}
    assert (await tokens.read(), len(provider.asked)) == ("token-2", 2)


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (401, {"error": "invalid_client", "error_description": CANARY}, "gave no token: status 401 invalid_client"),
        (400, {"error": f"no {CANARY}"}, "gave no token: status 400"),
        (200, {"token": "x"}, "gave no token: status 200"),
        (500, {}, "gave no token: status 500"),
    ],
)
async def test_a_refusal_is_told_without_the_secret(
    provider: Provider, status: int, answer: dict[str, Any], words: str
) -> None:
    provider.status, provider.answer = status, answer
    found = await tokens_of(provider, Hand()).read()
    assert isinstance(found, Trouble)
    assert found.detail.endswith(words)
    assert CANARY not in f"{found} {tokens_of(provider, Hand())!r}"


async def test_an_endpoint_that_is_not_there_is_told(provider: Provider) -> None:
    provider.url = "http://127.0.0.1:9/token"
    found = await tokens_of(provider, Hand()).read()
    assert isinstance(found, Trouble)
    assert found.detail.endswith("does not answer (refused)")
