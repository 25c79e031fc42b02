"""Payloads that no shop should publish and some shop will: each with what must become of it."""

import json
from typing import Any

from schemas.dead_letter import DeadReason
from tests.core.planning import order

JSON = DeadReason.INVALID_JSON
SCHEMA = DeadReason.SCHEMA


def text(**changes: Any) -> bytes:
    return json.dumps(order(**changes), ensure_ascii=False).encode()


GOOD = text()


def spliced(old: str, new: str) -> bytes:
    """A good event with some of its bytes changed."""
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode(), 1)


DEAD: dict[str, tuple[bytes, DeadReason]] = {
    "empty": (b"", JSON),
    "blank": (b"  \n", JSON),
    "not json": (b"hello", JSON),
    "cut short": (GOOD[:-20], JSON),
    "two documents": (GOOD + GOOD, JSON),
    "trailing comma": (b'{"type": "order.paid",}', JSON),
    "single quotes": (b"{'type': 'order.paid'}", JSON),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, JSON),
    "utf-16": (GOOD.decode().encode("utf-16"), JSON),
    "utf-32": (GOOD.decode().encode("utf-32-le"), JSON),
    "windows-1251": (GOOD.decode().encode("cp1251"), JSON),
    "overlong utf-8": (b'{"type": "\xc0\xaf"}', JSON),
    "raw control character": (spliced("М-428", "М\x01428"), JSON),
    "raw newline": (spliced("М-428", "М\n428"), JSON),
    "lone surrogate": (spliced("М-428", "\\ud83d!"), JSON),
    "lone surrogate in a key": (spliced('"public_id"', '"\\udc00"'), JSON),
    "raw surrogate": (GOOD.replace("М-428".encode(), b"\xed\xa0\x80"), JSON),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", JSON),
    "avro": (b"\x00\x00\x00\x00\x01\x02", JSON),
    "a list": (b"[]", SCHEMA),
    "null": (b"null", SCHEMA),
    "a text": (b'"order.paid"', SCHEMA),
    "true": (b"true", SCHEMA),
    "a number": (b"42", SCHEMA),
    "an empty object": (b"{}", SCHEMA),
    "type only": (b'{"type": "order.paid"}', SCHEMA),
    "no order": (text(order=...), SCHEMA),
    "order is null": (text(order=None), SCHEMA),
    "order is a text": (text(order="05671863"), SCHEMA),
    "order without id": (text(order__id=...), SCHEMA),
    "empty id": (text(order__id=""), SCHEMA),
    "numeric id": (text(order__id=5671863), SCHEMA),
    "id with spaces": (text(order__id="1 2"), SCHEMA),
    "id with a control character": (text(order__id="1\u0000"), SCHEMA),
    "text for a number": (text(order__revision="4"), SCHEMA),
    "true for a number": (text(order__revision=True), SCHEMA),
    "fraction for a number": (text(order__revision=4.0), SCHEMA),
    "negative revision": (text(order__revision=-1), SCHEMA),
    "number for money": (text(order__total=29336.0), SCHEMA),
    "exponent in money": (text(order__total="1e9"), SCHEMA),
    "spaces in money": (text(order__total="29 336"), SCHEMA),
    "NaN in money": (text(order__total="NaN"), SCHEMA),
    "money without end": (text(order__total="9" * 30), SCHEMA),
    "arabic digits in money": (text(order__total="٢٥٠"), SCHEMA),
    "currency in words": (text(order__currency="рубль"), SCHEMA),
    "customer is a number": (text(customer=123), SCHEMA),
    "numeric customer id": (text(customer__id=123), SCHEMA),
    "consent in words": (text(customer__consents__push="yes"), SCHEMA),
    "time without an offset": (text(occurred_at="2026-09-01T10:15:00"), SCHEMA),
    "time in milliseconds": (text(occurred_at=1_788_246_900_000), SCHEMA),
    "time in a text of digits": (text(occurred_at="1788246900"), SCHEMA),
    "month thirteen": (text(occurred_at="2026-13-01T10:15:00+03:00"), SCHEMA),
    "a date for a time": (text(occurred_at="2026-09-01"), SCHEMA),
    "a time for a date": (text(order__delivery__storage_until="2026-09-09T10:00:00Z"), SCHEMA),
    "a million managers": (text(order__responsible_user_ids=[17] * 1001), SCHEMA),
    "a manager with a name": (text(order__responsible_user_ids=["17"]), SCHEMA),
    "no version": (text(version=...), SCHEMA),
    "version in a text": (text(version="1"), SCHEMA),
    "version true": (text(version=True), SCHEMA),
    "a later version": (text(version=2), DeadReason.UNKNOWN_VERSION),
    "version zero": (text(version=0), DeadReason.UNKNOWN_VERSION),
    "a later version of another shape": (text(version=2, order="new"), DeadReason.UNKNOWN_VERSION),
    "customer id twice": (spliced('"id": "123"', '"id": "123", "id": "124"'), DeadReason.DUPLICATE_KEY),
    "total twice, once escaped": (
        spliced('"total": "29336.00"', '"total": "29336.00", "t\\u006ftal": "1.00"'),
        DeadReason.DUPLICATE_KEY,
    ),
    "type twice": (spliced('"version": 1', '"version": 1, "type": "order.paid"'), DeadReason.DUPLICATE_KEY),
    "NaN": (spliced('"items_count": 3', '"items_count": NaN'), DeadReason.NUMBER),
    "NaN in an unknown field": (spliced('"items_count": 3', '"weight": NaN'), DeadReason.NUMBER),
    "infinity": (spliced('"items_count": 3', '"weight": -Infinity'), DeadReason.NUMBER),
    "a number beyond doubles": (spliced('"items_count": 3', '"weight": 1e999'), DeadReason.NUMBER),
    "two to the seventieth": (spliced('"items_count": 3', f'"weight": {2**70}'), DeadReason.NUMBER),
    "just over 64 bits": (spliced('"items_count": 3', f'"weight": {2**63}'), DeadReason.NUMBER),
    "five thousand digits": (spliced('"items_count": 3', '"weight": ' + "9" * 5000), DeadReason.NUMBER),
    "nested lists": (b"[" * 100_000, DeadReason.DEPTH),
    "nested objects": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, DeadReason.DEPTH),
    "nested in an unknown field": (
        spliced('"items_count": 3', '"x": ' + "[" * 40 + "]" * 40),
        DeadReason.DEPTH,
    ),
    "quotes without end": (b'["' + b'\\"' * 100_000, JSON),
    "brackets in a text without end": (b'"' + b"[{" * 100_000, JSON),
    "many brackets side by side": (b"[" + b"[]," * 50_000 + b"[]]", SCHEMA),
    "too large": (text(order__cancel_reason="я" * 140_000), DeadReason.OVERSIZE),
    "a long text": (text(order__cancel_reason="я" * 5_000), SCHEMA),
}

