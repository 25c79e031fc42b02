"""What every dead-letter topic keeps to."""

import hashlib

import pytest

from consumer.core.model import Position, Record, Rejection
from consumer.core.ports import DeadLetter
from consumer.streams.letters import PREFIX_BYTES, read_headers
from schemas.dead_letter import DeadReason
from tests.contract.conftest import REAL
from tests.contract.worlds import World


def _letter(record: Record) -> DeadLetter:
    return DeadLetter("app-push", record, Rejection("abc", "schema", "order.total: missing", "paid"), "0f" * 12)


async def test_a_letter_is_the_original_with_our_headers(world: World) -> None:
    """Byte for byte, whatever the bytes; our headers decode."""
    record = Record(Position("shop.orders", 3, 42), 1795300000.25, b"\xffkey", b"\x00\xff{", (("trace", b"\xfe"),))
    letters = world.dead_letters()
    await letters.start()
    await letters.append(_letter(record))
    (found,) = await world.letters()
    assert (found.key, found.value, found.headers[0]) == (record.key, record.value, ("trace", b"\xfe"))
    headers = read_headers(found)
    assert headers is not None
    assert (headers.id, headers.lane, headers.reason, headers.route) == ("abc", "app-push", DeadReason.SCHEMA, "paid")
    assert (headers.topic, headers.partition, headers.offset, headers.timestamp) == (
        "shop.orders",
        3,
        42,
        1795300000.25,
    )
    assert headers.detail == "order.total: missing"
    assert letters.trouble is None
    await letters.stop()


async def test_a_letter_of_nothing_at_all_is_taken(world: World) -> None:
    """Neither key nor value: the library alone would refuse it."""
    letters = world.dead_letters()
    await letters.start()
    await letters.append(_letter(Record(Position("shop.orders", 0, 1), 1795300000.0)))
    (found,) = await world.letters()
    assert (found.key, found.value) == (None, None)
    assert read_headers(found) is not None
    await letters.stop()


@pytest.mark.parametrize("world", [REAL], indirect=True)
async def test_a_letter_too_large_for_the_topic_is_cut(world: World) -> None:
    """The first 64 KiB, its size, its SHA-256, and the reason that it had."""
    value = bytes(range(256)) * 2000
    letters = world.dead_letters()
    await letters.start()
    await letters.append(_letter(Record(Position("shop.orders", 0, 1), 1795300000.0, b"k", value)))
    (found,) = await world.letters()
    assert found.value == value[:PREFIX_BYTES]
    headers = read_headers(found)
    assert headers is not None
    assert (headers.reason, headers.detail) == (DeadReason.OVERSIZE, "schema: order.total: missing")
    assert dict(found.headers)["vestnik-sha256"] == hashlib.sha256(value).hexdigest().encode()
    await letters.stop()
