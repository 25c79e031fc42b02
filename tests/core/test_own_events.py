"""A schema file becomes an event type that is as strict as ours, or every mistake in it is told."""

import json
from typing import Any

import pytest

from consumer.core.decode import Undecodable
from consumer.core.event_types import EventTypes
from consumer.core.formats import Formats
from consumer.core.own_events import SchemaText, examples_of, read_own_events
from consumer.core.plan import Planner
from consumer.core.profile import LaneProfile
from consumer.core.routes import RouteSet, load_routes
from schemas.dead_letter import DeadReason
from schemas.envelope import Cardinality, Event
from tests.core.planning import DUCKY, planned, record

LIMIT = 256 * 1024
SCHEMA = """\
title: A cart that was left
type: object
required: [cart]
x-subject: cart.id
properties:
  type: {const: cart.abandoned}
  version: {const: 1}
  customer: {type: object}
  note: {type: string, x-cardinality: one_of_n}
  cart:
    type: object
    description: what is in it
    required: [id, left_at]
    properties:
      id: {type: string, minLength: 1, maxLength: 128}
      items_count: {type: integer, minimum: 0, maximum: 100, x-cardinality: bucketed}
      weight: {type: number, maximum: 10}
      total: {type: string, format: money}
      kind: {type: string, enum: [basket, wish]}
      stage: {type: integer, enum: [1, 2]}
      gift: {type: boolean}
      tags: {type: array, items: {type: string}, maxItems: 2}
      url: {type: string, pattern: "^https://"}
      until: {type: string, format: date}
      left_at: {type: [string, "null"], format: date-time}
examples:
  - {type: cart.abandoned, version: 1}
"""
ROUTE = """
- {id: cart, on: cart.abandoned, lane: app, ttl: 3h, thread: cart.id,
   wordings: [{title: "{{ event.note }}", text: "{{ cart.total | money }} {{ event.cart.items_count }}"}]}
"""


def event(**cart: Any) -> bytes:
    whole = {
        "type": "cart.abandoned",
        "version": 1,
        "occurred_at": "2026-09-01T10:15:00+03:00",
        "shop": "ducky",
        "customer": {"id": "123"},
        "note": "Корзина",
        "cart": {"id": "c-1", "left_at": None, "items_count": 2, "total": "2450.00"} | cart,
    }
    return json.dumps(whole).encode()


def types(text: str = SCHEMA) -> EventTypes:
    models = read_own_events([SchemaText("cart.yaml", text)])
    assert isinstance(models, dict), models
    return EventTypes(models)


def problems(text: str) -> list[str]:
    found = read_own_events([SchemaText("cart.yaml", text)])
    assert isinstance(found, list)
    return [str(each) for each in found]


def test_an_own_event_is_read_and_knows_what_it_is_about() -> None:
    more = {
        "weight": 1.5,
        "kind": "wish",
        "stage": 2,
        "gift": True,
        "tags": ["a"],
        "url": "https://x",
        "until": "2026-09-09",
    }
    found = types().decode(event(**more), LIMIT)
    assert isinstance(found, Event)
    assert found.operation == ("c-1", "")
    assert found.revision is None
    assert type(found).PARTS == ("cart",)


def test_without_a_subject_the_event_is_about_nothing_by_itself() -> None:
    found = types(SCHEMA.replace("x-subject: cart.id\n", "")).decode(event(), LIMIT)
    assert isinstance(found, Event)
    assert found.operation == ("", "")


def test_a_subject_that_is_left_out_is_none() -> None:
    found = types(SCHEMA.replace("x-subject: cart.id", "x-subject: cart.stage")).decode(event(), LIMIT)
    assert isinstance(found, Event)
    assert found.operation == ("", "")


@pytest.mark.parametrize(
    "cart",
    [
        {"id": ""},
        {"id": None},
        {"id": 7},
        {"items_count": 101},
        {"items_count": "2"},
        {"weight": 11},
        {"total": 2450},
        {"kind": "list"},
        {"stage": 3},
        {"gift": "yes"},
        {"tags": ["a", "b", "c"]},
        {"tags": [1]},
        {"url": "http://x"},
        {"until": "soon"},
        {"left_at": "2026-09-01"},
    ],
)
def test_what_the_schema_forbids_is_a_dead_letter(cart: dict[str, Any]) -> None:
    found = types().decode(event(**cart), LIMIT)
    assert isinstance(found, Undecodable)
    assert found.reason is DeadReason.SCHEMA
    assert f"cart.{next(iter(cart))}" in found.detail


def test_another_version_of_an_own_event_is_unknown() -> None:
    found = types(SCHEMA.replace("{const: 1}", "{const: 2}")).decode(event(), LIMIT)
    assert isinstance(found, Undecodable)
    assert found.reason is DeadReason.UNKNOWN_VERSION


def test_templates_know_the_fields_of_an_own_event_and_their_cardinality() -> None:
    made = types()
    routes = load_routes({"routes.yaml": ROUTE}, made)
    assert isinstance(routes, RouteSet), routes
    profile = LaneProfile("app", {"ducky": DUCKY}, formats=Formats(types=made))
    (command,) = planned(Planner(profile, routes).plan(record(event()))).commands
    assert command.wordings[0].title == "Корзина"
    assert command.wordings[0].text == "2\u00a0450\u00a0₽ 2"
    marks = made.models["cart.abandoned"].model_fields["cart"].annotation.model_fields  # type: ignore[union-attr]
    said = {name: [each for each in info.metadata if isinstance(each, Cardinality)] for name, info in marks.items()}
    assert said["items_count"] == [Cardinality.BUCKETED]
    assert said["kind"] == said["gift"] == [Cardinality.ONE_OF_N]
    assert said["id"] == [Cardinality.UNIQUE]


