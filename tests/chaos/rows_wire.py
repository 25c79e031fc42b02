"""Rows on the wire to a provider: what was sent and what was not, what an answer means, and what it may cost."""

import asyncio
import ssl
import sys
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from consumer.core.model import Delivered, Verdict
from consumer.demo.fakes import Bitrix24Fake, Bitrix24Profile, ImshopFake, write_tokens
from consumer.sinks.base import make_sink, providers
from consumer.sinks.bitrix24 import judge as judge_bitrix24
from consumer.sinks.http import Http, Lost, Reach, Reply, reach_to
from tests.chaos.certificates import authority, certificate
from tests.chaos.lanes import imshop_config
from tests.chaos.posting import Posted, post_elsewhere
from tests.chaos.row import Outcome, Row
from tests.sinks.contract import example_of
from tests.sinks.lanes import portal_config
from tests.sinks.support import CANARY, ODD_BODIES, batch, reply, secret
from tests.sinks.test_bitrix24 import CODES
from tests.sinks.test_bitrix24 import config as bitrix24_config
from tests.sinks.test_http import closed_port, hush, says, scripted

TOTAL_SECONDS = 2.0
HOUR_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


# --- P-2 --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _tls(folder: Path, chain: tuple[Path, Path], received: list[bytes]) -> AsyncIterator[int]:
    """A TLS server that keeps what it is sent after the handshake, and answers."""

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)
    server = await asyncio.start_server(read, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def no_connection(folder: Path) -> Outcome:
    """Nobody listens, no such name, every way in which TLS is wrong; and one that is right, to know the difference."""
    trusted, stranger = authority(folder), authority(_made(folder / "stranger"))
    chains = {
        "good": certificate(folder, trusted, "localhost", 10),
        "expired": certificate(folder, trusted, "localhost", -1),
        "wrong host": certificate(folder, trusted, "push.example.com", 10),
        "nobody's": certificate(folder / "stranger", stranger, "localhost", 11),
    }
    received: dict[str, list[bytes]] = {name: [] for name in chains}
    async with AsyncExitStack() as stack:
        ports = {
            name: await stack.enter_async_context(_tls(folder, chain, received[name])) for name, chain in chains.items()
        }
        plain = await stack.enter_async_context(scripted(hush))
        urls = {name: f"https://localhost:{port}/" for name, port in ports.items()}
        urls |= {"refused": f"http://127.0.0.1:{closed_port()}/", "no name": "http://no-such-host.invalid/"}
        urls |= {"TLS stalls": plain.replace("http:", "https:")}
        posted = await post_elsewhere(list(urls.values()), 10.0, SSL_CERT_FILE=str(trusted.path))
    kinds = {name: f"{each.kind} {each.reason}" for name, each in zip(urls, posted, strict=True)}
    reasons = [f"{name}: {kind.removeprefix('not_sent ')}" for name, kind in kinds.items() if name != "good"]
    bad = [name for name in urls if name != "good" and not kinds[name].startswith("not_sent")]
    bodies = sum(bool(text) for name, texts in received.items() if name != "good" for text in texts)
    slowest = max(each.seconds for each in posted)
    return Outcome(
        not bad and not bodies and kinds["good"] == "reply 200" and len(received["good"]) == 1,
        f"{len(urls) - 1} hindrances: {len(urls) - 1 - len(bad)} told as not sent "
        f"({', '.join(reasons)}), "
        f"bodies over bad TLS {bodies}, at most {slowest:.1f} s; a good certificate is answered",
        {"classified": len(urls) - 1 - len(bad), "of": len(urls) - 1, "bodies_over_bad_tls": bodies},
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# --- P-3 --------------------------------------------------------------------------------------------------------------


async def drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in HOUR_HEADERS * 50:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.3)


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HOUR_HEADERS)
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.3)


