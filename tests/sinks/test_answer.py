"""Bodies read strictly, and the wish to wait."""

import pytest

from consumer.sinks.answer import read_object, retry_after_seconds, words
from consumer.sinks.http import Reply

DATE = "Tue, 01 Sep 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", None),
        ("1e9", 900.0),
        ("1000000000", 900.0),
        ("inf", 900.0),
        ("nan", None),
        ("abc", None),
        ("", None),
        ("1_0", None),
        ("9" * 400, None),
        ("Tue, 01 Sep 2026 10:00:42 GMT", 42.0),
        ("Tue, 01 Sep 2026 13:00:42 +0300", 42.0),
        ("Tue, 01 Sep 2026 09:00:00 GMT", 0.0),
        ("Wed, 02 Sep 2026 10:00:00 GMT", 900.0),
        ("Tue, 99 Sep 2026 10:00:00 GMT", None),
    ],
)
def test_retry_after_is_honoured_up_to_a_quarter_of_an_hour(header: str, seconds: float | None) -> None:
    assert retry_after_seconds(Reply(429, {"retry-after": header, "date": DATE})) == seconds


def test_a_date_without_a_date_to_compare_it_with_says_nothing() -> None:
    assert retry_after_seconds(Reply(429, {"retry-after": DATE})) is None
    assert retry_after_seconds(Reply(429)) is None


def test_an_object_is_read_and_what_parsers_disagree_on_is_not() -> None:
    assert read_object(b'{"a": {"b": [1, "\xd1\x8f"]}}') == {"a": {"b": [1, "я"]}}
    for body in (b"", b"[]", b"{", b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":Infinity}', b"\xff", b"[" * 100_000):
        assert read_object(body) is None


def test_the_words_of_a_provider_become_one_printable_line() -> None:
    assert words("two\nlines\x1b[31m", None, {"a": 1}, "end") == "two lines [31m end"
