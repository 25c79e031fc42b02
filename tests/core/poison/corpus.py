"""Poison for the core's own tests: the small files of the corpus, and texts that mean harm to who reads them."""

import json
from typing import Any

from schemas.dead_letter import DeadReason
from tests.core.planning import order
from tests.poison.corpus import USUAL_LIMIT, cases

_SMALL_BYTES = 1_000_000
# Reasons that only the routes give, or what opens envelopes.
_LATER = ("format", "recipient", "other_shop", "unaddressable", "no_route")


def text(**changes: Any) -> bytes:
    return json.dumps(order(**changes), ensure_ascii=False).encode()


GOOD = text()

_READ = [
    case
    for case in cases()
    if case.row != "E-8" and case.limit == USUAL_LIMIT and case.size < _SMALL_BYTES and case.reason not in _LATER
]

DEAD: dict[str, tuple[bytes, DeadReason]] = {
    case.name: (case.payload.value or b"", DeadReason(case.reason)) for case in _READ if case.ends == "dead_letter"
}

IGNORED: dict[str, tuple[bytes | None, str]] = {
    case.name: (case.payload.value, case.reason) for case in _READ if case.ends == "ignored"
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