IGNORED: dict[str, tuple[bytes | None, str]] = {
    "tombstone": (None, "tombstone"),
    "unknown type": (text(type="order.teleported"), "unknown_type"),
    "type in capitals": (text(type="ORDER.PAID"), "unknown_type"),
    "type with a look-alike": (text(type="оrder.paid"), "unknown_type"),
    "numeric type": (text(type=7), "unknown_type"),
    "unknown type and nothing else": (b'{"type": "page.viewed"}', "unknown_type"),
}

# Events that are right, whatever stands in their texts: (what stands in order.public_id, what a customer sees).
SAID: dict[str, tuple[str, str]] = {
    "template": ("{{7*7}}", "{{7*7}}"),
    "statement": ("{% for x in y %}", "{% for x in y %}"),
    "format": ("{0.__class__} %s", "{0.__class__} %s"),
    "lookup": ("${jndi:ldap://x}", "${jndi:ldap://x}"),
    "markup": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "line breaks": ("1\r\n\tERROR forged", "1 ERROR forged"),
    "ansi": ("\x1b[31mred\x1b[0m", "[31mred[0m"),
    "null character": ("a\x00b", "ab"),
    "right to left override": ("abc\u202egnp.exe", "abcgnp.exe"),
    "isolates": ("\u2066a\u2069", "a"),
    "zero width": ("О\u200bЗ\u200d\ufeffО\u2060Н", "ОЗОН"),
    "soft hyphen": ("за\u00adказ", "заказ"),
    "no-break spaces": ("1\u202f000\u00a0000", "1\u00a0000\u00a0000"),
    "ideographic space": ("a\u3000\u2003b", "a b"),
    "decomposed": ("и\u0306", "й"),
    "piled marks": ("a" + "\u0315" * 10, "a" + "\u0315" * 4),
    "emoji": ("🦆", "🦆"),
    "family": ("👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"),
    "profession": ("👩🏽‍🚀", "👩🏽‍🚀"),
    "flag of a region": ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🏴󠁧󠁢󠁷󠁬󠁳󠁿"),
    "hidden tags": ("a\U000e0041\U000e0042", "a"),
}
