"""OneSignal create notification: one text to at most 20,000 people, or to a segment, each request executed once.

Source: https://documentation.onesignal.com/reference/create-notification (targets, idempotent requests, errors) and the
models of OneSignal's own SDKs: a notification was made when the answer has an id that is not empty.
"""

import json
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field, field_validator, model_validator

from consumer.core.ceiling import PeopleLimit
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
    Verdict,
    Verdicts,
)
from consumer.core.secrets import SecretRef
from consumer.core.units import Seconds
from consumer.sinks.answer import read_object, retry_after_seconds, words
from consumer.sinks.base import (
    Access,
    Account,
    Call,
    KeyAccount,
    Limits,
    Provider,
    SinkConfig,
    Surroundings,
    usable_secret,
)
from consumer.sinks.http import Http, Reach, Reply, origin_of, reach_to, url_problem
from consumer.sinks.keys import request_key

# The free plan's; paid ones allow more.
QUOTA = Quota(requests=150, per_seconds=1.0)
RECIPIENTS_LIMIT = 20_000
# One at a time: a push to a segment is a campaign, and each has a result of its own.
SEGMENTS_LIMIT = 1
# Ten times the subscribers within 15 minutes would get the app switched off.
DISABLE_FACTOR = 9
DISABLE_SECONDS = 900.0
LIMIT_SECONDS = 60.0
URL_LIMIT = 2048


class OnesignalConfig(SinkConfig):
    """A OneSignal app. OneSignal switches an app off that tells more than ten times its subscribers within 15 minutes:
    the lane stays under nine times, or under its own `ceiling`."""

    one: ClassVar[tuple[str, ...]] = ("app_id",)

    type: Literal["onesignal"]
    app_id: str = Field(min_length=1, description="the app's id, a UUID")
    key: SecretRef = Field(description="where the app's API key lies")
    subscribers: int = Field(ge=1, description="how many subscriptions the app has, at least")
    recipients: Literal["aliases", "segments"] = Field(
        default="aliases", description="what a route's `to` gives: people's ids in the shop, or names of segments"
    )
    alias: str = Field(default="external_id", min_length=1, description="the alias that has the shop's ids")
    recipients_per_request: int = Field(default=RECIPIENTS_LIMIT, ge=1, le=RECIPIENTS_LIMIT)
    push_lives: Seconds | None = Field(
        default=None, description="how long a push waits for a phone that is off; never longer than the route's ttl"
    )
    url: str = "https://api.onesignal.com/notifications"
    timeout: Seconds = Field(default=30.0, description="the longest that one request may take")
    allow_http: bool = Field(default=False, description="let the key travel in the clear; for tests alone")

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        if seconds <= 0:
            raise ValueError("a request needs some time")
        return seconds

    @model_validator(mode="after")
    def _reachable(self) -> "OnesignalConfig":
        problem = url_problem(self.url, allow_http=self.allow_http)
        if problem:
            raise ValueError(f"url {problem}")
        return self


def limits(config: OnesignalConfig) -> Limits:
    most = config.recipients_per_request if config.recipients == "aliases" else SEGMENTS_LIMIT
    ceiling = PeopleLimit(DISABLE_FACTOR * config.subscribers, DISABLE_SECONDS)
    if config.recipients == "segments":
        # How many a segment has is not known here: so many times the whole app, if each segment were that.
        ceiling = PeopleLimit(DISABLE_FACTOR, DISABLE_SECONDS)
    return Limits(Capacity(1, most), config.timeout, in_flight=4, quota=QUOTA, ceiling=ceiling)


# --- compose ----------------------------------------------------------------------------------------------------------


def compose(config: OnesignalConfig, batch: Batch, access: Access) -> Call | Refused:
    """One text; whoever stands in the batch twice is told once. The same batch always gives the same key."""
    message = batch.parcels[0].message
    if not message.text.strip():
        return Refused("text_empty", "OneSignal takes no push without a text")
    body: dict[str, Any] = {
        "app_id": config.app_id,
        "idempotency_key": request_key(config.app_id, batch),
        "target_channel": "push",
        # Whatever the language, `en` is what OneSignal shows to everybody for whom it has nothing else.
        "contents": {"en": message.text},
        "ttl": _ttl_seconds(config, batch),
        **_audience(config, batch),
        **_extras(message),
    }
    if (collapse := _collapse_id(batch)) is not None:
        body["collapse_id"] = collapse
    headers = {"Content-Type": "application/json", "Authorization": f"Key {access.secret}"}
    return Call(config.url, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), headers)


def _audience(config: OnesignalConfig, batch: Batch) -> dict[str, Any]:
    recipients = list(dict.fromkeys(command.recipient for command in batch.commands))
    if config.recipients == "segments":
        return {"included_segments": recipients}
    return {"include_aliases": {config.alias: recipients}}


def _extras(message: Message) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if message.title:
        extras["headings"] = {"en": message.title}
    if message.link:
        extras["url" if message.link.lower().startswith("https:") else "app_url"] = message.link
    if message.image and is_picture(message.image):
        extras |= {"big_picture": message.image, "ios_attachments": {"picture": message.image}}
    return extras


def is_picture(url: str) -> bool:
    """Whether phones may be told to fetch this picture: https, at the usual port."""
    origin = origin_of(url)
    return origin is not None and origin.scheme == "https" and origin.port == 443 and len(url) <= URL_LIMIT


