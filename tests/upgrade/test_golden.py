"""What former versions wrote is read for ever, and what this one writes is what its golden files say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.core.backfill import Backfilled, backfilled_of
from consumer.core.control import read_order
from consumer.core.memory import Memory
from consumer.core.model import Command, Position, Record
from consumer.core.ports import Entry, Unreadable
from consumer.core.sending import sending_of
from consumer.core.suppressions import Suppressions, read_listing
from consumer.sinks.seal import key_of, unseal
from consumer.streams.codec import decoded, encoded
from consumer.streams.letters import read_headers
from schemas.journal import JOURNAL_RECORD
from tests.upgrade.formats import GOLDEN, PLACE, SECRET, VERSION, ids, sealed, written

VERSIONS = sorted(path.name for path in GOLDEN.iterdir())
EVERY = [(version, path.name) for version in VERSIONS for path in sorted((GOLDEN / version).iterdir())]
AT = Position("vestnik.backfill.app-push", 0, 3)


def lines(version: str, name: str) -> list[Any]:
    text = (GOLDEN / version / name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def headers_of(pairs: list[list[str]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode()) for name, value in pairs)


def keeps(old: Any, new: Any) -> bool:
    """Whether everything of a former record is in the record as it is read now."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and keeps(old[name], new[name]) for name in old)
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(keeps, old, new))
    return bool(old == new)


def _journal(path: Path) -> None:
    memory = Memory(8 * 86_400.0)
    for offset, line in enumerate(path.read_bytes().splitlines()):
        record = decoded(line)
        assert not isinstance(record, Unreadable), record
        assert keeps(json.loads(line), json.loads(encoded(record)))
        memory.apply(Entry(offset, 1_788_246_900.0 + offset, record))
    assert memory.epoch == 7
    assert memory.ended(bytes.fromhex("0102030405060708090a0b0c")) == bytes.fromhex("deadbeef")


def _dead_letters(path: Path) -> None:
    for pairs in map(json.loads, path.read_text("utf-8").splitlines()):
        found = read_headers(Record(AT, 1.0, b"123", b"{}", headers_of(pairs)))
        assert found is not None
        assert (found.lane, found.topic, found.partition, found.offset) == ("app-push", "shop.orders", 2, 7)
        assert (found.timestamp, found.command) == (1_788_246_905.25, "0102030405060708090a0b0c")


def _backfill(path: Path) -> None:
    for pairs in map(json.loads, path.read_text("utf-8").splitlines()):
        found = backfilled_of(Record(AT, 1.0, b"123", b"{}", headers_of(pairs)))
        assert isinstance(found, Backfilled)
        assert (found.replay, found.routes, found.again) == ("replay-1", frozenset({"order-ready", "staff"}), True)
        assert (found.record.position, found.redrives) == (Position("shop.orders", 2, 7), 1)
        assert (found.extend_ttl_seconds, len(found.revive)) == (3600.5, 2)


def _send(path: Path) -> None:
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        record = Record(AT, 1.0, row["key"].encode(), row["value"].encode(), headers_of(row["headers"]))
        found = sending_of(record, "app", 60.0)
        assert isinstance(found, Command)
        assert (found.recipient, found.wordings[0].text) == ("79991234567", "Это проба")


def _control(path: Path) -> None:
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        order = read_order(row["value"].encode())
        assert order is not None
        assert (order.paused, order.who, order.reason) == (True, "ann@host", "стоп")
        assert order.until is not None


def _suppressions(path: Path) -> None:
    rows = list(map(json.loads, path.read_text("utf-8").splitlines()))
    listed = Suppressions("app-push", b"a key for the tests")
    for row, lists in zip(rows, (True, True, False), strict=True):
        value = None if row["value"] is None else row["value"].encode()
        assert (read_listing(row["key"].encode(), value) is None) is (value is None)
        listed.apply(row["key"].encode(), value)
        assert listed.lists("79991234567", 1_788_246_900.0) is lists
    assert listed.unreadable == 0


def _tokens(path: Path) -> None:
    key = key_of(SECRET)
    assert key is not None
    old = bytes.fromhex(path.read_text("ascii"))
    assert unseal([key], PLACE, old) == b'{"access_token": "a", "refresh_token": "b"}'
    new = sealed()
    # Each seal has a nonce of its own; what stands before it, and the length, are the format.
    assert (new[:10], len(new)) == (old[:10], len(old))


def _ids(path: Path) -> None:
    assert keeps(json.loads(path.read_text("utf-8")), ids())


READ: dict[str, Callable[[Path], None]] = {
    "journal.jsonl": _journal,
    "dead_letter.jsonl": _dead_letters,
    "backfill.jsonl": _backfill,
    "send.jsonl": _send,
    "control.jsonl": _control,
    "suppressions.jsonl": _suppressions,
    "token.hex": _tokens,
    "ids.json": _ids,
}


@pytest.mark.parametrize(("version", "name"), EVERY)
def test_what_a_version_wrote_is_read(version: str, name: str) -> None:
    """The ids of commands among it: who was told is told nothing again after an upgrade."""
    READ[name](GOLDEN / version / name)


@pytest.mark.parametrize("name", sorted(written()))
def test_what_is_written_today_is_what_the_newest_golden_file_says(name: str) -> None:
    """A change of format is a new version with golden files of its own: bump `VERSION` there and write them."""
    assert written()[name] == (GOLDEN / VERSION / name).read_bytes()


def test_every_kind_of_journal_record_has_a_golden_line() -> None:
    schema = JOURNAL_RECORD.json_schema()
    assert {line["kind"] for line in lines(VERSION, "journal.jsonl")} == set(schema["discriminator"]["mapping"])


def test_every_format_has_its_golden_file() -> None:
    assert {path.name for path in (GOLDEN / VERSION).iterdir()} == set(READ)


def test_a_golden_file_that_changed_is_found() -> None:
    assert keeps({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2, "c": 3}], "d": 4})
    for changed in ({"a": [1]}, {"a": [1, {"b": 3}]}, {"a": [1, {}]}, {}):
        assert not keeps({"a": [1, {"b": 2}]}, changed)
