"""The HTTP room: one bounded POST to an allowed host, answered by a value that tells sent from not sent.

Of aiohttp it takes the pool of connections, TLS, and the parser (see `listener.py`). The session between them looks at
each request for redirects, cookies, proxies, retries and traces, none of which may be here, and that was two thirds of
what a request costs. That these parts have no underscore (but one) is no promise: `pyproject.toml` names the release of
aiohttp they belong to.
"""

import asyncio
import errno
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from consumer.sinks.egress import Resolver, is_forbidden
from consumer.sinks.listener import BODY_LIMIT_BYTES, Heads, Listener
from consumer.sinks.listener import Reply as Reply
from consumer.sinks.time_limit import TimeLimit

CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 15.0
DNS_CACHE_SECONDS = 30
# An account has one or two addresses, and headers that change with its key.
FORMS_KEPT = 32

# What judges read. Nothing else of a reply's head is kept: cookies and echoes of credentials stay outside.
_HEADERS_KEPT = ("content-type", "date", "location", "retry-after")

# 101 is no interim answer: nothing else follows it.
_INTERIM = frozenset(range(100, 200)) - {101}

# Two headers could be made of one.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# Answers of something between us and the provider: the request may still be under way behind it.
_GATEWAY_STATUSES = frozenset({408, 502, 504, *range(520, 528)})