def _ttl_seconds(config: OnesignalConfig, batch: Batch) -> int:
    """The shortest life among the commands, from event to deadline."""
    lives = min(command.deadline - command.arrived for command in batch.commands)
    return max(1, int(min(lives, config.push_lives or lives)))


def _collapse_id(batch: Batch) -> str | None:
    """A newer push takes the place of an older one of its thread, which only a push to one person can have."""
    commands = batch.commands
    if len(commands) != 1 or commands[0].thread is None:
        return None
    return f"{commands[0].thread:016x}"


# --- judge ------------------------------------------------------------------------------------------------------------

ANSWERS = (
    ("200 with an id", "Delivered; those named in `errors.invalid_aliases` are Refused (`unsubscribed`, no letter)"),
    ('200 with `"id": ""`', "Refused (`unsubscribed`, no letter) for all"),
    ("200 without an id, another 2xx, a 1xx", "Deferred with the same key"),
    ("other 3xx", "Blocked"),
    ("400, 413, other 4xx", "Refused (halve)"),
    ("401, 403, 404, 422", "Blocked"),
    ("408", "Deferred with the same key"),
    ("425", "Deferred"),
    ("429", "Deferred (a limit), `Retry-After` or 60 s"),
    ("5xx, reset, timeout or cut after sending", "Deferred with the same key"),
    ("cannot connect", "Deferred"),
)

UNSUBSCRIBED = Refused("unsubscribed", "nobody is subscribed under this id", letter=False)
_BLOCKED = {401: "key_refused", 403: "key_refused", 404: "wrong_address", 422: "app_unusable"}


def judge(config: OnesignalConfig, batch: Batch, reply: Reply) -> Verdicts:
    """One verdict for all; one for each where some have no subscription."""
    answer = read_object(reply.body)
    if reply.status != 200:
        return (_by_status(reply, answer or {}),)
    made = (answer or {}).get("id")
    if answer is None or not isinstance(made, str):
        return (Deferred("unreadable", same_key=True),)
    if not made:
        return (UNSUBSCRIBED,)
    strangers = _invalid(config, answer.get("errors"))
    if strangers.isdisjoint(command.recipient for command in batch.commands):
        return (Delivered(),)
    return tuple(_told(command, strangers) for command in batch.commands)


def _told(command: Command, strangers: frozenset[str]) -> Verdict:
    return UNSUBSCRIBED if command.recipient in strangers else Delivered()


def _invalid(config: OnesignalConfig, errors: object) -> frozenset[str]:
    """The ids that OneSignal knows no subscription of; `errors` may also be a list of words for people."""
    aliases = errors.get("invalid_aliases") if isinstance(errors, dict) else None
    named = aliases.get(config.alias) if isinstance(aliases, dict) else None
    return frozenset(each for each in named if isinstance(each, str)) if isinstance(named, list) else frozenset()


def _by_status(reply: Reply, answer: dict[str, Any]) -> Verdict:
    status, said = reply.status, _said(answer)
    verdict: Verdict
    if status in _BLOCKED:
        verdict = Blocked(_BLOCKED[status], said or f"HTTP {status}")
    elif 300 <= status < 400:
        verdict = Blocked("redirected", f"HTTP {status}")
    elif status == 425:
        verdict = Deferred("too_early", retry_after_seconds(reply))
    elif status == 429:
        after_seconds = retry_after_seconds(reply)
        verdict = Deferred("limit", LIMIT_SECONDS if after_seconds is None else after_seconds, limit=True)
    elif status == 413:
        verdict = Refused("too_large", said)
    elif 400 <= status < 500 and status != 408:
        verdict = Refused("bad_request", said or f"HTTP {status}")
    else:
        reason = "server_error" if status >= 500 else "no_answer"
        verdict = Deferred(reason, retry_after_seconds(reply), same_key=True)
    return verdict


def _said(answer: dict[str, Any]) -> str:
    """OneSignal's own words: a list of texts, or of objects with a title."""
    errors = answer.get("errors")
    listed = errors if isinstance(errors, list) else [errors]
    return words(*(each.get("title") if isinstance(each, dict) else each for each in listed))


# --- wiring -----------------------------------------------------------------------------------------------------------


def _account(config: OnesignalConfig, surroundings: Surroundings) -> Account:
    return KeyAccount(config.key, surroundings.read_secret)


def _transport(config: OnesignalConfig, reach: Reach) -> Http:
    return Http(reach_to(reach, config.url))


async def _probe(config: OnesignalConfig, surroundings: Surroundings) -> Call | Blocked:
    """The app's last notification is asked for, which needs the same key."""
    secret = usable_secret(config.key, surroundings.read_secret)
    if isinstance(secret, Blocked):
        return secret
    query = urlencode({"app_id": config.app_id, "limit": 1})
    return Call(f"{config.url}?{query}", b"", {"Authorization": f"Key {secret}"}, "GET")


PROVIDER = Provider(
    name="onesignal",
    config=OnesignalConfig,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
    idempotent=True,
    answers=ANSWERS,
    probe=_probe,
    example={
        "app_id": "5eb5a37e-b458-11e3-ac11-000c2940e62c",
        "key": {"file": "/run/secrets/onesignal"},
        "subscribers": 40_000,
    },
)
