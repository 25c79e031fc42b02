"""Bitrix24 `pull.application.push.add`: pushes to the staff of a portal, within a leaky bucket of two calls a second.

Source: https://apidocs.bitrix24.com (rest: push notifications, limits, system errors, OAuth 2.0), and the codes that
older and on-premise portals answer. A code decides, never the status: portals answer errors with 200, gateways with
HTML.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Delivered,
    Quota,
    Refused,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.secrets import SecretRef
from consumer.core.units import Seconds
from consumer.sinks.answer import read_object, retry_after_seconds, words
from consumer.sinks.base import Access, Account, Call, Limits, Provider, SinkConfig, Surroundings
from consumer.sinks.bitrix24_account import BATCH_NOT_ALLOWED, Bitrix24Account, Portal
from consumer.sinks.bitrix24_answers import ANSWERS
from consumer.sinks.bitrix24_lines import (
    LINES_LIMIT,
    METHOD,
    REFERENCES,
    TEXT_LIMIT_BYTES,
    USERS_LIMIT,
    Line,
    Lines,
    lines_of,
)
from consumer.sinks.http import Http, Reach, Reply, is_final, is_loopback, origin_of, reach_to, url_problem
from consumer.sinks.oauth import REFRESH_SECONDS, REFRESH_TOKEN_SECONDS, Application, Desk, TokenGuard
from consumer.sinks.seal import can_seal
from consumer.sinks.texts import Lengths
from consumer.sinks.token_topic import Place, TokenTopic, TopicStore
from consumer.sinks.tokens import FileStore, Tokens, TokenStore

OAUTH_URL = "https://oauth.bitrix24.tech/oauth/token/"

# The bucket is 50 deep and drains 2 a second (Enterprise 250 and 5); a little under its depth was never refused.
QUOTAS = {
    "standard": Quota(requests=45, per_seconds=22.5, bucket=True),
    "enterprise": Quota(requests=240, per_seconds=48.0, bucket=True),
}


class Bitrix24Config(SinkConfig):
    """A Bitrix24 portal, and the application that an administrator of it has authorised."""

    type: Literal["bitrix24"]
    portal: str = Field(description="the portal's address, such as https://example.bitrix24.ru")
    token_file: str | None = Field(
        default=None, min_length=1, description="the file where the token pair lies; replaced at each refresh"
    )
    token_topic: TokenTopic | None = Field(
        default=None, description="instead of a file, for processes on several hosts: a topic, sealed with a key"
    )
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    plan: Literal["standard", "enterprise"] = "standard"
    recipients_per_request: int = Field(default=100, ge=1, le=USERS_LIMIT, description="users who are told one text")
    avatar_hosts: tuple[str, ...] = Field(default=(), description="hosts whose pictures a push may show")
    timeout: Seconds = Field(default=65.0, description="the longest that one request may take")
    oauth_url: str = OAUTH_URL
    operating_limit: Seconds = Field(
        default=480.0, description="operating time in ten minutes that a method may use; 0s where the portal has none"
    )
    refresh_token_life: Seconds = Field(
        default=REFRESH_TOKEN_SECONDS, description="how long a refresh token lives that nobody uses"
    )
    allow_http: bool = Field(default=False, description="let tokens travel in the clear; for tests alone")

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        if seconds <= 0:
            raise ValueError("a request needs some time")
        return seconds

    @model_validator(mode="after")
    def _reachable(self) -> "Bitrix24Config":
        for name, url in (("portal", self.portal), ("oauth_url", self.oauth_url)):
            problem = url_problem(url, allow_http=self.allow_http)
            if problem:
                raise ValueError(f"{name} {problem}")
        if urlsplit(self.portal).path.strip("/") or urlsplit(self.portal).query:
            raise ValueError("portal is the address alone, without a path; webhooks cannot send pushes")
        return self

    @model_validator(mode="after")
    def _kept(self) -> "Bitrix24Config":
        if (self.token_file is None) == (self.token_topic is None):
            raise ValueError("the token pair lies in exactly one place; say token_file or token_topic")
        if self.token_topic is not None and not can_seal():
            raise ValueError("token_topic needs the extra that seals: pip install 'vestnik[tokens]'")
        return self


def limits(config: Bitrix24Config) -> Limits:
    capacity = Capacity(LINES_LIMIT, config.recipients_per_request, REFERENCES)
    lengths = Lengths(line_bytes=TEXT_LIMIT_BYTES)
    return Limits(capacity, config.timeout, in_flight=4, quota=QUOTAS[config.plan], lengths=lengths)


# --- compose ----------------------------------------------------------------------------------------------------------

_HEADERS = {"Content-Type": "application/json"}


def compose(config: Bitrix24Config, batch: Batch, access: Access) -> Call | Verdicts:
    """One call for one text, a `batch` for several. What no portal would push is answered here."""
    lines, places = _lines(config, batch)
    if not lines:
        return tuple(place for place in places if not isinstance(place, int))
    body = _single(lines[0]) if len(lines) == 1 else _many(lines)
    method = METHOD if len(lines) == 1 else "batch"
    url = f"{(access.home or config.portal).rstrip('/')}/rest/{method}"
    text = json.dumps({**body, "auth": access.secret}, ensure_ascii=False)
    return Call(url, text.encode("utf-8", "replace"), _HEADERS)


def _lines(config: Bitrix24Config, batch: Batch) -> Lines:
    return lines_of(batch, config.recipients_per_request, config.avatar_hosts)


def _single(line: Line) -> dict[str, Any]:
    body: dict[str, Any] = {"USER_ID": list(line.users), "TEXT": line.text}
    return {**body, "AVATAR": line.avatar} if line.avatar else body


def _many(lines: Sequence[Line]) -> dict[str, Any]:
    """Keys that are no numbers, so that the portal cannot take the map for a list."""
    return {"halt": 0, "cmd": {f"c{number}": line.query for number, line in enumerate(lines)}}


# --- judge ------------------------------------------------------------------------------------------------------------

QUERY_LIMIT_SECONDS = 1.5
OPERATION_LIMIT_SECONDS = 10.0

_BLOCKED = frozenset(
    {
        "overload_limit", "no_auth_found", "authorization_error", "application_not_found", "error_oauth",
        "not_installed", "payment_required", "method_confirm_waiting", "method_confirm_denied", "insufficient_scope",
        "invalid_credentials", "access_denied", "user_access_error", "wrong_auth_type", "access_error",
        "empty_app_name", "invalid_request", "error_method_not_found", "portal_deleted",
    }
)  # fmt: skip
_REFUSED = ("text_error", "error_argument", "invalid_arg_value")
_UNSURE = ("internal_server_error", "error_unexpected_answer")

_CODES: dict[str, Deferred] = {
    "query_limit_exceeded": Deferred("query_limit_exceeded", QUERY_LIMIT_SECONDS, limit=True),
    "operation_time_limit": Deferred("operation_time_limit", OPERATION_LIMIT_SECONDS, limit=True),
    "expired_token": Deferred("token_expired", 0.0),
    "invalid_token": Deferred("token_expired", 0.0),
    "connection_error": Deferred("connection_error"),
    "error_batch_method_not_allowed": BATCH_NOT_ALLOWED,
    "error_batch_length_exceeded": BATCH_NOT_ALLOWED,
}


def judge(config: Bitrix24Config, batch: Batch, reply: Reply) -> Verdicts:
    """One verdict for all commands, or one for each where the portal, or a recipient that is none, parts them."""
    lines, places = _lines(config, batch)
    answer = _verdict(config, reply) if len(lines) == 1 else _batch_verdicts(config, reply, len(lines))
    if isinstance(answer, list):
        told = Counter(places)
        return tuple(_of_one(answer[x], told[x]) if isinstance(x, int) else x for x in places)
    # Who refuses several texts at once has said nothing of any one of them.
    of_text = len(lines) == 1 and _is_refused_text(answer)
    if all(isinstance(place, int) for place in places) and not of_text:
        return (answer,)
    told_all = sum(isinstance(place, int) for place in places)
    return tuple(_of_one(answer, told_all) if isinstance(place, int) else place for place in places)


def _of_one(verdict: Verdict, told: int) -> Verdict:
    """What was said of so many commands at once, as the verdict of one of them."""
    if isinstance(verdict, Refused) and told > 1 and not _is_refused_text(verdict):
        return replace(verdict, shared=True)
    return verdict


def _is_refused_text(verdict: Verdict) -> bool:
    """A text that is refused is so for each of its users: nobody has to find out who is guilty."""
    return isinstance(verdict, Refused) and verdict.reason == "text_error"


def _batch_verdicts(config: Bitrix24Config, reply: Reply, count: int) -> list[Verdict] | Verdict:
    """What a batch says of each of its lines, or of all where it says nothing of them."""
    answer = read_object(reply.body)
    if answer is None or reply.status != 200 or "error" in answer:
        return _verdict(config, reply)
    result = answer.get("result")
    if not isinstance(result, dict):
        return Unsure("no_result", answered=True)
    done, failed = _by_key(result.get("result"), count), _by_key(result.get("result_error"), count)
    if done is None or failed is None:
        return Unsure("no_result", answered=True)
    keys = [f"c{number}" for number in range(count)]
    return [_line_verdict(config, reply, done.get(key, _ABSENT), failed.get(key, _ABSENT)) for key in keys]


_ABSENT = object()


def _by_key(found: object, count: int) -> dict[str, Any] | None:
    """PHP writes a map without entries, or with the keys 0 to n, as a list. None for what is neither, and for answers
    about commands that nobody gave."""
    if isinstance(found, list):
        found = {str(index): value for index, value in enumerate(found)}
    if not isinstance(found, dict):
        return None
    named = {f"c{key}" if key.isdigit() else key: value for key, value in found.items()}
    known = {f"c{number}" for number in range(count)}
    return named if len(named) == len(found) and set(named) <= known else None


def _line_verdict(config: Bitrix24Config, reply: Reply, done: object, failed: object) -> Verdict:
    if failed is not _ABSENT and done is not _ABSENT:
        return Unsure("contradictory", answered=True)
    if failed is not _ABSENT:
        return _by_code(config, reply, failed if isinstance(failed, dict) and "error" in failed else {"error": failed})
    if done is _ABSENT:
        return Deferred("not_executed")
    return Delivered() if done is True else Unsure("no_result", answered=True)


def _verdict(config: Bitrix24Config, reply: Reply) -> Verdict:
    answer = read_object(reply.body)
    if reply.status < 200:
        return Unsure("no_answer")
    if answer is not None and "error" in answer:
        return _by_code(config, reply, answer)
    if answer is not None and reply.status == 200:
        return Delivered() if answer.get("result") is True else Unsure("no_result", answered=True)
    return _by_status(config, reply)


def _by_code(config: Bitrix24Config, reply: Reply, answer: dict[str, Any]) -> Verdict:
    code = str(answer["error"]).lower()
    said = words(answer["error"], answer.get("error_description"))
    verdict: Verdict
    if code in _CODES:
        verdict = _CODES[code]
    elif code in _BLOCKED:
        verdict = Blocked(code, said)
    elif code in _REFUSED:
        verdict = Refused(code, said)
    elif code in _UNSURE:
        verdict = Unsure(code, is_final(reply.status))
    elif answer.get("result") is True:
        verdict = Unsure("contradictory", is_final(reply.status))
    else:
        verdict = _unknown_code(config, reply, said)
    return verdict


def _unknown_code(config: Bitrix24Config, reply: Reply, said: str) -> Verdict:
    """A word that nobody wrote down: what its status says of blame."""
    status = reply.status
    if status >= 500 or status == 408:
        return Unsure("unknown_code", is_final(status))
    if status in (401, 403, 425, 429) or 300 <= status < 400:
        return _by_status(config, reply, said)
    return Refused("unknown_code", said)


def _by_status(config: Bitrix24Config, reply: Reply, said: str = "") -> Verdict:
    """No code at all: somebody between the portal and us has spoken. Nobody is buried for that."""
    status = reply.status
    verdict: Verdict
    if 300 <= status < 400:
        verdict = _redirected(config, reply)
    elif status in (401, 403, 404, 405, 407, 451):
        verdict = Blocked(f"http_{status}", said)
    elif status in (425, 429):
        verdict = Deferred(f"http_{status}", retry_after_seconds(reply), limit=status == 429)
    elif status == 413:
        verdict = Refused("too_large", said)
    else:
        verdict = Unsure("unreadable" if status < 500 else "server_error", is_final(status))
    return verdict


def _redirected(config: Bitrix24Config, reply: Reply) -> Verdict:
    if moved_to(config.portal, reply) is not None:
        return Deferred("portal_moved", 0.0, at_most=3)
    origin = origin_of(reply.headers.get("location", ""))
    return Blocked("redirected", f"the portal sends us to {origin.host}" if origin else "the portal sends us elsewhere")


def moved_to(portal: str, reply: Reply) -> str | None:
    """Where a renamed portal lives now; None unless it is another name under the same bitrix24 domain."""
    here, there = origin_of(portal), origin_of(reply.headers.get("location", ""))
    if here is None or there is None or not 300 <= reply.status < 400:
        return None
    neighbour = here.scheme == "https" and _cloud(here.host) is not None and _cloud(here.host) == _cloud(there.host)
    if (neighbour and (there.scheme, there.port) == (here.scheme, here.port)) or _both_here(here.host, there.host):
        return f"{there.scheme}://{there.host}:{there.port}"
    return None


def _cloud(host: str) -> str | None:
    """The domain under which cloud portals have their names: bitrix24.ru of example.bitrix24.ru."""
    _, _, parent = host.partition(".")
    return parent if parent.startswith("bitrix24.") else None


def _both_here(here: str, there: str) -> bool:
    return is_loopback(here) and is_loopback(there)


# --- wiring -----------------------------------------------------------------------------------------------------------


def _account(config: Bitrix24Config, surroundings: Surroundings) -> Account:
    http = Http(reach_to(Reach(REFRESH_SECONDS), config.oauth_url))
    lane, emit = surroundings.lane, surroundings.emit
    desk = Desk(http, surroundings.read_secret, emit, lane, refresh_token_seconds=config.refresh_token_life)
    guard = TokenGuard(application_of(config), store_of(config, surroundings), desk)
    guard.look()
    portal = Portal(
        config.portal, lambda reply: moved_to(config.portal, reply), lane, emit, config.operating_limit or None
    )
    return Bitrix24Account(guard, portal)


def store_of(config: Bitrix24Config, surroundings: Surroundings, *, replace: bool = False) -> TokenStore:
    """Where the account's token pair lies. `replace`: one that cannot be opened may be written over."""
    topic, opened = config.token_topic, surroundings.open_tokens
    if topic is None:
        return FileStore(Path(config.token_file or ""))
    if opened is None:
        raise ValueError("token_topic needs a table of tokens")
    return TopicStore(Place(surroundings.lane, topic, opened, surroundings.read_secret), replace=replace)


def application_of(config: Bitrix24Config) -> Application:
    """Who the account's application is at the token endpoint."""
    return Application(config.oauth_url, config.client_id, config.client_secret)


def _transport(config: Bitrix24Config, reach: Reach) -> Http:
    return Http(reach_to(reach, config.portal))


async def _probe(config: Bitrix24Config, surroundings: Surroundings) -> Call | Blocked | Deferred:
    """The application's own scopes are asked for, with the token that is there: only the lane's owner refreshes."""
    tokens = await store_of(config, surroundings).read()
    if not isinstance(tokens, Tokens):
        return tokens
    body = json.dumps({"auth": tokens.access}).encode()
    return Call(f"{config.portal.rstrip('/')}/rest/scope", body, {"Content-Type": "application/json"})


PROVIDER = Provider(
    name="bitrix24",
    config=Bitrix24Config,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
    answers=ANSWERS,
    probe=_probe,
    example={
        "portal": "https://example.bitrix24.ru",
        "token_file": "tokens/bitrix24.json",
        "client_id": "local.65f0c0ffee",
        "client_secret": {"file": "/run/secrets/bitrix24"},
    },
)