class Origin(NamedTuple):
    """Where a request may go: scheme, host in lower case, port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left: refused, dns, tls, connect_timeout, connect_failed, egress_denied or closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request went out and its answer did not come whole: timeout, reset, cut or garbled.

    `answered` tells that the provider's own final status line came back.
    """

    reason: str
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a room may go, for how long, and with how many connections at once."""

    total_seconds: float
    connections: int = 1
    origins: frozenset[Origin] = frozenset()
    connect_seconds: float = CONNECT_SECONDS


@dataclass(frozen=True, slots=True)
class _Form:
    """What all requests of one method and address with the same headers have in common. `asked` is what the pool knows
    connections by; `head` is what goes out before the length of the body."""

    asked: aiohttp.ClientRequest = field(repr=False)
    head: bytes = field(repr=False)
    has_body: bool = True

    def filled(self, body: bytes) -> bytes:
        """The whole request."""
        if body or self.has_body:
            return b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body)
        return self.head + b"\r\n"


@dataclass(slots=True)
class _Wire:
    """How far one request has come. `sent` from the moment just before its bytes go to the socket, so that "not sent"
    is never wrong."""

    sent: bool = False
    answered: bool = False


@lru_cache(maxsize=1024)
def origin_of(url: str) -> Origin | None:
    """The origin of an absolute http or https URL without user name or fragment; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_plain(url, parts):
        return None
    return Origin(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def is_final(status: int) -> bool:
    """Whether the answer is the provider's own, so that nothing of the request can still be under way."""
    return status >= 200 and status not in _GATEWAY_STATUSES


def reach_to(reach: Reach, *urls: str) -> Reach:
    """The same reach, to the origins of these URLs alone."""
    return replace(reach, origins=frozenset(origin for url in urls if (origin := origin_of(url)) is not None))


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_problem(url: str, *, allow_http: bool) -> str | None:
    """What is wrong with a configured URL, without quoting it: it may hold a secret. None when it may be used."""
    origin = origin_of(url)
    if origin is None:
        return "must be an absolute https:// URL without user name, fragment, spaces or control characters"
    if origin.scheme == "http" and not allow_http and not is_loopback(origin.host):
        return f"host {origin.host} is reached by plain http; use https, or say `allow_http: true`"
    return None


def user_agent() -> str:
    try:
        return f"vestnik/{version('vestnik')}"
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "vestnik/0"


class Http:
    """One account's way out: own session, own connections, no cookies, no redirects, no proxies from the environment.

    The caller keeps its requests in flight within `reach.connections`, so that the pool never makes one wait.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._origins = set(reach.origins)
        self._limit = TimeLimit(reach.total_seconds)
        # `total` is the limit's: aiohttp rounds its own up and says the same for waiting and sending.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=reach.connect_seconds, ceil_threshold=1e9)
        self._pool: aiohttp.TCPConnector | None = None
        self._forms: dict[tuple[object, ...], _Form] = {}
        self._heads = Heads(_HEADERS_KEPT)
        self._closed = False

    def allow(self, url: str) -> None:
        """Let requests go to the origin of this URL as well."""
        origin = origin_of(url)
        if origin is not None:
            self._origins.add(origin)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> Reply | NotSent | Lost:
        """One request, never repeated and never redirected. Raises for nothing that a network can do."""
        if self._closed:
            return NotSent("closed")
        wire = _Wire()
        try:
            form = self._form(url, headers, method)
            if form is None:
                return NotSent("egress_denied")
            with self._limit.begin():
                return await self._exchange(form, body, wire)
        except (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, RuntimeError, ValueError) as error:
            return _trouble(error, wire)

    def _form(self, url: str, headers: Mapping[str, str], method: str) -> _Form | None:
        """None where nobody may go. What was allowed stays allowed, so that a form that is kept was asked about."""
        key = (method, url, *headers.items())
        form = self._forms.get(key)
        if form is None and origin_of(url) in self._origins:
            if len(self._forms) >= FORMS_KEPT:
                self._forms.clear()
            form = self._forms[key] = _form_of(method, URL(url), headers)
        return form

    async def _exchange(self, form: _Form, body: bytes, wire: _Wire) -> Reply:
        connection = await (self._pool or self._open()).connect(form.asked, [], self._timeout)
        try:
            reply = await _answer(connection, form.filled(body), wire)
        except BaseException:
            connection.close()
            raise
        if reply.oversize or _is_sending(connection):
            connection.close()
        else:
            connection.release()
        return reply

    def _open(self) -> aiohttp.TCPConnector:
        self._pool = aiohttp.TCPConnector(
            limit=self._reach.connections,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            resolver=Resolver(),
        )
        # There is no other way to have connections of our own making in its pool.
        made = partial(Listener, asyncio.get_running_loop(), self._heads)
        self._pool._factory = cast("partial[ResponseHandler]", made)
        return self._pool

    async def close(self) -> None:
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()


def _form_of(method: str, url: URL, headers: Mapping[str, str]) -> _Form:
    """The head as aiohttp would write it. Raises ValueError where a header could be read as two."""
    ours, given = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}, {name.lower() for name in headers}
    every = {name: value for name, value in ours.items() if name.lower() not in given} | dict(headers)
    asked = aiohttp.ClientRequest(method, url, headers=every, loop=asyncio.get_running_loop())
    has_body = method in aiohttp.ClientRequest.POST_METHODS
    if has_body:
        asked.headers.setdefault("Content-Type", "application/octet-stream")
    asked.headers.pop("Content-Length", None)
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.headers.items())]
    if any(_CONTROLS.search(line) for line in lines):
        raise ValueError("a header has a control character in it")
    return _Form(asked, "".join(f"{line}\r\n" for line in lines).encode(), has_body)


async def _answer(connection: Connection, request: bytes, wire: _Wire) -> Reply:
    listener, transport = connection.protocol, connection.transport
    # What lies there already answers no request of ours.
    if not isinstance(listener, Listener) or transport is None or listener.should_close:
        raise aiohttp.ClientConnectionResetError("gone or spoilt before it was used")
    asked = listener.ask()
    wire.sent = True
    transport.write(request)
    return await asked or await _read(listener, wire)


async def _read(listener: Listener, wire: _Wire) -> Reply:
    """An answer that is not plain, or did not come in one piece."""
    message, content = await listener.read()
    while message.code in _INTERIM:
        message, content = await listener.read()
    wire.answered = is_final(message.code)
    text = await _bounded_body(content)
    found = message.headers
    kept = {name: found[name] for name in _HEADERS_KEPT if name in found}
    return Reply(message.code, kept, text or b"", oversize=text is None)


def _is_sending(connection: Connection) -> bool:
    """Whether the answer came before the whole request was out: what goes out next here is still its rest."""
    transport: asyncio.Transport | None = connection.transport
    while transport is not None and not transport.get_write_buffer_size():
        # TLS hands all that it has to the transport below, and does not count it any more. (uvloop hides that one.)
        transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return transport is not None


async def _bounded_body(content: aiohttp.StreamReader) -> bytes | None:
    """The decoded body, or None as soon as it is larger than the limit: a bomb costs no more than the limit."""
    text = await content.read(BODY_LIMIT_BYTES + 1)
    if content.at_eof() and len(text) <= BODY_LIMIT_BYTES:
        return text
    kept = bytearray(text)
    while len(kept) <= BODY_LIMIT_BYTES:
        chunk = await content.read(BODY_LIMIT_BYTES + 1 - len(kept))
        if not chunk:
            return bytes(kept)
        kept += chunk
    return None


def _is_plain(url: str, parts: SplitResult) -> bool:
    printable = all(" " < letter < "\x7f" for letter in url)
    return printable and parts.username is None and parts.password is None and "#" not in url and "\\" not in url


def _trouble(error: Exception, wire: _Wire) -> NotSent | Lost:
    return Lost(_loss(error), wire.answered) if wire.sent else NotSent(_hindrance(error))


def _hindrance(error: Exception) -> str:
    """Why nothing was sent, as a word of a closed list: the exceptions' own texts can quote the URL."""
    if isinstance(error, TimeoutError):
        return "connect_timeout"
    if is_forbidden(error):
        return "egress_denied"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        return "tls"
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return "refused"
    return "connect_failed"


def _loss(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, (aiohttp.ClientPayloadError, EOFError)):
        return "cut"
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return "reset"
    return "garbled"