async def stalls(folder: Path) -> Outcome:
    """No answer, an answer of one byte in a third of a second, head or body; beside a healthy provider."""
    held: dict[str, float] = {}
    # The scripts end by being cancelled, which the streams of asyncio take for news.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    async with ImshopFake(None, None) as healthy:
        alone = await _rate(healthy, TOTAL_SECONDS)
        beside = []
        for name, script in (("no answer", hush), ("head by bytes", drip_head), ("body by bytes", drip_body)):
            async with scripted(script) as url:
                http = Http(reach_to(Reach(TOTAL_SECONDS, 2), url))
                began = time.monotonic()
                sick = asyncio.ensure_future(http.post(url, b"{}", {}))
                beside.append(await _rate(healthy, TOTAL_SECONDS))
                answer = await sick
                held[name] = time.monotonic() - began if isinstance(answer, Lost) else 99.0
                await http.close()
    share = min(beside) / alone
    longest = max(held.values())
    return Outcome(
        longest <= TOTAL_SECONDS + 1 and share >= 0.95,
        f"total {TOTAL_SECONDS:.0f} s: held {', '.join(f'{name} {spent:.1f} s' for name, spent in held.items())}; "
        f"beside it the healthy provider took {100 * share:.0f} % of its {alone:.0f} requests a second",
        {"longest_held_seconds": round(longest, 2), "healthy_share_percent": round(100 * share, 1)},
    )


async def _rate(fake: ImshopFake, seconds: float) -> float:
    """Requests a second of a client that asks for two hundred a second."""
    http = Http(reach_to(Reach(5.0), fake.url))
    began, count = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        count += isinstance(await http.post(fake.url, b"{}", {}), Reply)
        await asyncio.sleep(max(0.0, count / 200 - passed))
    await http.close()
    return count / seconds


# --- P-6 and P-7 ------------------------------------------------------------------------------------------------------


async def bitrix_limits(folder: Path) -> Outcome:
    """A portal's limits over the wire, from portals that answer with different statuses; then every code by table."""
    seen: dict[str, set[str]] = {}
    for statuses in ("cloud", "box", "old"):
        async with Bitrix24Fake(Bitrix24Profile(statuses=statuses)) as fake:
            tokens = folder / f"{statuses}.json"
            write_tokens(tokens, fake)
            sink = make_sink(portal_config(fake, tokens), secret("client-secret"), lambda fact: None, "staff")
            for code in ("QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT"):
                await sink.ready()
                fake.fail("error", 1, path="/rest", code=code)
                (verdict,) = await sink.send(batch("17"))
                seen.setdefault(code, set()).add(_kind(verdict))
            await sink.close()
    one = sum(len(kinds) == 1 for kinds in seen.values())
    cells, wrong = 0, 0
    for code, usual, wanted in CODES:
        for status in (usual, 200, 400, 401, 403, 429, 500, 503):
            cells += 1
            wrong += judge_bitrix24(bitrix24_config(), batch("1"), reply(status, {"error": code})) != (wanted,)
    return Outcome(
        one == len(seen) and not wrong,
        f"over the wire from 3 kinds of portals {one} of {len(seen)} codes have one meaning "
        f"({'; '.join(f'{code}: {next(iter(kinds))}' for code, kinds in seen.items())}); "
        f"{len(CODES)} codes in {cells} cells of code and status, {wrong} judged otherwise",
        {"codes_with_one_meaning": one, "cells": cells, "wrong": wrong},
    )


def _kind(verdict: Verdict) -> str:
    limit = " as a limit" if getattr(verdict, "limit", False) else ""
    return f"{type(verdict).__name__}{limit}"


async def false_yes(folder: Path) -> Outcome:
    """Every provider judges each of 500 statuses with each odd body: none of them is a yes."""
    cells: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for name, provider in providers().items():
        config, people = example_of(provider), batch("17", "23")
        for status in range(100, 600):
            for body in ODD_BODIES:
                verdicts = provider.judge(config, people, reply(status, body))
                cells[name] += 1
                false[name] += any(isinstance(verdict, Delivered) for verdict in verdicts)
        await asyncio.sleep(0)
    odd = {name: count for name, count in false.items() if count and name != "console"}
    judged = sum(count for name, count in cells.items() if name != "console")
    return Outcome(
        not odd and judged > 0,
        f"{judged} cells of status and body over {len(cells) - 1} providers ({len(ODD_BODIES)} bodies by 500 statuses "
        f"each): false accepts {sum(odd.values())}",
        {"cells": judged, "false_accepts": sum(odd.values()), "bodies": len(ODD_BODIES)},
    )


