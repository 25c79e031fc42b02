"""Requests go where the configuration says and nowhere else, whatever a name server answers."""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from consumer.sinks.egress import Resolver, is_forbidden, is_public_enough
from consumer.sinks.http import Http, NotSent, Reach
from tests.kafka.certificates import Authority, Pair

REFUSED = (
    "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "0.0.0.0",
    "::", "224.0.0.1", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
)  # fmt: skip


class Bent(AbstractResolver):
    """A name server that was bent to answer with one address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class Canary:
    """A listener that nobody may reach."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def heard(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    found = Canary()
    server = await asyncio.start_server(found.heard, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@pytest.mark.parametrize("address", REFUSED)
def test_a_name_may_not_stand_for_this_machine_or_for_its_metadata(address: str) -> None:
    assert not is_public_enough(address, "push.example")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "10.0.0.7", "192.168.1.5", "fd12::7"])
def test_a_name_may_stand_for_any_other_address_also_of_a_private_network(address: str) -> None:
    assert is_public_enough(address, "push.example")


@pytest.mark.parametrize("host", ["localhost", "fake.localhost"])
def test_localhost_is_this_machine_and_nothing_else(host: str) -> None:
    assert is_public_enough("127.0.0.1", host)
    assert not is_public_enough("169.254.169.254", host)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
async def test_a_name_that_was_bent_after_the_configuration_was_read_is_not_called(
    address: str, canary: Canary
) -> None:
    bent = Bent(address)
    connector = aiohttp.TCPConnector(resolver=Resolver(bent))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientError) as raised:
            await session.post(f"http://push.example:{canary.port}/send", data=b"body")
    assert is_forbidden(raised.value)
    assert (bent.asked, canary.connections) == (["push.example"], 0)


async def test_the_room_says_egress_denied_for_both(canary: Canary) -> None:
    room = Http(Reach(5.0))
    assert await room.post(f"http://127.0.0.1:{canary.port}/", b"", {}) == NotSent("egress_denied")
    room.allow(f"http://127.0.0.1.nip.example:{canary.port}/")
    assert isinstance(await room.post(f"http://127.0.0.1:{canary.port}/", b"", {}), NotSent)
    assert canary.connections == 0
    await room.close()


# --- TLS --------------------------------------------------------------------------------------------------------------

SENDING = """
import asyncio, json, sys
from consumer.sinks.http import Http, Reach, reach_to
async def main():
    said = []
    for url in sys.argv[1:]:
        room = Http(reach_to(Reach(5.0), url))
        said.append(repr(await room.post(url, b"canary", {})))
        await room.close()
    print(json.dumps(said))
asyncio.run(main())
"""


class Trap:
    """A TLS server that keeps whatever is sent to it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def start(self, pair: Pair) -> tuple[asyncio.Server, int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server = await asyncio.start_server(self._listen, "127.0.0.1", 0, ssl=context)
        port: int = server.sockets[0].getsockname()[1]
        return server, port

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.read(65_536))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()


async def test_nothing_is_sent_over_tls_that_cannot_be_trusted(tmp_path: Path) -> None:
    """Expired, of another host, of another authority: and over a good one it is sent."""
    authority, stranger, trap = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger"), Trap()
    pairs = [
        authority.pair("expired", hosts=("localhost",), days=-1),
        authority.pair("elsewhere", hosts=("push.example",)),
        stranger.pair("untrusted", hosts=("localhost",)),
        authority.pair("good", hosts=("localhost",)),
    ]
    servers = [await trap.start(pair) for pair in pairs]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SENDING, *(f"https://localhost:{port}/send" for _, port in servers),
        stdout=subprocess.PIPE, env=os.environ | {"SSL_CERT_FILE": str(authority.certificate)},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert json.loads(said)[:3] == ["NotSent(reason='tls')"] * 3
    assert json.loads(said)[3].startswith("Reply(status=200")
    assert [b"canary" in heard for heard in trap.heard if heard] == [True]
    for server, _ in servers:
        server.close()


TWICE = """
import asyncio, json, sys
from consumer.sinks.http import Http, Reach, reach_to
async def main():
    room = Http(reach_to(Reach(3.0), sys.argv[1]))
    print(json.dumps([repr(await room.post(sys.argv[1], bytes(16_000_000), {})) for _ in range(2)]))
    await room.close()
asyncio.run(main())
"""


async def test_over_tls_too_nothing_follows_a_request_that_was_answered_before_it_was_out(tmp_path: Path) -> None:
    authority, over, came = Authority(tmp_path, "authority"), asyncio.Event(), 0

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\n{}")
        await over.wait()
        writer.close()

    pair = authority.pair("good", hosts=("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = await asyncio.start_server(hasty, "127.0.0.1", 0, ssl=context)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TWICE, f"https://localhost:{server.sockets[0].getsockname()[1]}/send",
        stdout=subprocess.PIPE, env=os.environ | {"SSL_CERT_FILE": str(authority.certificate)},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert [each.startswith("Reply(status=413") for each in json.loads(said)] == [True, True]
    assert came == 2
    over.set()
    server.close()


def test_the_library_s_own_context_verifies_and_speaks_tls_1_2_at_least() -> None:
    """We give it none of ours, and there is no option that would."""
    context = aiohttp.connector._SSL_CONTEXT_VERIFIED
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
