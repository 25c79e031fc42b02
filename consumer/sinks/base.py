"""What a provider is: one module of this package that declares its configuration and two pure functions."""

import asyncio
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from consumer.core.ceiling import PeopleLimit
from consumer.core.document import Strict
from consumer.core.facts import LongTextsSent
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Quota,
    Refused,
    Trouble,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.ports import Emit, Sink, Table
from consumer.core.secrets import ReadSecret, SecretRef
from consumer.core.value import value
from consumer.sinks.http import Lost, NotSent, Reach, Reply
from consumer.sinks.texts import NO_ADVICE, Campaigns, Lengths

DETAIL_LIMIT = 200


class SinkConfig(Strict):
    """The base of every provider's configuration. `type` is the provider's name; the values of the fields that `one`
    names are what makes two lanes use one account."""

    one: ClassVar[tuple[str, ...]] = ()

    type: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do: the default quota is None where the provider has none; `timeout_seconds` is the
    longest that one request can take. `needs_title`: a message without a title is none to this provider. `ceiling`: how
    many people may be told in any so many seconds, where more would do harm; `campaign`: how many may be told one text
    in a day. `lengths` is advice to those who write texts. `executes_once`: this account knows its requests by keys,
    although the provider's others may not."""

    capacity: Capacity
    timeout_seconds: float
    in_flight: int
    quota: Quota | None = None
    needs_title: bool = False
    ceiling: PeopleLimit | None = None
    lengths: Lengths = NO_ADVICE
    campaign: int | None = None
    executes_once: bool = False


@value
class Access:
    """What a request needs beside its batch: the credential (or several, by name), the address where the account
    lives now, and the lane's id."""

    secret: str = field(default="", repr=False)
    home: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    lane: str = ""


@value
class Call:
    """One request, ready to go. URL, headers and body may hold a secret, so that none is printed."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"


class Transport(Protocol):
    """What carries a call: the HTTP room, or the terminal. `allow` lets it reach one more address."""

    def allow(self, url: str) -> None: ...

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> Reply | NotSent | Lost: ...

    async def close(self) -> None: ...


class Account(Protocol):
    """What is remembered between the requests of one account: its credential, and where it lives."""

    @property
    def access(self) -> Access | None:
        """None until `ready` has found a credential."""
        ...

    def capacity(self, usual: Capacity) -> Capacity:
        """What one request may carry just now; never more than usual."""
        ...

    async def ready(self) -> Blocked | Deferred | None: ...

    def learn(self, used: Access, reply: Reply, verdicts: Verdicts) -> Verdicts:
        """Take note of an answer; the verdicts may get worse by what the account knows."""
        ...

    async def close(self) -> None: ...


OpenTable = Callable[[], Table]
"""Opens a table, anew at each call."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sink gets from the application. `open_tokens` opens the topic of token pairs, where there is one."""

    read_secret: ReadSecret
    emit: Emit
    lane: str
    open_tokens: OpenTable | None = None


C = TypeVar("C", bound=SinkConfig)


