"""The HTTP room against real servers on loopback: sent or not, whole or not, and nothing kept or followed."""

import asyncio
import gzip
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from consumer.demo.fakes import ImshopFake
from consumer.sinks.http import (
    FORMS_KEPT,
    Http,
    Lost,
    NotSent,
    Reach,
    Reply,
    origin_of,
    reach_to,
    url_problem,
)
from consumer.sinks.listener import BODY_LIMIT_BYTES
from consumer.sinks.time_limit import TimeLimit

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SHORT_SECONDS = 0.25


@asynccontextmanager
async def room(*urls: str, seconds: float = 5.0, connections: int = 2) -> AsyncIterator[Http]:
    http = Http(reach_to(Reach(seconds, connections), *urls))
    try:
        yield http
    finally:
        await http.close()


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """A raw server that reads one request of a connection and then does as it is told."""
    gone: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        gone.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)


def says(*parts: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


async def hush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def posted(url: str, seconds: float = 5.0) -> Reply | NotSent | Lost:
    async with room(url, seconds=seconds) as http:
        return await http.post(url, b'{"a": 1}', {"Content-Type": "application/json"})


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_a_refused_connection_was_not_sent() -> None:
    assert await posted(f"http://127.0.0.1:{closed_port()}/") == NotSent("refused")


async def test_an_unknown_name_was_not_sent() -> None:
    assert await posted("http://no-such-host.invalid/") == NotSent("dns")


async def test_a_server_without_tls_was_not_sent() -> None:
    async with ImshopFake(None) as fake:
        assert await posted(fake.url.replace("http://", "https://")) == NotSent("tls")
        assert fake.requests == []


async def test_a_tls_handshake_that_stalls_was_not_sent() -> None:
    async with scripted(hush) as plain:
        url = plain.replace("http://", "https://")
        http = Http(replace(reach_to(Reach(5.0), url), connect_seconds=SHORT_SECONDS))
        assert await http.post(url, b"{}", {}) == NotSent("connect_timeout")
        await http.close()


async def test_a_connection_that_nobody_takes_up_was_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}/"
        http = Http(replace(reach_to(Reach(5.0), url), connect_seconds=SHORT_SECONDS))
        assert await http.post(url, b"{}", {}) == NotSent("connect_timeout")
        await http.close()
        for one in waiting:
            one.close()


async def test_a_request_that_found_no_free_connection_was_not_sent() -> None:
    async with ImshopFake(None) as fake:
        http = Http(replace(reach_to(Reach(5.0, connections=1), fake.url), connect_seconds=SHORT_SECONDS))
        fake.fail("hang")
        first = asyncio.ensure_future(http.post(fake.url, b"{}", {}))
        await fake.arrived(1)
        assert await http.post(fake.url, b"{}", {}) == NotSent("connect_timeout")
        assert len(fake.requests) == 1
        fake.heal()
        assert await first == Lost("reset")
        await http.close()


async def test_a_certificate_of_nobody_was_not_sent(tls_server: tuple[str, list[bytes]]) -> None:
    url, received = tls_server
    assert await posted(url) == NotSent("tls")
    assert received == []


async def test_an_address_outside_the_configuration_is_never_called() -> None:
    async with ImshopFake(None) as fake, room("https://push.example.com/") as http:
        for url in (fake.url, fake.url.replace("http", "ftp"), "http://[::1", "https://push.example.com:8443/"):
            assert await http.post(url, b"{}", {}) == NotSent("egress_denied")
        assert fake.requests == []


async def test_a_closed_room_sends_nothing() -> None:
    async with ImshopFake(None) as fake:
        async with room(fake.url) as http:
            pass
        assert await http.post(fake.url, b"{}", {}) == NotSent("closed")


async def test_a_reset_after_sending_is_lost_and_the_post_is_not_repeated() -> None:
    async with ImshopFake(None) as fake, room(fake.url) as http:
        await http.post(fake.url, b"{}", {})
        fake.fail("reset_before")
        assert await http.post(fake.url, b"{}", {}) == Lost("reset")
        assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        (b"", Lost("reset")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", Lost("cut", answered=True)),
        (b"HTTP/1.1 504 Late\r\nContent-Length: 10\r\n\r\n{}", Lost("cut", answered=False)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", Lost("cut", answered=True)),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", Lost("garbled")),
        (b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 20_000 + b"\r\n\r\n", Lost("garbled")),
        (b"HTTP/1.1 abc\r\n\r\n", Lost("garbled")),
        (b"\x00\xff" * 500, Lost("garbled")),
    ],
)
async def test_an_answer_that_is_not_whole_is_lost(said: bytes, lost: Lost | None) -> None:
    async with scripted(says(said)) as url:
        answer = await posted(url)
    assert answer == lost if lost else isinstance(answer, Lost)


