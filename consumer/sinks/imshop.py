"""IMSHOP personal push: one text to at most 1000 shop customers, ten requests a minute.

Source: https://docs.imshop.io/dopolnitelnye-integracii/profil/otpravka-uvedomlenii-polzovatelyam
"""

import json
import re
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Quota,
    Refused,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.secrets import SecretRef
from consumer.core.text import written_recipient
from consumer.core.units import Seconds
from consumer.sinks.answer import read_object, retry_after_seconds, words
from consumer.sinks.base import Access, Account, Call, KeyAccount, Limits, Provider, SinkConfig, Surroundings
from consumer.sinks.http import Http, Reach, Reply, is_final, reach_to, url_problem
from consumer.sinks.texts import Lengths

# The window, its scope, and what counts are undocumented; a sliding minute over everything is the strictest reading.
QUOTA = Quota(requests=10, per_seconds=60.0)
RECIPIENTS_LIMIT = 1000
LIMIT_SECONDS = 60.0
DECLINES_PER_COMMAND = 3
ID_LIMIT = 256
# Undocumented: what phones show of a title and of a text, with some room.
LENGTHS = Lengths(title=50, text=150)

STRAY = Refused("recipient", "neither a customer's id nor a phone")


class ImshopConfig(SinkConfig):
    """An IMSHOP account: the address and the key that its manager gave you."""

    type: Literal["imshop"]
    url: str = Field(description="the address that IMSHOP's manager gave you")
    auth: Literal["bearer", "body", "none"] = Field(
        default="bearer", description="the key goes in the Authorization header, in the body as `key`, or nowhere"
    )
    key: SecretRef | None = Field(default=None, description="where the key lies; needed unless auth is none")
    recipients_per_request: int = Field(default=RECIPIENTS_LIMIT, ge=1, le=RECIPIENTS_LIMIT)
    campaign_ceiling: int | None = Field(
        default=None,
        ge=1,
        description="how many may be told one text in a day, counted by each process since it began; campaigns "
        "belong on a lane of OneSignal",
    )
    timeout: Seconds = Field(default=30.0, description="the longest that one request may take")
    allow_http: bool = Field(default=False, description="let the key travel in the clear; for tests alone")

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        if seconds <= 0:
            raise ValueError("a request needs some time")
        return seconds

    @model_validator(mode="after")
    def _complete(self) -> "ImshopConfig":
        problem = url_problem(self.url, allow_http=self.allow_http)
        if problem:
            raise ValueError(f"url {problem}")
        if (self.auth == "none") != (self.key is None):
            raise ValueError(f"auth is {self.auth}: " + ("take the key out" if self.key else "say where the key lies"))
        return self


def limits(config: ImshopConfig) -> Limits:
    capacity = Capacity(1, config.recipients_per_request)
    return Limits(
        capacity,
        config.timeout,
        in_flight=2,
        quota=QUOTA,
        needs_title=True,
        lengths=LENGTHS,
        campaign=config.campaign_ceiling,
    )


def user_id(command: Command) -> str | None:
    """The shop's customer, phone or install id as IMSHOP takes it; None for what cannot be one. What begins with a plus
    is a phone; a number without one is somebody's id and stays as it is."""
    text = written_recipient(command.recipient)
    usable = 0 < len(text) <= ID_LIMIT and text.isprintable() and " " not in text and not text.startswith("+")
    return text if usable else None


def compose(config: ImshopConfig, batch: Batch, access: Access) -> Call | Refused | Verdicts:
    """One text; whoever stands in the batch twice is told once. What IMSHOP would refuse whole stays here."""
    message = batch.parcels[0].message
    if not message.title.strip() or not message.text.strip():
        return tuple(Refused("text_empty", "IMSHOP wants a title and a text") for _ in batch.commands)
    ids = list(dict.fromkeys(user for command in batch.commands if (user := user_id(command)) is not None))
    if not ids:
        return tuple(STRAY for _ in batch.commands)
    body: dict[str, Any] = {
        "userIds": ids,
        "message": {"title": message.title, "summary": message.text},
    }
    if message.link:
        body["message"]["deeplink"] = message.link
    headers = {"Content-Type": "application/json"}
    if config.auth == "bearer":
        headers["Authorization"] = f"Bearer {access.secret}"
    elif config.auth == "body":
        body["key"] = access.secret
    return Call(config.url, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), headers)


