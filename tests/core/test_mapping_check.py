"""Every mistake in a mapping is told with its line, and a mapping without any is ready to work."""

import json

import pytest

from consumer.core.document import Problem
from consumer.core.event_types import SHIPPED
from consumer.core.mapping_check import LoadedMapping, MappingText, examples_of, read_mapping
from tests.core.test_mapping import TEXT

EXAMPLES = """\
examples:
  - event: paid.json
    headers: {X-Topic: orders/paid}
    key: "89991234567"
    expect: {type: order.paid, order.id: "4711", customer.phone: "79991234567", order.total: null}
  - {event: paid.json, expect: ignored}
"""
PAID = {"kind": "order", "uid": "u-1", "at": "2026-09-01 10:15:00", "buyer": {"id": 1}, "number": 4711, "lines": []}
WHOLE = TEXT + EXAMPLES
FILES = {"paid.json": json.dumps(PAID).encode(), "broken.json": b"{"}


def read(text: str) -> LoadedMapping | list[Problem]:
    return read_mapping(MappingText("m.yaml", text, FILES), SHIPPED)


def test_a_mapping_without_mistakes_is_ready() -> None:
    loaded = read(WHOLE)
    assert isinstance(loaded, LoadedMapping), loaded
    assert loaded.mapping.types == ("order.paid", "order.shipped", "order.created")


def test_the_files_of_examples_are_known_before_the_mapping_is() -> None:
    assert examples_of(WHOLE) == ["paid.json", "paid.json"]
    assert examples_of("examples: [1, {event: 2}]") == []
    assert examples_of("examples: 7") == []
    assert examples_of("[") == []


_DEEP = "(" * 495 + "body" + ")" * 495
MISTAKES: dict[str, tuple[str, str, str]] = {
    "no YAML": (WHOLE, "a: [", "m.yaml:1: not YAML"),
    "no mapping": (WHOLE, "about: x", 'the key "fields" is missing'),
    "expression": ("body.uid", "body.[", "event_id: no expression of JMESPath"),
    "condition": ("body.kind ==", "body.kind =", "where: no expression of JMESPath"),
    "function that there is not": (
        "length(body.lines)",
        "len(body.lines)",
        'no function "len"',
    ),
    "deep": ("body.uid", _DEEP, "event_id: the expression is nested too deeply"),
    "root": ("body.uid", "uid", 'there is no "uid" to begin with; the foreign event is "body": body.uid'),
    "root like one": ("body.uid", "header.uid", 'there is no "header" to begin with; did you mean "headers"?'),
    "header": ('"x-topic"', '"X-Topic"', "names of headers are read in small letters"),
    "type in a table": ("order.shipped,", "order.sent,", 'm.yaml:6: there is no event "order.sent"'),
    "one type": (WHOLE[WHOLE.index("type:\n") : WHOLE.index("fields:")], "type: order.payd\n", 'no event "order.payd"'),
    "field": ("order.status", "order.state", 'our events have no field "order.state"'),
    "part": ("order.status", "order.delivery", '"order.delivery" is a part of an event'),
    "ours": ("order.status", "type", '"type" is no field to fill in'),
    "time is missing": ("  occurred_at: {from: body.at, as: time, zone: Europe/Moscow}\n", "", "must have occurred_at"),
    "id is missing": ("  order.id: {from: body.number, as: text}\n", "", "must have order.id"),
    "zone": ("Europe/Moscow", "Moscow", "not a time zone"),
    "pattern": ("zone: Europe/Moscow", 'pattern: "%d %B"', "a pattern has day, month and year"),
    "both": ("shop: {value: ducky}", "shop: {value: ducky, from: key}", "exactly one of from and value"),
    "value with a manner": (
        "shop: {value: ducky}",
        "shop: {value: ducky, as: text}",
        "a value is written as it stands",
    ),
    "otherwise": ("as: phone", "as: phone, otherwise: x", "otherwise goes with a table"),
    "zone of a phone": ("as: phone", "as: phone, zone: Europe/Moscow", "zone and pattern go with as: time"),
    "file": ("event: paid.json\n", "event: nothing.json\n", 'there is no file "nothing.json"'),
    "broken file": ("event: paid.json\n", "event: broken.json\n", '"broken.json" is not JSON: invalid_json'),
    "unfit": ("body.at,", "body.uid,", "no event comes of it: mapping: occurred_at"),
    "nothing comes": ("orders/paid}\n", "orders/none}\n", "nothing comes of it"),
    "something comes": (
        "{event: paid.json, expect",
        "{event: paid.json, headers: {x-topic: orders/paid}, expect",
        "was expected",
    ),
    "another value": ('order.id: "4711"', 'order.id: "4712"', 'order.id is "4711"; expected is "4712"'),
    "below a text": ('order.id: "4711"', "order.id.x: 1", "order.id.x is null; expected is 1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(name: str) -> None:
    old, new, words = MISTAKES[name]
    assert old in WHOLE
    found = read(WHOLE.replace(old, new, 1))
    assert isinstance(found, list)
    assert any(words in str(each) for each in found), [str(each) for each in found]


def test_patterns_of_numbers_slices_and_mappings_for_everything_are_read() -> None:
    text = WHOLE.replace("body.at, as: time", 'body.at, as: time, pattern: "%Y-%m-%d %H:%M:%S"')
    text = text.replace("where: body.kind == 'order'\n", "").replace("body.uid", '"body.uid || body.uids[0:1] | [0]"')
    assert isinstance(read(text), LoadedMapping)


def test_a_field_that_only_some_of_the_types_have_is_none_of_the_mappings_mistakes() -> None:
    text = WHOLE.replace("orders/sent: order.shipped", "orders/sent: bonus.expired")
    found = read(text)
    assert isinstance(found, list)
    assert {str(each).partition(": ")[2].partition(",")[0] for each in found} == {"our events must have bonus.amount"}