# --- P-8 --------------------------------------------------------------------------------------------------------------


def _bomb(size: int) -> bytes:
    """Spaces, squeezed a megabyte at a time so that it costs nobody its size."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [squeeze.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)]
    return b"".join([*parts, squeeze.flush()])


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 320000000\r\n\r\n" + b'{"success": true}')
    for _ in range(5000):
        writer.write(b" " * 64_000)
        await writer.drain()


async def huge_answers(folder: Path) -> Outcome:
    bomb = await asyncio.to_thread(_bomb, 300_000_000)
    zipped = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    scripts = {
        "body of 320 MB": _flood,
        "gzip of 300 MB": says(zipped, bomb),
        "head of 20 KB": says(b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 20_000 + b"\r\n\r\n"),
        "garbage": says(b"\x00\xff" * 500),
        "charset of nobody": says(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=klingon-8\r\nContent-Length: 2\r\n\r\n{}"
        ),
    }
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(scripted(script)) for script in scripts.values()]
        # The first post of a process loads what it needs; its growth says nothing.
        warm = await stack.enter_async_context(scripted(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")))
        posted = (await post_elsewhere([warm, *urls], 10.0))[1:]
    told = dict(zip(scripts, posted, strict=True))
    growth, slowest = max(each.growth_mib for each in posted), max(each.seconds for each in posted)
    return Outcome(
        growth <= 5 and slowest <= 10 and len(posted) == len(scripts),
        f"{', '.join(f'{name}: {_said(each)}' for name, each in told.items())}; memory +{growth:.1f} MiB at most, "
        f"{slowest:.1f} s at most",
        {"growth_mib": growth, "slowest_seconds": slowest},
    )


def _said(posted: Posted) -> str:
    return f"{posted.kind} {posted.reason}"


# --- P-9 --------------------------------------------------------------------------------------------------------------


async def redirects(folder: Path) -> Outcome:
    """Five kinds of redirects to five places: nobody goes there."""
    async with ImshopFake(None, None) as canary:
        places = ("/elsewhere", canary.url, "SELF", "http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/")
        followed, verdicts, answers = 0, Counter[str](), 0
        for status in (301, 302, 303, 307, 308):
            for place in places:
                async with ImshopFake(None, None) as fake:
                    target = fake.url if place == "SELF" else place
                    fake.fail("status", status=status, headers={"Location": target})
                    sink = make_sink(imshop_config(fake.url), secret(CANARY), lambda fact: None, "app-push")
                    await sink.ready()
                    (verdict,) = await sink.send(batch("79991234567"))
                    await sink.close()
                    verdicts[type(verdict).__name__] += 1
                    answers += 1
                    followed += len(fake.requests) - 1
        reached = len(canary.requests)
    return Outcome(
        not followed and not reached and "Delivered" not in verdicts,
        f"{answers} redirects: requests at their targets {followed + reached}, bodies or keys leaked {reached}; judged "
        f"{dict(verdicts)}",
        {"redirects": answers, "followed": followed + reached, "false_accepts": verdicts["Delivered"]},
    )


# --- P-13 -------------------------------------------------------------------------------------------------------------

CLIENTS, POSTS = 50, 40
CHURN = CLIENTS * POSTS


async def churn(folder: Path) -> Outcome:
    """A server that closes after each answer, then one that closes a connection that was idle for five seconds."""
    counts = {name: await _churned(idle) for name, idle in (("after each answer", 0.0), ("when idle", 5.0))}
    lost = {name: lost for name, (lost, _) in counts.items()}
    resent = sum(max(0, received - CHURN) for _, received in counts.values())
    percent = 100 * max(lost.values()) / CHURN
    said = ", ".join(f"{count} where it closes {name}" for name, count in lost.items())
    return Outcome(
        percent <= 0.1 and not resent,
        f"{CHURN} requests each: ambiguous {said} ({percent:.2f} % at most), sent twice {resent}",
        {"requests": CHURN * 2, "lost_percent": round(percent, 3), "sent_twice": resent},
    )


async def _churned(idle_seconds: float) -> tuple[int, int]:
    """How many of the requests were lost, and how many the server received."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.idle_server", str(idle_seconds),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(await server.stdout.readline())}/"
    lost = sum(await asyncio.gather(*(_client(url, idle_seconds, Random(number)) for number in range(CLIENTS))))
    text, _ = await server.communicate(b"")
    return lost, int(text)