def test_a_field_that_an_own_event_does_not_have_is_found_in_a_route() -> None:
    found = load_routes({"routes.yaml": ROUTE.replace("cart.total", "cart.totl")}, types())
    assert isinstance(found, list)
    assert "did you mean" in str(found[0])


def _many(count: int) -> str:
    return "".join(f"      f{number}: {{type: boolean}}\n" for number in range(count))


def _deep(depth: int) -> str:
    whole = "{type: string}"
    for _ in range(depth):
        whole = "{type: object, properties: {a: " + whole + "}}"
    return whole


MISTAKES: dict[str, tuple[str, str, str]] = {
    "no mapping": (SCHEMA, "[]", "cart.yaml:1: a JSON Schema of an event is expected"),
    "no YAML": (SCHEMA, "a: [", "cart.yaml:1: not YAML"),
    "another type": ("type: object\nrequired", "type: array\nrequired", "cart.yaml:2: an event is an object"),
    "no properties": ("properties:\n  type", "x-properties:\n  type", "an object has properties"),
    "unknown word": ("title: A", "titel: A", 'cart.yaml:1: "titel" is not read here; did you mean "title"?'),
    "required is a text": ("required: [cart]", "required: cart", "cart.yaml:3: required is a list of names"),
    "required is unknown": ("required: [cart]", "required: [card]", 'there is no field "card"; did you mean "cart"?'),
    "no version": ("version: {const: 1}", "version: {const: one}", "cart.yaml:7: the version is a number from 1"),
    "version without const": ("version: {const: 1}", "version: {}", "cart.yaml:7: the version is a number from 1"),
    "a name of ours": ("const: cart.abandoned", "const: order.paid", "cart.yaml:6: the event"),
    "a long name": ("const: cart.abandoned", "const: cart." + "a" * 80, "cannot be the name of an event"),
    "no name": ("const: cart.abandoned", "enum: [cart.abandoned]", "cart.yaml:6: the event has no name"),
    "a taken name": ("  note:", "  copy:", 'cart.yaml:9: "copy" has a meaning of its own here'),
    "a taken name below": ("      gift:", "      json:", '"json" cannot be the name of a field'),
    "a name in capitals": ("      gift:", "      Gift:", '"Gift" cannot be the name of a field'),
    "no type": ("gift: {type: boolean}", "gift: {}", '"gift" has no type that is read here'),
    "two types": ("gift: {type: boolean}", "gift: {type: [boolean, string]}", '"gift" has no type that is read here'),
    "subject is a part": ("x-subject: cart.id", "x-subject: cart", "cart.yaml:4: x-subject names no field with an id"),
    "subject is a number": ("x-subject: cart.id", "x-subject: 7", "cart.yaml:4: x-subject names no field with an id"),
    "subject is too deep": ("x-subject: cart.id", "x-subject: cart.id.x.y", "x-subject names no field with an id"),
    "subject is below a text": ("x-subject: cart.id", "x-subject: note.x", "x-subject names no field with an id"),
    "long pattern": ('"^https://"', '"' + "a" * 300 + '"', "a pattern is a text of at most 256"),
    "no pattern": ('"^https://"', '"(?=a)"', "the pattern is none"),
    "minLength": ("minLength: 1", "minLength: 200", "minLength is a number, and not above maxLength"),
    "maxLength": ("maxLength: 128", "maxLength: 100000", "maxLength is a number from 1 to 4096"),
    "minimum": ("minimum: 0", "minimum: none", "minimum is a number"),
    "bounds": ("minimum: 0", "minimum: 200", "minimum is above maximum"),
    "enum": ("enum: [1, 2]", "enum: [1, two]", "enum has whole numbers in it"),
    "items": ("items: {type: string}", "items: {type: object}", "a list has items of one plain type"),
    "items are missing": ("items: {type: string}, ", "", "a list has items of one plain type"),
    "format": ("format: date}", "format: day}", 'there is no format "day" here'),
    "cardinality": ("x-cardinality: bucketed", "x-cardinality: many", "it is one of one_of_n, bucketed, unique"),
    "extra": ("required: [cart]", "additionalProperties: false", "leave additionalProperties out"),
    "many": ("      gift: {type: boolean}\n", _many(250), "more than 200 fields"),
    "deep": ("gift: {type: boolean}", "gift: " + _deep(12), "nested deeper than 8"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(name: str) -> None:
    old, new, words = MISTAKES[name]
    found = problems(SCHEMA.replace(old, new, 1))
    assert any(words in line for line in found), found


def test_one_name_for_two_files_is_a_mistake() -> None:
    found = read_own_events([SchemaText("a.yaml", SCHEMA), SchemaText("b.yaml", SCHEMA)])
    assert isinstance(found, list)
    assert str(found[0]) == 'b.yaml:6: the event "cart.abandoned" stands twice; first in a.yaml'


def test_the_examples_of_a_schema_are_found_with_their_lines() -> None:
    assert [line for line, _ in examples_of(SchemaText("a.yaml", SCHEMA))] == [27]
    for text in ("a: [", "[]", "type: object"):
        assert list(examples_of(SchemaText("a.yaml", text))) == []


def test_a_constant_is_the_only_value() -> None:
    made = types(SCHEMA.replace("enum: [basket, wish]", "const: basket"))
    assert isinstance(made.decode(event(kind="basket"), LIMIT), Event)
    assert isinstance(made.decode(event(kind="wish"), LIMIT), Undecodable)
