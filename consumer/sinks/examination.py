"""Looks at an account without telling anybody anything: is it reached, is its certificate good, does its key work?"""

import asyncio
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from consumer.core.model import Batch, Blocked, Command, Deferred, Message, Parcel, Refused, Terms
from consumer.sinks.answer import date_of
from consumer.sinks.base import Provider, SinkConfig, Surroundings, providers
from consumer.sinks.http import CONNECT_SECONDS, Http, Origin, Reach, Reply, origin_of, reach_to

PROBE_SECONDS = 15.0
# A Date has whole seconds, and an answer takes some.
SKEW_SECONDS = 30.0

# Judges look at whom a batch is for; a probe is for nobody.
_NOBODY = Command(bytes(12), bytes(4), Terms("probe"), "1", (Message("", "probe"),), None, 0, 0.0, 1.0)
_PROBE = Batch("0.0", 0, (Parcel(_NOBODY.wordings[0], 0, (_NOBODY,)),))

State = Literal["fine", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and how it stands."""

    what: str
    state: State
    detail: str = ""


def addresses(config: SinkConfig) -> Iterator[tuple[str, Origin]]:
    """Every address that the configuration names, with its key."""
    for name, value in config:
        origin = origin_of(value) if isinstance(value, str) else None
        if origin is not None:
            yield name, origin


async def examine(config: SinkConfig, surroundings: Surroundings) -> list[Finding]:
    """The account's addresses, and its credential where a harmless call can show it."""
    found = [await _reach(name, origin) for name, origin in addresses(config)]
    if all(finding.state == "fine" for finding in found):
        found += await _probe(config, surroundings)
    return found


async def _reach(name: str, origin: Origin) -> Finding:
    """A connection and, where it is https, a certificate that holds; no request."""
    where = f"{name} {origin.host}:{origin.port}"
    context = await asyncio.to_thread(ssl.create_default_context) if origin.scheme == "https" else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context)
    except ssl.SSLError as error:
        return Finding(where, "failed", f"TLS: {getattr(error, 'verify_message', '') or error.reason}")
    except TimeoutError:
        return Finding(where, "failed", f"no connection within {CONNECT_SECONDS:g} s")
    except OSError as error:
        return Finding(where, "failed", error.strerror or type(error).__name__)
    writer.close()
    return Finding(where, "fine", "reached" if context is None else "reached, and its certificate holds")


async def _probe(config: SinkConfig, surroundings: Surroundings) -> list[Finding]:
    provider = providers()[config.type]
    if provider.probe is None:
        return [Finding("account", "fine", f"{provider.name} has no call that tells nobody; its key was not tried")]
    call = await provider.probe(config, surroundings)
    if not isinstance(call, (Blocked, Deferred)):
        http = Http(reach_to(Reach(PROBE_SECONDS), call.url))
        try:
            answer = await http.post(call.url, call.body, call.headers, call.method)
        finally:
            await http.close()
        if not isinstance(answer, Reply):
            return [Finding("account", "failed", f"no answer: {answer.reason}")]
        return [_meaning(provider, config, answer), *clock_of(answer, time.time())]
    return [Finding("account", "failed", f"{call.reason} {getattr(call, 'detail', '')}".strip())]


def clock_of(answer: Reply, now: float) -> list[Finding]:
    """How this host's clock stands against the provider's `Date`; nothing where the answer has none."""
    told = date_of(answer.headers.get("date", ""))
    if told is None:
        return []
    skew_seconds = now - told
    if abs(skew_seconds) <= SKEW_SECONDS:
        return [Finding("clock", "fine", "as the provider's")]
    words = "ahead of" if skew_seconds > 0 else "behind"
    return [Finding("clock", "warning", f"{abs(skew_seconds):.0f} s {words} the provider's: is the host's time kept?")]


def _meaning(provider: Provider[SinkConfig], config: SinkConfig, answer: Reply) -> Finding:
    """What the provider's own table says of the answer. It is no push, so that a yes cannot be expected of it."""
    (verdict, *_) = provider.judge(config, _PROBE, answer)
    match verdict:
        case Blocked(reason):
            return Finding("account", "failed", f"{reason} (HTTP {answer.status})")
        case Deferred(reason) if reason == "token_expired":
            return Finding("account", "fine", "the access token has ended; the lane's owner refreshes it when it sends")
        case Deferred(reason, limit=True):
            return Finding("account", "warning", f"{reason}: it is reached, and says that it is asked too often")
        case Refused(reason):
            return Finding("account", "warning", f"{reason} (HTTP {answer.status})")
        case _ if answer.status >= 500:
            return Finding("account", "failed", f"HTTP {answer.status}")
        case _:
            return Finding("account", "fine", "the credential is accepted")
