"""A gateway of the shop's own: any HTTP service, described in the configuration and not in code.

What goes out is a structure whose texts are templates; what an answer means is a table of JMESPath expressions over
`{"status": …, "headers": {…}, "body": …}`. An answer that no row of the table fits is Unsure: nobody can say.
"""

import json
import re
from functools import cached_property
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field, field_validator, model_validator
from pydantic_core import to_json

from consumer.core.document import Strict
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Refused,
    Verdict,
    Verdicts,
)
from consumer.core.secrets import ReadSecret, SecretRef
from consumer.core.units import Seconds
from consumer.sinks.base import Access, Account, Call, Limits, Provider, SinkConfig, Surroundings, usable_secret
from consumer.sinks.http import Http, Reach, Reply, reach_to, url_problem
from consumer.sinks.keys import request_key
from consumer.sinks.structure import Build, UnsayableBodyError, compile_structure, names_in
from consumer.sinks.webhook_answers import AnswerConfig, Meanings, expression

RECIPIENTS_LIMIT = 10_000
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "user-agent"})


class HeaderSecretConfig(Strict):
    """A header's value that is a secret with a word before it."""

    secret: SecretRef
    prefix: str = Field(default="", description="stands before the secret, as in `Bearer `")


class WebhookConfig(SinkConfig):
    """A shop's own gateway. One lane for each gateway: two would not know of one another's quota."""

    one: ClassVar[tuple[str, ...]] = ("url",)

    type: Literal["webhook"]
    url: str
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str | SecretRef | HeaderSecretConfig] = Field(
        default={}, description="each a text, a secret, or a secret with a prefix"
    )
    encoding: Literal["json", "form"] = "json"
    body: dict[str, Any] | list[Any] = Field(
        description="the structure that goes out; its texts are templates over title, text, link, image, recipients, "
        "recipient, key and lane"
    )
    executes_once: bool = Field(
        default=False,
        description="the gateway drops a request whose `key` it has seen, so that a lost answer is asked for again",
    )
    recipients_per_request: int = Field(default=1, ge=1, le=RECIPIENTS_LIMIT)
    answers: list[AnswerConfig] = Field(min_length=1, description="from the top; what none fits is unsure")
    unknown_recipients: str = Field(
        default="", description="a JMESPath expression for those of a delivered request who could not be told"
    )
    timeout: Seconds = Field(default=30.0, description="the longest that one request may take")
    allow_http: bool = Field(default=False, description="let secrets travel in the clear; for tests alone")

    @cached_property
    def build(self) -> Build:
        """The body's templates, compiled."""
        return compile_structure(json.loads(json.dumps(self.body)))

    @cached_property
    def meanings(self) -> Meanings:
        """What answers mean by the table."""
        return Meanings(self.answers, self.unknown_recipients)

    @cached_property
    def has_key(self) -> bool:
        """Whether the body has the key by which a gateway knows a request."""
        return any(name == "key" for name, _ in names_in(self.body))

    @field_validator("headers")
    @classmethod
    def _plain_headers(cls, headers: dict[str, Any]) -> dict[str, Any]:
        for name, value in headers.items():
            _check_header(name, value.prefix if isinstance(value, HeaderSecretConfig) else value)
        return headers

    @field_validator("unknown_recipients")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        if value:
            expression(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "WebhookConfig":
        problem = url_problem(self.url, allow_http=self.allow_http)
        if problem:
            raise ValueError(f"url {problem}")
        if self.timeout <= 0:
            raise ValueError("a request needs some time")
        if all(answer.verdict != "delivered" for answer in self.answers):
            raise ValueError("no answer means delivered, so that nobody could ever be told")
        self._check_body()
        return self

    def _check_body(self) -> None:
        _ = self.build  # Raises where a template is wrong.
        used = set(names_in(self.body))
        names = {name for name, _ in used}
        if "text" not in names:
            raise ValueError("body does not have the text; say {{ text }}")
        if names.isdisjoint({"recipient", "recipients"}):
            raise ValueError("body names no recipient; say {{ recipients }}, or {{ recipient }} for one at a time")
        if ("recipient", False) in used and self.recipients_per_request > 1:
            raise ValueError("body has {{ recipient }}, so recipients_per_request is 1, or put it in each_recipient")
        if self.executes_once and "key" not in names:
            raise ValueError("executes_once needs the {{ key }} in the body, by which the gateway knows a request")
        if self.encoding == "form" and not _is_flat(self.body):
            raise ValueError("a form is a flat mapping of texts")


def _check_header(name: str, text: object) -> None:
    if not re.fullmatch(_HEADER_NAME, name) or name.lower() in _OURS:
        raise ValueError("headers: a name is not one of a header, or it is a header that we set ourselves")
    if isinstance(text, str) and not all(" " <= letter <= "~" for letter in text):
        raise ValueError("headers: a value has letters that no header can carry")


def _is_flat(body: object) -> bool:
    return isinstance(body, dict) and not any(isinstance(value, dict | list) for value in body.values())


def limits(config: WebhookConfig) -> Limits:
    return Limits(
        Capacity(1, config.recipients_per_request), config.timeout, in_flight=4, executes_once=config.executes_once
    )


# --- compose ----------------------------------------------------------------------------------------------------------

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def compose(config: WebhookConfig, batch: Batch, access: Access) -> Call | Refused:
    """The structure with this batch in it; whoever stands in the batch twice is told once."""
    message = batch.parcels[0].message
    recipients = list(dict.fromkeys([command.recipient for command in batch.commands]))
    names = {
        "title": message.title,
        "text": message.text,
        "link": message.link,
        "image": message.image,
        "recipients": recipients,
        "recipient": recipients[0],
        "key": request_key(config.url, batch) if config.has_key else "",
        "lane": access.lane,
    }
    try:
        made = config.build(names)
    except UnsayableBodyError:
        return Refused("body", "the body's structure does not fit this message; use an if where a part may be absent")
    headers = {name: _header(name, value, access) for name, value in config.headers.items()}
    headers["Content-Type"] = _TYPES[config.encoding]
    return Call(config.url, _encoded(config, made), headers, config.method)


def _header(name: str, value: str | SecretRef | HeaderSecretConfig, access: Access) -> str:
    if isinstance(value, str):
        return value
    return (value.prefix if isinstance(value, HeaderSecretConfig) else "") + access.secrets[name]


def _encoded(config: WebhookConfig, made: Any) -> bytes:
    if config.encoding == "json":
        return _json(made)
    fields = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in made.items()}
    return urlencode(fields, errors="replace").encode()


