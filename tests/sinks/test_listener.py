"""An answer that is read at once says what aiohttp reads of it piece by piece; what is not plain is aiohttp's alone."""

import asyncio

import pytest
from aiohttp import ClientOSError

from consumer.sinks.listener import BODY_LIMIT_BYTES, HEADS_KEPT, Heads, Listener, Reply

KEPT = ("content-type", "retry-after")
PLAIN = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nServer: a\r\n\r\n",
    b"HTTP/1.1 429 Slow down\r\nRetry-After: 3\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno.",
    b"HTTP/1.1 503 \r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1",
]
OTHERWISE = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (BODY_LIMIT_BYTES + 1, bytes(BODY_LIMIT_BYTES + 1)),
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
    b"\x00\xff",
]


class Wire(asyncio.Transport):
    """A connection whose other end the test is."""

    def close(self) -> None:
        """Nobody is there."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


def listener(heads: Heads | None = None) -> Listener:
    made = Listener(asyncio.get_running_loop(), heads or Heads(KEPT))
    made.connection_made(Wire())
    return made


async def slowly(answer: bytes) -> Reply:
    """What aiohttp makes of it, byte by byte."""
    reading = listener()
    asked = reading.ask()
    for byte in answer:
        reading.data_received(bytes([byte]))
    assert await asked is None
    message, content = await reading.read()
    return Reply(
        message.code, {name: message.headers[name] for name in KEPT if name in message.headers}, await content.read()
    )


@pytest.mark.parametrize("answer", PLAIN)
async def test_a_plain_answer_is_what_aiohttp_reads_of_it(answer: bytes) -> None:
    reading = listener()
    for _ in range(2):  # its head is known the second time
        asked = reading.ask()
        reading.data_received(answer)
        assert await asked == await slowly(answer)
    assert not reading.should_close


@pytest.mark.parametrize("answer", OTHERWISE)
async def test_what_is_not_plain_or_not_whole_is_left_to_aiohttp(answer: bytes) -> None:
    heads = Heads(KEPT)
    assert [heads.plain(answer) for _ in range(2)] == [None, None]


async def test_the_head_of_another_length_is_not_taken_for_a_known_one() -> None:
    heads = Heads(KEPT)
    assert heads.plain(PLAIN[0]) is not None
    assert heads.plain(PLAIN[0] + b"}") is None


async def test_what_comes_unasked_spoils_the_connection() -> None:
    reading = listener()
    asked = reading.ask()
    reading.data_received(PLAIN[0])
    await asked
    assert not reading.should_close
    reading.data_received(PLAIN[0])
    assert reading.should_close


async def test_who_no_longer_waits_is_not_answered() -> None:
    reading = listener()
    reading.ask().cancel()
    reading.data_received(PLAIN[0])
    reading.connection_lost(None)
    assert reading.should_close


async def test_a_connection_that_ends_before_its_answer_says_so_to_who_reads() -> None:
    reading = listener()
    asked = reading.ask()
    reading.connection_lost(ConnectionResetError())
    assert await asked is None
    with pytest.raises(ClientOSError):
        await reading.read()


async def test_heads_that_are_kept_are_bounded() -> None:
    heads = Heads(KEPT)
    for number in range(3 * HEADS_KEPT):
        assert heads.plain(b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n" % number) == Reply(200, {}, b"")
    assert len(heads._known) <= HEADS_KEPT
    long = b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nContent-Length: 0\r\n\r\n" % (b"a" * 4000)
    assert heads.plain(long) == Reply(200, {}, b"")
    assert not any(len(known) > 2048 for known in heads._known)