@dataclass(frozen=True, slots=True)
class Provider(Generic[C]):
    """A provider as its module declares it, in a constant named `PROVIDER`.

    `compose` and `judge` are pure. `compose` refuses what the provider would drop without a word. `judge` gives one
    verdict for the batch, or one for each of its commands. `idempotent`: a request that is repeated unchanged is
    executed once, so that a lost answer is Deferred with the same key and never Unsure. `answers` is the table of the
    provider's answers and their verdicts as the reference shows it; `example` is a configuration that could be one.
    `probe` makes a call that tells nobody anything and shows whether the account works, with what is there, refreshing
    nothing; None where there is no such call.
    """

    name: str
    config: type[C]
    limits: Callable[[C], Limits]
    compose: Callable[[C, Batch, Access], Call | Refused | Verdicts]
    judge: Callable[[C, Batch, Reply], Verdicts]
    account: Callable[[C, Surroundings], Account]
    transport: Callable[[C, Reach], Transport]
    idempotent: bool = False
    answers: tuple[tuple[str, str], ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    probe: Callable[[C, Surroundings], Awaitable[Call | Blocked | Deferred]] | None = None


@cache
def providers() -> Mapping[str, Provider[Any]]:
    """Every provider by its name, found in the modules of this package."""
    package = importlib.import_module(__package__ or "consumer.sinks")
    modules = (
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    )
    found = (getattr(module, "PROVIDER", None) for module in modules)
    return {provider.name: provider for provider in found if isinstance(provider, Provider)}


def limits_of(config: SinkConfig) -> Limits:
    """Capacity, timeout, and the default quota and requests in flight of a configured account."""
    limits: Limits = providers()[config.type].limits(config)
    return limits


def make_sink(
    config: SinkConfig,
    read_secret: ReadSecret,
    emit: Emit,
    lane: str,
    *,
    in_flight: int | None = None,
    open_tokens: OpenTable | None = None,
) -> Sink:
    """The sink of one account. `in_flight` is the lane's own limit where it differs from the provider's default."""
    provider = providers()[config.type]
    limits = provider.limits(config)
    reach = Reach(limits.timeout_seconds, in_flight or limits.in_flight)
    surroundings = Surroundings(read_secret, emit, lane, open_tokens)
    account = provider.account(config, surroundings)
    return ProviderSink(provider, config, account, provider.transport(config, reach), surroundings)


class ProviderSink(Generic[C]):
    """One account of one provider: compose, carry, judge, and never a secret in what comes back."""

    def __init__(
        self, provider: Provider[C], config: C, account: Account, transport: Transport, surroundings: Surroundings
    ) -> None:
        self._provider = provider
        self._config = config
        self._account = account
        self._transport = transport
        self._limits = provider.limits(config)
        self._surroundings = surroundings
        self._campaigns = Campaigns(self._limits.campaign, lambda: asyncio.get_running_loop().time())

    def __repr__(self) -> str:
        return f"ProviderSink({self._provider.name})"

    @property
    def provider(self) -> str:
        return self._provider.name

    @property
    def capacity(self) -> Capacity:
        return self._account.capacity(self._limits.capacity)

    @property
    def timeout_seconds(self) -> float:
        return self._limits.timeout_seconds

    @property
    def idempotent(self) -> bool:
        return self._provider.idempotent or self._limits.executes_once

    async def ready(self) -> Blocked | Deferred | None:
        return await self._account.ready()

    async def send(self, batch: Batch) -> Verdicts:
        access = self._account.access
        if access is None:
            return (Deferred("not_ready", left=False),)
        if self._campaigns.full(batch):
            return (Refused("campaign_ceiling", letter=False),)
        call = self._provider.compose(self._config, batch, access)
        if not isinstance(call, Call):
            return (call,) if isinstance(call, Refused) else call
        if access.home:
            self._transport.allow(access.home)
        if self._limits.lengths is not NO_ADVICE:
            self._tell_lengths(batch)
        answer = await self._transport.post(call.url, call.body, call.headers, call.method)
        verdicts = self._judged(batch, access, answer)
        self._campaigns.note(batch, verdicts)
        if len(verdicts) == 1:
            return (_discreet(verdicts[0], access, batch),)
        discreet = {verdict: _discreet(verdict, access, batch) for verdict in dict.fromkeys(verdicts)}
        return tuple(discreet[verdict] for verdict in verdicts)

    def _judged(self, batch: Batch, access: Access, answer: Reply | NotSent | Lost) -> Verdicts:
        if not isinstance(answer, Reply):
            return (transport_verdict(answer, idempotent=self.idempotent),)
        return self._account.learn(access, answer, self._provider.judge(self._config, batch, answer))

    def _tell_lengths(self, batch: Batch) -> None:
        long = Counter(part for parcel in batch.parcels for part in self._limits.lengths.exceeded(parcel.message))
        for part, count in long.items():
            self._surroundings.emit(LongTextsSent(self._surroundings.lane, self.provider, part, count))

    async def close(self) -> None:
        await self._account.close()
        await self._transport.close()


def transport_verdict(trouble: NotSent | Lost, *, idempotent: bool = False) -> Verdict:
    """What a request without an answer means, for every provider alike."""
    if isinstance(trouble, Lost):
        if idempotent:
            return Deferred(trouble.reason, same_key=True)
        return Unsure(trouble.reason, answered=trouble.answered)
    if trouble.reason == "egress_denied":
        return Blocked("egress_denied", "the address is not one that the configuration names")
    return Deferred(trouble.reason, left=False)


_DIGITS = re.compile(r"\d{5,}")
# Long words with a figure in them are keys and tokens, of ours or of an earlier time, and no words for people.
_KEYS = re.compile(r"(?=[\w.~+/-]*\d)[\w.~+/-]{20,}")


def _discreet(verdict: Verdict, access: Access, batch: Batch) -> Verdict:
    """The verdict without secrets and without recipients: a provider may echo both in its words."""
    if not isinstance(verdict, (Refused, Blocked)) or not verdict.detail:
        return verdict
    detail = verdict.detail
    for secret in filter(None, (access.secret, *access.secrets.values())):
        detail = detail.replace(secret, "…")
    for command in batch.commands:
        if len(command.recipient) >= 3 and command.recipient in detail:
            detail = detail.replace(command.recipient, "…")
    return replace(verdict, detail=_DIGITS.sub("…", _KEYS.sub("…", detail))[:DETAIL_LIMIT])


class KeyAccount:
    """An account with one key, or with none; the key is read again before each request, so that a rotated one heals."""

    def __init__(self, key: SecretRef | None, read_secret: ReadSecret) -> None:
        self._key = key
        self._read_secret = read_secret
        self._access: Access | None = Access() if key is None else None

    @property
    def access(self) -> Access | None:
        return self._access

    def capacity(self, usual: Capacity) -> Capacity:
        return usual

    async def ready(self) -> Blocked | Deferred | None:
        if self._key is None:
            return None
        secret = usable_secret(self._key, self._read_secret)
        if isinstance(secret, Blocked):
            self._access = None
            return secret
        self._access = Access(secret)
        return None

    def learn(self, used: Access, reply: Reply, verdicts: Verdicts) -> Verdicts:
        return verdicts

    async def close(self) -> None:
        self._access = None


def usable_secret(ref: SecretRef, read_secret: ReadSecret) -> str | Blocked:
    """The secret without white space around it; Blocked where there is none or where it cannot stand in a header."""
    found = read_secret(ref)
    if isinstance(found, Trouble):
        return Blocked("secret_missing", f"{ref.where} gives no secret")
    secret = found.strip()
    if not secret or not (secret.isascii() and secret.isprintable()) or " " in secret:
        return Blocked("secret_unusable", f"{ref.where} is empty or has letters in it that no header can carry")
    return secret