async def _client(url: str, idle_seconds: float, dice: Random) -> int:
    """Posts with pauses up to twice the server's patience; how many of them are ambiguous."""
    http, lost = Http(reach_to(Reach(5.0), url)), 0
    for _ in range(POSTS):
        lost += isinstance(await http.post(url, b'{"a": 1}', {}), Lost)
        await asyncio.sleep(dice.random() * 2 * idle_seconds)
    await http.close()
    return lost


ROWS = (
    Row(
        "P-2", "refused, no such name, TLS expired, wrong host, of nobody, stalled", "told as not sent, tried again",
        "bodies over bad TLS 0; classified 100 %", no_connection, 0.1, selection=True, again="yes: nothing left",
        test="tests/sinks/test_http.py::test_a_certificate_of_nobody_was_not_sent",
    ),
    Row(
        "P-3", "no answer; an answer by single bytes", "cut at the request's total time",
        "held at most total + 1 s; the other provider's throughput at least 95 %",
        stalls, 0.2, selection=True, again="as the route says",
        test="tests/sinks/test_http.py::test_a_body_of_single_bytes_is_cut_at_the_deadline",
    ),
    Row(
        "P-6", "Bitrix24 says QUERY_LIMIT_EXCEEDED, OPERATION_TIME_LIMIT, OVERLOAD_LIMIT with any status",
        "waits, waits until the reset, or blocks the lane", "classified 100 % by the code, not the status",
        bitrix_limits, 0.1, selection=True, again="yes: it did not happen",
        test="tests/sinks/test_bitrix24.py::test_a_code_has_one_meaning_whatever_its_status_and_letters",
    ),
    Row(
        "P-7", "200 that means no: HTML, empty, `[]`, NaN, doubled keys, with every status", "never a false success",
        "false accepts 0 in all cells", false_yes, 0.2, selection=True, again="as the route says",
        test="tests/sinks/test_contract.py::test_every_provider_keeps_its_word",
    ),
    Row(
        "P-8", "320 MB, a gzip bomb, a head of 20 KB, garbage, a charset of nobody", "answers are read to a bound",
        "memory grows by at most 5 MiB; done within the total", huge_answers, 0.1, selection=True,
        again="as the route says", test="tests/sinks/test_http.py::test_a_bomb_of_gzip_costs_no_more_than_the_limit",
    ),
    Row(
        "P-9", "301, 302, 303, 307, 308 to the same host, another, itself, loopback, link-local", "not followed",
        "requests at the target 0; leaked 0", redirects, 0.1, selection=True, again="as the route says",
        test="tests/sinks/test_http.py::test_a_redirect_is_an_answer_and_not_an_order",
    ),
    Row(
        "P-13", "the server closes after each answer, or while the connection is idle", "POST is never sent twice",
        "ambiguous at most 0.1 %; sent twice 0", churn, 2.0, selection=False, again="as the route says",
        test="tests/sinks/test_http.py::test_a_reset_after_sending_is_lost_and_the_post_is_not_repeated",
    ),
)  # fmt: skip
