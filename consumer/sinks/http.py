"""The HTTP room: one bounded POST to an allowed host, answered by a value that tells sent from not sent."""

import asyncio
import errno
import ipaddress
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from consumer.sinks.egress import Connector, Resolver, is_forbidden

BODY_LIMIT_BYTES = 64 * 1024
CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 15.0
DNS_CACHE_SECONDS = 30

# What judges read. Nothing else of a reply's head is kept: cookies and echoes of credentials stay outside.
_HEADERS_KEPT = ("content-type", "date", "location", "retry-after")

# Answers of something between us and the provider: the request may still be under way behind it.
_GATEWAY_STATUSES = frozenset({408, 502, 504, *range(520, 528)})


class Origin(NamedTuple):
    """Where a request may go: scheme, host in lower case, port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `body` is empty where it was larger than 64 KiB (`oversize`); header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    oversize: bool = False


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


class _Request(NamedTuple):
    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Wire:
    """How far one request has come. `sent` from the moment it has a connection, which is just before its bytes go to
    the socket, so that "not sent" is never wrong."""

    sent: bool = False
    answered: bool = False


_WIRE: ContextVar[_Wire] = ContextVar("wire")


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
        self._session: aiohttp.ClientSession | None = None
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
        if origin_of(url) not in self._origins:
            return NotSent("egress_denied")
        wire = _Wire()
        _WIRE.set(wire)
        try:
            async with asyncio.timeout(self._reach.total_seconds):
                return await self._exchange(_Request(method, url, body, headers), wire)
        except (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, RuntimeError, ValueError) as error:
            return _trouble(error, wire)

    async def _exchange(self, request: _Request, wire: _Wire) -> Reply:
        session = self._session or self._open()
        response = await session.request(
            request.method,
            request.url,
            data=request.body or None,
            headers=dict(request.headers),
            allow_redirects=False,
        )
        wire.answered = is_final(response.status)
        try:
            text = await _bounded_body(response)
        except BaseException:
            response.close()
            raise
        if text is None:
            response.close()
        kept = {name: response.headers[name] for name in _HEADERS_KEPT if name in response.headers}
        return Reply(response.status, kept, text or b"", oversize=text is None)

    def _open(self) -> aiohttp.ClientSession:
        reach = self._reach
        self._session = aiohttp.ClientSession(
            connector=Connector(
                lambda url: origin_of(url) in self._origins,
                _mark_sent,
                limit=reach.connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ttl_dns_cache=DNS_CACHE_SECONDS,
                resolver=Resolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `total` is our own `asyncio.timeout`: aiohttp rounds its own up and says the same for waiting and sending.
            timeout=aiohttp.ClientTimeout(
                total=None, connect=reach.connect_seconds, sock_read=reach.total_seconds, ceil_threshold=1e9
            ),
            headers={"User-Agent": user_agent(), "Accept-Encoding": "identity"},
            trust_env=False,
        )
        # aiohttp repeats a PUT or a GET by itself when its connection breaks; here nothing goes out twice unasked.
        self._session._retry_connection = False
        return self._session

    async def close(self) -> None:
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes | None:
    """The decoded body, or None as soon as it is larger than the limit: a bomb costs no more than the limit."""
    kept = bytearray()
    while chunk := await response.content.read(BODY_LIMIT_BYTES + 1 - len(kept)):
        kept += chunk
        if len(kept) > BODY_LIMIT_BYTES:
            return None
    return bytes(kept)


def _mark_sent() -> None:
    """A trace of the library's would say the same a little later, and cost a tenth of the request."""
    _WIRE.get().sent = True


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
