"""Who listens on a connection: an answer that comes whole and plain is read at once, every other one by aiohttp."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpResponseParser, RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError

from consumer.core.value import value

BODY_LIMIT_BYTES = 64 * 1024
# What a provider says before the body is the same from one answer to the next, or differs by a second of its clock.
HEADS_KEPT = 64
HEAD_KEPT_BYTES = 2048

_HEAD_ENDS = b"\r\n\r\n"
# Nothing follows these, whatever length they tell.
_BODILESS = frozenset({204, 304})


@value
class Reply:
    """A whole answer. `body` is empty where it was larger than 64 KiB (`oversize`); header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    oversize: bool = False


@dataclass(frozen=True, slots=True)
class _Head:
    """What a head says. No body has the `length` -1: such an answer is not plain."""

    status: int = 0
    headers: Mapping[str, str] | None = None
    length: int = -1


_NOT_PLAIN = _Head()


class Heads:
    """Heads of answers as aiohttp's parser reads them, the last ones remembered by their bytes. `kept` are the headers,
    in lower case, that somebody reads."""

    def __init__(self, kept: tuple[str, ...]) -> None:
        self._kept = kept
        self._known: dict[bytes, _Head] = {}

    def plain(self, data: bytes) -> Reply | None:
        """The answer, where these bytes are just one that is plain: its body has a length that is told, and is in no
        encoding, and its connection stays."""
        text, ends, body = data.partition(_HEAD_ENDS)
        head = self._known.get(text) or self._read(text)
        if head.headers is None or head.length != len(body) or not ends:
            return None
        return Reply(head.status, head.headers, body)

    def _read(self, text: bytes) -> _Head:
        head = self._parsed(text)
        if len(text) <= HEAD_KEPT_BYTES:
            if len(self._known) >= HEADS_KEPT:
                self._known.clear()
            self._known[text] = head
        return head

    def _parsed(self, text: bytes) -> _Head:
        loop = asyncio.get_running_loop()
        try:
            # Nobody reads its body, so that there is nobody to be told to read more slowly.
            parser = HttpResponseParser(ResponseHandler(loop), loop, BODY_LIMIT_BYTES)
            messages, _, _ = parser.feed_data(text + _HEAD_ENDS)
        except HttpProcessingError:
            return _NOT_PLAIN
        length = _length(messages[0][0]) if len(messages) == 1 else -1
        if not 0 <= length <= BODY_LIMIT_BYTES:
            return _NOT_PLAIN
        message: RawResponseMessage = messages[0][0]
        kept = {name: message.headers[name] for name in self._kept if name in message.headers}
        return _Head(message.code, kept, length)


def _length(message: RawResponseMessage) -> int:
    """How long the body of a plain answer is; -1 of one that is not plain."""
    if message.should_close or message.chunked or message.upgrade or message.compression:
        return -1
    told = message.headers.getall("Content-Length", [])
    if message.code < 200 or message.code in _BODILESS or len(told) != 1 or not told[0].isdecimal():
        return -1
    return int(told[0])


class Listener(ResponseHandler):
    """One connection of a pool. With each request it is asked for the next answer; what comes when nobody has asked is
    kept as aiohttp keeps it, and spoils the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, heads: Heads) -> None:
        super().__init__(loop)
        self._heads = heads
        self._asked: asyncio.Future[Reply | None] | None = None

    def ask(self) -> "asyncio.Future[Reply | None]":
        """The next answer, if it is a plain one that comes in one piece; None: `read` it, or what became of it."""
        # The parser of an earlier answer would take what comes for a further one.
        self._parser = None
        self._asked = asked = self._loop.create_future()
        return asked

    def data_received(self, data: bytes) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            plain = self._heads.plain(data)
            _answer(asked, plain)
            if plain is not None:
                return
            self.set_response_params(read_until_eof=True)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        asked, self._asked = self._asked, None
        super().connection_lost(exc)
        if asked is not None:
            _answer(asked, None)


def _answer(asked: "asyncio.Future[Reply | None]", plain: Reply | None) -> None:
    if not asked.done():
        asked.set_result(plain)
