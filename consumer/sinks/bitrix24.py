"""Bitrix24 `pull.application.push.add`: pushes to the staff of a portal, within a leaky bucket of two calls a second.

Source: https://apidocs.bitrix24.com (rest: push notifications, limits, system errors, OAuth 2.0), and the codes that
older and on-premise portals answer. A code decides, never the status: portals answer errors with 200, gateways with
HTML.
"""

import ipaddress
import json
import unicodedata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Message,
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
from consumer.sinks.bitrix24_account import Bitrix24Account
from consumer.sinks.http import Http, Reach, Reply, is_final, is_loopback, origin_of, reach_to, url_problem
from consumer.sinks.oauth import REFRESH_SECONDS, Application, Desk, TokenGuard
from consumer.sinks.tokens import TokenFile

METHOD = "pull.application.push.add"
TEXT_LIMIT_BYTES = 1000
URL_LIMIT = 2048
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
    token_file: str = Field(min_length=1, description="where the token pair lies; replaced at each refresh")
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    plan: Literal["standard", "enterprise"] = "standard"
    recipients_per_request: int = Field(default=100, ge=1, le=1000)
    avatar_hosts: tuple[str, ...] = Field(default=(), description="hosts whose pictures a push may show")
    timeout: Seconds = Field(default=65.0, description="the longest that one request may take")
    oauth_url: str = OAUTH_URL
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


def limits(config: Bitrix24Config) -> Limits:
    return Limits(Capacity(1, config.recipients_per_request), config.timeout, in_flight=4, quota=QUOTAS[config.plan])


# --- compose ----------------------------------------------------------------------------------------------------------


def compose(config: Bitrix24Config, batch: Batch, access: Access) -> Call | Refused:
    """One call with all recipients. The portal drops ids that are none without a word, so they stay out here."""
    message = batch.parcels[0].message
    text = push_text(message)
    ids = list(dict.fromkeys(user for command in batch.commands if (user := user_id(command)) is not None))
    if text in ("", "0"):
        return Refused("text_empty", "the portal takes neither an empty text nor the text 0")
    if not ids:
        return Refused("recipient", "a recipient here is a portal user's number")
    body: dict[str, Any] = {"USER_ID": ids, "TEXT": text, "auth": access.secret}
    if message.image and is_avatar(message.image, config.avatar_hosts):
        body["AVATAR"] = message.image
    url = f"{(access.home or config.portal).rstrip('/')}/rest/{METHOD}"
    return Call(url, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), _HEADERS)


_HEADERS = {"Content-Type": "application/json"}
_PUNCTUATION = (".", "!", "?", ":", ";", "…")


def user_id(command: Command) -> int | None:
    """The portal user's number; None for anything else."""
    text = command.recipient
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0 else None


def push_text(message: Message) -> str:
    """Title and text in one line of at most 1000 bytes: a push of Bitrix24 has no title."""
    title, text = " ".join(message.title.split()), " ".join(message.text.split())
    if title and text:
        joint = " " if title.endswith(_PUNCTUATION) else ". "
        return clip(title + joint + text, TEXT_LIMIT_BYTES)
    return clip(title or text, TEXT_LIMIT_BYTES)


def clip(text: str, limit_bytes: int) -> str:
    """The longest beginning that fits with an ellipsis, never cut within what is read as one letter."""
    encoded = text.encode("utf-8", "replace")
    text = encoded.decode()
    if len(encoded) <= limit_bytes:
        return text
    kept = encoded[: limit_bytes - len("…".encode())].decode("utf-8", "ignore")
    end = len(kept)
    while end and (_joins_back(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    # One letter with a thousand marks on it is no letter; then a code point must do.
    return (text[:end] or kept).rstrip() + "…"


def _joins_back(letter: str) -> bool:
    """Whether a code point belongs to the one before it: marks, joiners, variation selectors, skin tones."""
    return (
        unicodedata.category(letter) in ("Mn", "Me", "Mc")
        or letter == "\u200d"
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def is_avatar(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether phones may be told to fetch this picture: https, a host on the list, no address in figures."""
    origin = origin_of(url)
    if origin is None or len(url) > URL_LIMIT or origin.scheme != "https" or origin.port != 443:
        return False
    return origin.host in hosts and not _is_address(origin.host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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
}


def judge(config: Bitrix24Config, batch: Batch, reply: Reply) -> Verdicts:
    """The call's verdict, with those apart whose recipient could not be in it."""
    verdict = _verdict(config, reply)
    if all(user_id(command) is not None for command in batch.commands):
        return (verdict,)
    stray = Refused("recipient", "a recipient here is a portal user's number")
    return tuple(verdict if user_id(command) is not None else stray for command in batch.commands)


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
    desk = Desk(http, surroundings.read_secret, surroundings.emit, surroundings.lane)
    application = Application(config.oauth_url, config.client_id, config.client_secret)
    guard = TokenGuard(application, TokenFile(Path(config.token_file)), desk)
    return Bitrix24Account(guard, lambda reply: moved_to(config.portal, reply))


def _transport(config: Bitrix24Config, reach: Reach) -> Http:
    return Http(reach_to(reach, config.portal))


PROVIDER = Provider(
    name="bitrix24",
    config=Bitrix24Config,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
)