async def test_silence_is_lost_at_the_deadline() -> None:
    async with scripted(hush) as url:
        assert await posted(url, SHORT_SECONDS) == Lost("timeout")


async def test_a_body_of_single_bytes_is_cut_at_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(drip) as url:
        started = asyncio.get_running_loop().time()
        assert await posted(url, SHORT_SECONDS) == Lost("timeout", answered=True)
        assert asyncio.get_running_loop().time() - started < SHORT_SECONDS + 1


async def test_a_room_works_on_after_a_hundred_timeouts() -> None:
    async with ImshopFake(None) as fake, room(fake.url, seconds=0.01) as http:
        fake.fail("hang")
        for _ in range(50):
            assert isinstance(await http.post(fake.url, b"{}", {}), (Lost, NotSent))
            assert isinstance(await http.post(fake.url, b"{}", {}), (Lost, NotSent))
        fake.heal()
        async with room(fake.url) as patient:
            assert isinstance(await patient.post(fake.url, b"{}", {}), Reply)
        http._limit = TimeLimit(5.0)
        assert isinstance(await http.post(fake.url, b"{}", {}), Reply)


async def test_a_huge_body_costs_no_more_than_the_limit() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 320000000\r\n\r\n" + b'{"success": true}')
        for _ in range(5000):
            writer.write(b" " * 64_000)
            await writer.drain()

    async with scripted(flood) as url:
        tracemalloc.start()
        answer = await posted(url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert answer == Reply(200, {}, b"", oversize=True)
    assert peak < 5_000_000


async def test_a_bomb_of_gzip_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with scripted(says(head, bomb)) as url:
        tracemalloc.start()
        answer = await posted(url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(answer, Reply)
    assert answer.oversize
    assert answer.body == b""
    assert peak < 5_000_000


async def test_a_body_of_just_the_limit_is_whole() -> None:
    body = b" " * BODY_LIMIT_BYTES
    async with scripted(says(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)) as url:
        assert await posted(url) == Reply(200, {}, body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_an_order(status: int) -> None:
    async with ImshopFake(None) as target:
        line = f"HTTP/1.1 {status} Moved\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n"
        async with scripted(says(line.encode())) as url:
            answer = await posted(url)
    assert answer == Reply(status, {"location": target.url})
    assert target.requests == []


async def test_a_chain_of_interim_answers_ends_with_the_final_one() -> None:
    async with scripted(says(b"HTTP/1.1 103 Early Hints\r\n\r\n", OK)) as url:
        assert await posted(url) == Reply(200, {}, b"{}")


async def test_cookies_are_not_kept_and_the_head_says_who_we_are(web_server: tuple[str, list[web.Request]]) -> None:
    url, seen = web_server
    async with room(url) as http:
        for _ in range(2):
            assert isinstance(await http.post(url, b"{}", {}), Reply)
    assert [request.headers.get("Cookie") for request in seen] == [None, None]
    assert seen[0].headers["User-Agent"].startswith("vestnik/")
    assert seen[0].method == "POST"


async def test_the_head_is_what_the_caller_says_and_what_http_wants(web_server: tuple[str, list[web.Request]]) -> None:
    url, seen = web_server
    async with room(url) as http:
        for method, body, headers in (
            ("POST", "ж".encode(), {"content-type": "text/plain", "USER-AGENT": "somebody", "X-Key": "one"}),
            ("POST", "ж".encode(), {"content-type": "text/plain", "USER-AGENT": "somebody", "X-Key": "two"}),
            ("PUT", b"", {}),
            ("GET", b"", {}),
        ):
            assert isinstance(await http.post(f"{url}?for=%D0%B2%D1%81%D0%B5%D1%85", body, headers, method), Reply)
    assert [request.headers.get("X-Key") for request in seen] == ["one", "two", None, None]
    assert {request.headers["Host"] for request in seen} == {url.split("/")[2]}
    assert {request.rel_url.query["for"] for request in seen} == {"всех"}
    first, _, put, get = seen
    assert first.headers.getall("Content-Type") == ["text/plain"]
    assert first.headers.getall("User-Agent") == ["somebody"]
    assert first.headers.getall("Accept-Encoding") == ["identity"]
    assert first.content_length == len("ж".encode())
    assert (put.content_length, put.content_type) == (0, "application/octet-stream")
    assert (get.method, get.content_length) == ("GET", None)


async def test_a_header_that_could_be_read_as_two_is_not_sent(web_server: tuple[str, list[web.Request]]) -> None:
    url, seen = web_server
    async with room(url) as http:
        for headers in ({"X-Key": "a\r\nX-Other: b"}, {"X-Key: a\r\nX-Other": "b"}, {"X-Key": "a\0"}):
            assert await http.post(url, b"{}", headers) == NotSent("connect_failed")
    assert seen == []


async def test_what_is_kept_of_an_address_is_bounded(web_server: tuple[str, list[web.Request]]) -> None:
    url, seen = web_server
    async with room(url) as http:
        for number in range(3 * FORMS_KEPT):
            assert isinstance(await http.post(url, b"{}", {"X-Key": str(number)}), Reply)
        assert len(http._forms) <= FORMS_KEPT
    assert [request.headers["X-Key"] for request in seen] == [str(number) for number in range(3 * FORMS_KEPT)]


async def test_a_body_that_no_buffer_takes_at_once_arrives_whole() -> None:
    body, received = bytes(range(256)) * 40_000, bytearray()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readexactly(len(body)))
        await says(OK)(reader, writer)

    async with scripted(swallow) as url, room(url) as http:
        assert await http.post(url, body, {}) == Reply(200, {}, b"{}")
    assert received == body


async def test_an_answer_before_the_whole_request_is_out_spoils_nothing_that_comes_after_it() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(OK)(reader, writer)
        await hush(reader, writer)

    async with scripted(hasty) as url, room(url, seconds=2.0) as http:
        assert await http.post(url, bytes(50_000_000), {}) == Reply(200, {}, b"{}")
        assert await http.post(url, b"{}", {}) == Reply(200, {}, b"{}")


async def test_an_answer_that_came_before_its_request_is_not_taken_for_one() -> None:
    answered, said_more = asyncio.Event(), asyncio.Event()

    async def rash(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(OK)(reader, writer)
        await answered.wait()
        await says(OK)(reader, writer)
        said_more.set()
        await hush(reader, writer)

    async with scripted(rash) as url, room(url) as http:
        assert await http.post(url, b"", {}) == Reply(200, {}, b"{}")
        answered.set()
        await said_more.wait()
        for _ in range(10):  # turns of the loop, in which it arrives
            await asyncio.sleep(0)
        assert await http.post(url, b"", {}) == NotSent("connect_failed")
        assert await http.post(url, b"", {}) == Reply(200, {}, b"{}")


async def test_a_proxy_of_the_environment_is_not_used(
    web_server: tuple[str, list[web.Request]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    assert isinstance(await posted(web_server[0]), Reply)


async def test_a_cancelled_request_passes_the_cancellation_on() -> None:
    async with ImshopFake(None) as fake, room(fake.url) as http:
        fake.fail("hang")
        task = asyncio.ensure_future(http.post(fake.url, b"{}", {}))
        await fake.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        fake.heal()
        assert isinstance(await http.post(fake.url, b"{}", {}), Reply)


def test_an_address_that_could_hide_something_has_no_origin() -> None:
    for url in (
        "",
        "/x",
        "file:///etc/passwd",
        "gopher://a/",
        "http://u@a/",
        "http://a/#x",
        "http://a\\@b/",
        "http://é/",
    ):
        assert origin_of(url) is None
    assert origin_of("HTTPS://Push.Example.com/x?y") == ("https", "push.example.com", 443)
    assert url_problem("http://localhost:1/", allow_http=False) is None
    problem = url_problem("http://a.example/?key=secret", allow_http=False)
    assert problem is not None
    assert "secret" not in problem


@pytest.fixture
async def web_server() -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A server that sets a cookie, and the requests that it has seen."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        response = web.json_response({})
        response.set_cookie("session", "abc")
        return response

    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", seen
    await runner.cleanup()


@pytest.fixture
async def tls_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server with a certificate that nobody vouches for, and the bytes that it got after the handshake."""
    received: list[bytes] = []

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(100))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = tmp_path_factory.mktemp("tls")
    if not await _self_signed(str(folder / "key.pem"), str(folder / "cert.pem")):
        pytest.skip("openssl is not installed")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = await asyncio.start_server(read, "127.0.0.1", 0, ssl=context)
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}/", received
    server.close()


async def _self_signed(key: str, certificate: str) -> bool:
    line = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-subj",
        "/CN=localhost",
    ]
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec("openssl", *line, stdout=quiet, stderr=quiet)
    except FileNotFoundError:
        return False
    return await process.wait() == 0
