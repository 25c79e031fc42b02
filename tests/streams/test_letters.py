"""Headers of dead letters: there and back, capped, and cut."""

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.backfill import Backfilled
from consumer.core.model import Position, Record, Rejection
from consumer.core.ports import DeadLetter
from consumer.streams.letters import (
    DETAIL_BYTES,
    ORIGINAL_HEADERS,
    ORIGINAL_HEADERS_BYTES,
    PREFIX_BYTES,
    cut,
    letter_headers,
    read_headers,
)

Headers = tuple[tuple[str, bytes], ...]


def _letter(headers: Headers = (), detail: str = "", route: str | None = None) -> DeadLetter:
    record = Record(Position("shop.orders", 2, 7), 1795300000.125, b"k", b"v", headers)
    return DeadLetter("app-push", record, Rejection("id-1", "render", detail, route))


def _as_record(headers: Headers) -> Record:
    return Record(Position("vestnik.dead-letters", 0, 0), 0.0, b"k", b"v", headers)


@given(st.text(max_size=3000), st.none() | st.text(min_size=1, max_size=50))
def test_headers_can_be_read_back(detail: str, route: str | None) -> None:
    """Whatever the detail; a long one loses its end and no half of a letter stays."""
    found = read_headers(_as_record(letter_headers(_letter(detail=detail.replace("\ud800", ""), route=route))))
    assert found is not None
    assert (found.topic, found.partition, found.offset, found.timestamp) == ("shop.orders", 2, 7, 1795300000.125)
    assert (found.route, found.command, found.redrives) == (route, None, 0)
    assert detail.startswith(found.detail)
    assert len(found.detail.encode()) <= DETAIL_BYTES


def test_headers_of_an_earlier_life_give_way_but_for_their_redrives() -> None:
    """A letter that dies again counts how often it was tried."""
    earlier = (("trace", b"1"), ("vestnik-reason", b"schema"), ("vestnik-redrives", b"2"), ("vestnik-own", b"x"))
    headers = letter_headers(_letter(earlier))
    names = [name for name, _ in headers]
    assert names.count("vestnik-reason") == 1
    assert "vestnik-own" not in names
    assert headers[0] == ("trace", b"1")
    found = read_headers(_as_record(headers))
    assert found is not None
    assert (found.reason, found.redrives) == ("render", 2)


def test_a_letter_of_what_a_replay_brought_is_that_of_the_original() -> None:
    """It names where and when the record first stood, so that it is the same letter."""
    first = _letter((("trace", b"1"),))
    headers = Backfilled(first.record, "r-1", redrives=1).to_headers()
    brought = replace(
        first.record, position=Position("vestnik.backfill.app-push", 0, 3), timestamp=2e9, headers=headers
    )
    counted = (("vestnik-redrives", b"0"), ("vestnik-redrives", b"1"))
    assert set(letter_headers(replace(first, record=brought))) ^ set(letter_headers(first)) == set(counted)


def test_the_originals_headers_are_capped_in_number_and_size() -> None:
    """Ours are always there."""
    many = letter_headers(_letter(tuple((f"h{number}", b"") for number in range(1000))))
    assert len([name for name, _ in many if name.startswith("h")]) == ORIGINAL_HEADERS
    large = letter_headers(_letter((("small", b"1"), ("large", b"x" * ORIGINAL_HEADERS_BYTES))))
    assert [name for name, _ in large if not name.startswith("vestnik-")] == ["small"]
    assert read_headers(_as_record(large)) is not None


def test_a_cut_letter_keeps_its_first_reason_and_a_digest_of_the_whole() -> None:
    """So that a person knows what to fetch from the source."""
    value = b"x" * (PREFIX_BYTES + 1)
    headers, short = cut(letter_headers(_letter(detail="no title")), value)
    found = read_headers(_as_record(headers))
    assert found is not None
    assert (found.reason, found.detail, len(short)) == ("oversize", "render: no title", PREFIX_BYTES)
    assert dict(headers)["vestnik-sha256"].decode() == hashlib.sha256(value).hexdigest()
    assert dict(headers)["vestnik-size"] == str(len(value)).encode()


@given(st.lists(st.tuples(st.sampled_from(["vestnik-id", "vestnik-offset", "x"]), st.binary(max_size=8)), max_size=4))
def test_headers_that_are_none_of_ours_are_no_letter(headers: list[tuple[str, bytes]]) -> None:
    """Whatever their bytes."""
    assert read_headers(_as_record(tuple(headers))) is None


def test_a_letter_that_was_cut_says_how_large_it_was() -> None:
    headers, value = cut(letter_headers(_letter()), b"x" * (PREFIX_BYTES + 1))
    found = read_headers(_as_record(headers))
    assert found is not None
    assert (found.size, found.sha256) == (PREFIX_BYTES + 1, hashlib.sha256(b"x" * (PREFIX_BYTES + 1)).hexdigest())
    assert len(value) == PREFIX_BYTES
