"""Files of JSON lines: their form, what a crash leaves, and plain events."""

import asyncio
import base64
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.facts import Fact
from consumer.core.model import Position, Record, TopicPartition, Trouble
from consumer.core.ports import Span, Unreadable
from consumer.streams.line_records import line_of, record_of
from consumer.streams.lines import LinesJournal, LinesSource
from schemas.journal import Claim

FOLLOWING = Position("shop.orders", 0, 17)
octets = st.none() | st.binary(max_size=40)


class Beginning:
    """A seat that begins at the beginning."""

    def __init__(self, source: LinesSource) -> None:
        self._source = source

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self._source.seek(dict.fromkeys(partitions, 0))

    async def revoked(self) -> None:
        """Never called: a file has one reader."""


async def _values(source: LinesSource, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    async with asyncio.timeout(10):
        while len(values) < count:
            got = await source.poll((), 0.5)
            assert not isinstance(got, Trouble)
            values += [record.value for record in got]
    return values


@given(octets, octets, st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9)), max_size=3), st.floats(0, 2e9))
def test_a_record_is_the_same_after_a_line(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], timestamp: float
) -> None:
    """Whatever its bytes."""
    record = Record(Position("t", 3, 9), timestamp, key, value, tuple(headers))
    line = line_of(record)
    assert line.count(b"\n") == 1
    assert record_of(line.rstrip(b"\n"), FOLLOWING, 0.0) == record


@given(st.binary(max_size=60))
def test_any_other_line_is_the_value_of_the_next_record(line: bytes) -> None:
    """Plain events, garbage, half a line: the plan decides what it is."""
    assert record_of(line, FOLLOWING, 5.0) == Record(FOLLOWING, 5.0, None, line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"topic":"t","partition":-1,"offset":0,"value":"x"}',
        b'{"topic":"t","partition":0,"offset":true,"value":"x"}',
        b'{"topic":7,"partition":0,"offset":0,"value":"x"}',
        b'{"topic":"t","partition":0,"offset":0,"value":{"hex":"zz"}}',
        b'{"topic":"t","partition":0,"offset":0,"value":"x","headers":[["only"]]}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_nearly_a_record_is_a_plain_one(line: bytes) -> None:
    """Nothing raises, nothing is lost."""
    assert record_of(line, FOLLOWING, 5.0).value == line


async def test_plain_events_are_numbered_and_a_missing_last_end_of_line_is_forgiven(tmp_path: Path) -> None:
    """A file that an editor wrote."""
    (tmp_path / "events.jsonl").write_bytes(b'{"type":"order.paid"}\nnonsense\n{"type":"last"}')
    source = LinesSource(
        str(tmp_path / "events.jsonl"), ["shop.orders"], tmp_path / "offsets.json", list[Fact]().append
    )
    await source.start(Beginning(source))
    assert await _values(source, 3) == [b'{"type":"order.paid"}', b"nonsense", b'{"type":"last"}']
    await source.stop()


async def test_standard_input_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is spooled, so that a seek works as in a file."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc")))
    source = LinesSource("-", ["shop.orders"], tmp_path / "offsets.json", list[Fact]().append)
    await source.start(Beginning(source))
    assert await _values(source, 3) == [b"a", b"b", b"c"]
    source.seek({TopicPartition("shop.orders", 0): 1})
    assert await _values(source, 2) == [b"b", b"c"]
    await source.stop()


async def test_broken_offsets_are_lost_offsets_and_never_a_beginning(tmp_path: Path) -> None:
    """Silently beginning anew would tell everybody everything again."""
    (tmp_path / "events.jsonl").touch()
    (tmp_path / "offsets.json").write_text('{"shop.orders": {"0"')
    source = LinesSource(
        str(tmp_path / "events.jsonl"), ["shop.orders"], tmp_path / "offsets.json", list[Fact]().append
    )
    found = await source.committed()
    assert isinstance(found, Trouble)
    assert found.reason == "offsets_lost"
    assert isinstance(await source.commit({TopicPartition("shop.orders", 0): 1}), Trouble)


async def test_a_line_that_a_crash_tore_is_unreadable_and_the_journal_goes_on(tmp_path: Path) -> None:
    """The record was never acked; the next one stands on a line of its own."""
    path = tmp_path / "journal.jsonl"
    first = LinesJournal(path)
    await first.append(Claim(epoch=1, member="a"))
    with path.open("ab") as file:
        file.write(b'{"topic":"journal","part')
    second = LinesJournal(path)
    ack = await second.append(Claim(epoch=2, member="b"))
    assert ack.offset == 2
    assert await second.rewind(0.0) == Span(0, cut=False, empty=False)
    entries = await second.read(0.0)
    assert [type(entry.record) for entry in entries] == [Claim, Unreadable, Claim]
    assert entries[2].offset == ack.offset
    await second.stop()


async def test_a_file_that_is_missing_is_a_topic_that_is_missing(tmp_path: Path) -> None:
    """Trouble by name, and extents say the same."""
    source = LinesSource(str(tmp_path / "none.jsonl"), ["shop.orders"], tmp_path / "offsets.json", list[Fact]().append)
    await source.start(Beginning(source))
    await asyncio.sleep(0)
    got, extents = await source.poll((), 0.01), await source.extents()
    assert isinstance(got, Trouble)
    assert isinstance(extents, Trouble)
    assert (got.reason, extents.reason) == ("topic_missing", "topic_missing")
    await source.stop()


def test_a_line_of_an_export_is_the_record_that_it_was() -> None:
    line = {
        "id": "l-1", "reason": "schema", "topic": "shop.orders", "partition": 2, "offset": 7, "timestamp": 5.0,
        "key": "c-1", "value": {"base64": base64.b64encode(b"\xff\x00").decode()}, "headers": [["trace", "1"]],
    }  # fmt: skip
    record = record_of(json.dumps(line).encode(), FOLLOWING, 9.0)
    assert (record.position, record.timestamp) == (Position("shop.orders", 2, 7), 5.0)
    assert (record.key, record.value, record.headers) == (b"c-1", b"\xff\x00", (("trace", b"1"),))


def test_what_is_no_base64_is_the_value_itself() -> None:
    line = {"topic": "shop.orders", "partition": 2, "offset": 7, "value": {"base64": "no!"}}
    assert record_of(json.dumps(line).encode(), FOLLOWING, 9.0).position == FOLLOWING