ANSWERS = (
    ('200 `{"success": true}` and no `error`', "Delivered"),
    ('200 `{"success": true}` beside an `error`', "Unsure"),
    ("any status, not a success: Integration is unavailable", "Blocked"),
    ("429; 200, 403, 503 with words such as rate, limit, too many, лимит", "Deferred (a limit), `Retry-After` or 60 s"),
    ("another 4xx with words such as rate limit, too many requests", "Deferred (a limit), `Retry-After` or 60 s"),
    ('200 `{"success": false}` with other words or none', "Deferred three times, then Refused"),
    ("200 without `success`, or no JSON", "Unsure"),
    ("another 2xx, a 1xx", "Unsure"),
    ("3xx", "Blocked"),
    ("401, 403, 404, 405", "Blocked"),
    ("408", "Unsure"),
    ("425", "Deferred"),
    ("400, 413, other 4xx", "Refused (halve)"),
    ("5xx, reset, timeout or cut after sending", "Unsure"),
    ("cannot connect", "Deferred"),
)


def judge(config: ImshopConfig, batch: Batch, reply: Reply) -> Verdicts:
    """One verdict for all, with those apart whose recipient could not be in the request."""
    verdict = _verdict(reply)
    fits = [user_id(command) is not None for command in batch.commands]
    if all(fits):
        return (verdict,)
    if isinstance(verdict, Refused) and sum(fits) > 1:
        verdict = replace(verdict, shared=True)
    return tuple(verdict if fit else STRAY for fit in fits)


_UNAVAILABLE = "integration is unavailable"
_LIMIT = re.compile(r"\brate\b|\blimit|too many|лимит|слишком (?:много|часто)", re.IGNORECASE)
# In a complaint about the request itself, a limit is rather one of length.
_LIMIT_OF_REQUESTS = re.compile(r"\brate[ -]?limit|too many requests|лимит\w* запрос", re.IGNORECASE)


def _verdict(reply: Reply) -> Verdict:
    answer = read_object(reply.body) or {}
    said = words(answer.get("error"), answer.get("message"))
    if reply.status < 200:
        return Unsure("no_answer")
    if answer.get("success") is not True:
        if _UNAVAILABLE in said.lower():
            return Blocked("integration_unavailable", said)
        if _is_limit(reply.status, said):
            after_seconds = retry_after_seconds(reply)
            return Deferred("limit", LIMIT_SECONDS if after_seconds is None else after_seconds, limit=True)
    if reply.status == 200:
        return _accepted(answer, said)
    return _by_status(reply, said)


def _is_limit(status: int, said: str) -> bool:
    if status == 429:
        return True
    if status in (200, 403, 503):
        return _LIMIT.search(said) is not None
    return 400 <= status < 500 and _LIMIT_OF_REQUESTS.search(said) is not None


def _accepted(answer: dict[str, Any], said: str) -> Verdict:
    """A 200 counts as accepted only by the very word `true`, and with no error beside it."""
    success = answer.get("success")
    if success is True:
        return Unsure("contradictory", answered=True) if answer.get("error") else Delivered()
    if success is False:
        return Deferred("declined", at_most=DECLINES_PER_COMMAND)
    return Unsure("unreadable", answered=True)


_BLOCKED = {401: "key_refused", 403: "key_refused", 404: "wrong_address", 405: "wrong_address"}


def _by_status(reply: Reply, said: str) -> Verdict:
    status = reply.status
    verdict: Verdict
    if status in _BLOCKED:
        verdict = Blocked(_BLOCKED[status], said or f"HTTP {status}")
    elif 300 <= status < 400:
        verdict = Blocked("redirected", f"HTTP {status}")
    elif status == 425:
        verdict = Deferred("too_early", retry_after_seconds(reply))
    elif status == 413:
        verdict = Refused("too_large", said)
    elif 400 <= status < 500 and status != 408:
        verdict = Refused("bad_request", said or f"HTTP {status}")
    else:
        verdict = Unsure("server_error" if status >= 500 else "unexpected_status", answered=is_final(reply.status))
    return verdict


def _account(config: ImshopConfig, surroundings: Surroundings) -> Account:
    return KeyAccount(config.key, surroundings.read_secret)


def _transport(config: ImshopConfig, reach: Reach) -> Http:
    return Http(reach_to(reach, config.url))


PROVIDER = Provider(
    name="imshop",
    config=ImshopConfig,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
    answers=ANSWERS,
    example={"url": "https://push.example.com/v1/push", "key": {"file": "/run/secrets/imshop"}},
)
