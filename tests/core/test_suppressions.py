"""The list of suppressions: by keyed hash, for a time and for some lanes; whatever else stands in the topic."""

import pytest

from consumer.core.suppressions import Suppression, Suppressions, fingerprint, read_listing, suppression_row

KEY = b"0123456789abcdef"


def listed(*rows: tuple[bytes | None, bytes | None], lane: str = "push") -> Suppressions:
    suppressions = Suppressions(lane, KEY)
    for row in rows:
        suppressions.apply(*row)
    return suppressions


def row(recipient: str, text: str) -> tuple[bytes, bytes]:
    key, value = suppression_row(KEY, recipient, Suppression.model_validate_json(text))
    assert value is not None
    return key, value


def test_an_empty_list_names_nobody() -> None:
    assert not Suppressions("push", KEY).lists("a", 0.0)


def test_who_is_put_on_the_list_is_named_until_they_are_taken_off() -> None:
    suppressions = listed(row("a", '{"reason": "complaint"}'), row("b", "{}"))
    assert suppressions.lists("a", 0.0)
    assert not suppressions.lists("c", 0.0)
    suppressions.apply(*suppression_row(KEY, "a", None))
    assert not suppressions.lists("a", 0.0)
    assert len(suppressions) == 1


def test_a_suppression_may_end() -> None:
    suppressions = listed(row("a", '{"until": "1970-01-01T01:00:00Z"}'))
    assert suppressions.lists("a", 3599.0)
    assert not suppressions.lists("a", 3600.0)


def test_a_suppression_may_be_for_some_lanes_only() -> None:
    some = row("a", '{"lanes": ["push", "staff"]}')
    assert listed(some).lists("a", 0.0)
    assert not listed(some, lane="email").lists("a", 0.0)


def test_one_that_is_narrowed_to_other_lanes_is_off_the_list_here() -> None:
    suppressions = listed(row("a", "{}"), row("a", '{"lanes": ["staff"]}'))
    assert not suppressions.lists("a", 0.0)


def test_another_key_finds_nobody() -> None:
    suppressions = Suppressions("push", b"another key of sixteen")
    suppressions.apply(*row("a", "{}"))
    assert not suppressions.lists("a", 0.0)


def test_a_long_key_is_hashed_first() -> None:
    assert fingerprint(b"k" * 65, "a") != fingerprint(b"k" * 64, "a")
    assert len(fingerprint(b"k" * 500, "a")) == 16


def test_the_row_does_not_name_the_recipient() -> None:
    key, value = suppression_row(KEY, "79161234567", Suppression(reason="asked by mail"))
    assert b"7916" not in key + (value or b"")
    assert read_listing(key, value) is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"not hex", b"{}"),
        (b"\xff\xfe", b"{}"),
        (b"abcd", b"{}"),
        (b"00" * 16, b"not json"),
        (b"00" * 16, b'{"until": "tomorrow"}'),
        (b"00" * 16, b'{"until": "2026-01-01T00:00:00"}'),
    ],
)
def test_what_is_no_row_of_ours_changes_nothing_and_is_counted(key: bytes | None, value: bytes) -> None:
    suppressions = listed(row("a", "{}"), (key, value))
    assert suppressions.lists("a", 0.0)
    assert suppressions.unreadable == 1


@pytest.mark.parametrize("key", [None, b"zz", b"\xff", b"00" * 16])
def test_a_tombstone_of_nobody_changes_nothing(key: bytes | None) -> None:
    suppressions = listed(row("a", "{}"), (key, None))
    assert suppressions.lists("a", 0.0)
