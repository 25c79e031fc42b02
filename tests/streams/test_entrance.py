"""Why no broker lets us in, without a broker: what hangs up, what is not there, what has no token."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from consumer.core.model import Trouble
from consumer.streams.entrance import explained, explained_anew
from consumer.streams.settings import KafkaSettings, SecurityProtocol, Timing

UNREACHABLE = Trouble("broker_unreachable", "KafkaConnectionError")


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Something that takes connections and hangs up."""
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def settings(address: str, security: SecurityProtocol) -> KafkaSettings:
    return KafkaSettings(
        address, security=security, username="vestnik", password=lambda: "canary", timing=Timing(request_ms=2000)
    )


async def asked(address: str, security: SecurityProtocol) -> Trouble:
    return await explained_anew(UNREACHABLE, settings(address, security))


async def test_a_plain_listener_is_not_asked_again(address: str) -> None:
    assert await asked(address, "PLAINTEXT") == UNREACHABLE


@pytest.mark.parametrize("security", ["SSL", "SASL_SSL"])
async def test_who_hangs_up_in_the_handshake_may_not_speak_tls(address: str, security: SecurityProtocol) -> None:
    found = await asked(address, security)
    assert (found.reason, "hung up" in found.detail or "handshake" in found.detail) == ("tls_failed", True)
    assert address in found.detail


async def test_who_hangs_up_where_no_tls_is_spoken_is_only_unreachable(address: str) -> None:
    assert await asked(address, "SASL_PLAINTEXT") == UNREACHABLE


async def test_who_is_not_there_is_unreachable() -> None:
    assert await asked("127.0.0.1:9", "SASL_SSL") == UNREACHABLE


async def test_other_trouble_is_clear_as_it_is(address: str) -> None:
    trouble = Trouble("topic_missing", "shop.orders")
    arguments = settings(address, "SSL").connection()
    assert not isinstance(arguments, Trouble)
    assert await explained(trouble, arguments) == trouble


async def test_a_secret_that_cannot_be_read_is_the_trouble(address: str) -> None:
    missing = Trouble("other", "file password cannot be read")
    without = KafkaSettings(address, security="SASL_SSL", password=lambda: missing)
    assert await explained_anew(UNREACHABLE, without) == missing
