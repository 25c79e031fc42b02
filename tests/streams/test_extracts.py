"""Where a key stands, and the lines of an export as records again."""

import base64
import json

import pytest
from aiokafka.partitioner import DefaultPartitioner

from consumer.core.model import Position
from consumer.streams.extracts import partition_of
from consumer.streams.line_records import record_of


@pytest.mark.parametrize("key", [b"", b"1", b"c-123", "Иван".encode(), b"\xff" * 100])
def test_a_key_is_where_kafkas_own_clients_put_it(key: bytes) -> None:
    assert partition_of(key, 7) == DefaultPartitioner()(key, list(range(7)), list(range(7)))


def test_a_line_of_an_export_is_the_record_that_it_was() -> None:
    line = {
        "id": "l-1", "reason": "schema", "topic": "shop.orders", "partition": 2, "offset": 7, "timestamp": 5.0,
        "key": "c-1", "value": {"base64": base64.b64encode(b"\xff\x00").decode()}, "headers": [["trace", "1"]],
    }  # fmt: skip
    record = record_of(json.dumps(line).encode(), Position("lines", 0, 0), 9.0)
    assert (record.position, record.timestamp) == (Position("shop.orders", 2, 7), 5.0)
    assert (record.key, record.value, record.headers) == (b"c-1", b"\xff\x00", (("trace", b"1"),))


def test_what_is_no_base64_is_the_value_itself() -> None:
    line = {"topic": "shop.orders", "partition": 2, "offset": 7, "value": {"base64": "no!"}}
    assert record_of(json.dumps(line).encode(), Position("lines", 0, 0), 9.0).position == Position("lines", 0, 0)