def _json(made: Any) -> bytes:
    try:
        return to_json(made)
    except ValueError:  # half a letter, which no UTF-8 can carry
        return json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")


# --- judge ------------------------------------------------------------------------------------------------------------

ANSWERS = (
    ("the first row of `answers` that fits", "its verdict"),
    ("a row that says delivered, with a status that is not 2xx", "Unsure (`unmatched`)"),
    ("delivered, and named by `unknown_recipients`", "Refused (`unsubscribed`, no letter)"),
    ("no row fits; a 1xx", "Unsure (`unmatched`)"),
    ("reset, timeout or cut after sending", "Unsure; with `executes_once`, Deferred with the same key"),
    ("cannot connect", "Deferred"),
)


def judge(config: WebhookConfig, batch: Batch, reply: Reply) -> Verdicts:
    """The table's verdict; one for each command where the gateway names some whom it does not know."""
    verdict, unknown = config.meanings.of(reply)
    if unknown.isdisjoint([command.recipient for command in batch.commands]):
        return (verdict,)
    return tuple(_told(command, unknown) for command in batch.commands)


def _told(command: Command, unknown: frozenset[str]) -> Verdict:
    if command.recipient in unknown:
        return Refused("unsubscribed", "the gateway does not know this recipient", letter=False)
    return Delivered()


# --- the secrets of the headers ---------------------------------------------------------------------------------------


class WebhookAccount:
    """Reads every secret of the headers again before each request, so that a rotated one heals."""

    def __init__(self, config: WebhookConfig, read_secret: ReadSecret, lane: str) -> None:
        self._config = config
        self._read_secret = read_secret
        self._lane = lane
        self._access: Access | None = None

    @property
    def access(self) -> Access | None:
        return self._access

    def capacity(self, usual: Capacity) -> Capacity:
        return usual

    async def ready(self) -> Blocked | Deferred | None:
        self._access = None
        found: dict[str, str] = {}
        for name, value in self._config.headers.items():
            if isinstance(value, str):
                continue
            ref = value if isinstance(value, SecretRef) else value.secret
            secret = usable_secret(ref, self._read_secret)
            if isinstance(secret, Blocked):
                return secret
            found[name] = secret
        self._access = Access(secrets=found, lane=self._lane)
        return None

    def learn(self, used: Access, reply: Reply, verdicts: Verdicts) -> Verdicts:
        return verdicts

    async def close(self) -> None:
        self._access = None


def _account(config: WebhookConfig, surroundings: Surroundings) -> Account:
    return WebhookAccount(config, surroundings.read_secret, surroundings.lane)


def _transport(config: WebhookConfig, reach: Reach) -> Http:
    return Http(reach_to(reach, config.url))


PROVIDER = Provider(
    name="webhook",
    config=WebhookConfig,
    limits=limits,
    compose=compose,
    judge=judge,
    account=_account,
    transport=_transport,
    answers=ANSWERS,
    example={
        "url": "https://push.shop.example/v1/push",
        "headers": {"Authorization": {"prefix": "Bearer ", "secret": {"file": "/run/secrets/gateway"}}},
        "body": {"to": "{{ recipients }}", "title": "{{ title }}", "text": "{{ text }}", "link": "{{ link }}"},
        "recipients_per_request": 500,
        "answers": [
            {"when": "status == `200` && body.ok == `true`", "verdict": "delivered"},
            {"when": "status == `429`", "verdict": "deferred", "limit": True, "after": "10s"},
            {"when": "status == `401` || status == `403`", "verdict": "blocked", "reason": "key_refused"},
            {"when": "status == `422`", "verdict": "refused", "detail": "body.error"},
        ],
        "unknown_recipients": "body.unknown",
    },
)
