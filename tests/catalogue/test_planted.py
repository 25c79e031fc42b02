"""Mistakes planted in mappings, own schemas and sources: `vestnik check` finds each, with file, line and advice."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.deployed import planners_of
from consumer.app.setup import Setup, load_setup
from consumer.core.model import Planned, Position, Record
from consumer.core.plan import Planner
from tests.app.support import CONFIG, ENVIRON, ROUTES

MAPPED = (
    CONFIG
    + """\
sources:
  shop.orders:
    mapping: mappings/shop.yaml
  shop.bonuses: {format: cloudevents, type_prefix: com.example.}
own_events: events
"""
)
OWN_ROUTE = (
    ROUTES
    + """\
- id: cart-abandoned
  on: cart.abandoned
  when: cart.items_count > 0
  lane: app-push
  thread: cart.id
  ttl: 3h
  wordings:
    - title: "Вы кое-что забыли"
      text: "В корзине {{ cart.items_count | plural('товар', 'товара', 'товаров') }} на {{ cart.total | money }}"
    - title: "Вы кое-что забыли"
      text: "Корзина ждёт вас"
  examples:
    - event: cart.json
      expect: {text: "В корзине 2 товара на 2\\u00a0450\\u00a0₽"}
"""
)
MAPPING = """\
about: a shop of our own making
where: body.kind == 'order'
type:
  from: headers.state
  table:
    P: order.paid
    S: order.shipped
fields:
  occurred_at: {from: body.at, as: time}
  customer.id: {from: body.buyer, as: text}
  order.id: {from: body.number, as: text}
  order.total:
    from: body.sum
    as: money
examples:
  - event: paid.json
    headers: {state: P}
    expect:
      type: order.paid
      order.total: "12.50"
"""
FOREIGN = {"kind": "order", "at": "2026-09-01T10:15:00+03:00", "buyer": 7, "number": 4711, "sum": 12.5}
SCHEMA = """\
$schema: https://json-schema.org/draft/2020-12/schema
title: A cart that was left
type: object
required: [cart]
x-subject: cart.id
properties:
  type: {const: cart.abandoned}
  version: {const: 1}
  cart:
    type: object
    required: [id, items_count]
    properties:
      id: {type: string, maxLength: 128}
      items_count: {type: integer, minimum: 0, x-cardinality: bucketed}
      total: {type: string, format: money}
      kind: {type: string, enum: [basket, wish]}
      tags: {type: array, items: {type: string}, maxItems: 10}
      url: {type: string, pattern: "^https://"}
      left_at: {type: [string, "null"], format: date-time}
examples:
  - {type: cart.abandoned, version: 1, occurred_at: "2026-09-01T10:15:00+03:00", cart: {id: c-1, items_count: 2}}
"""
CART = {
    "type": "cart.abandoned",
    "version": 1,
    "occurred_at": "2026-09-01T10:15:00+03:00",
    "shop": "ducky",
    "customer": {"id": "123", "locale": "ru"},
    "cart": {"id": "c-1", "items_count": 2, "total": "2450.00", "kind": "basket"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "vestnik.yaml": MAPPED,
        "routes/routes.yaml": OWN_ROUTE,
        "routes/cart.json": json.dumps(CART),
        "mappings/shop.yaml": MAPPING,
        "mappings/paid.json": json.dumps(FOREIGN),
        "events/cart.yaml": SCHEMA,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def setup_in(folder: Path) -> Setup:
    setup = load_setup(folder / "vestnik.yaml", ENVIRON)
    assert isinstance(setup, Setup), "\n".join(map(str, setup))
    return setup


def planner_in(folder: Path) -> Planner:
    return planners_of(setup_in(folder))["app-push"]


def plan(
    planner: Planner, value: object, headers: dict[str, bytes] | None = None, topic: str = "shop.orders"
) -> Planned:
    place = Position(topic, 0, 1)
    made = planner.plan(
        Record(place, 1_788_246_905.0, None, json.dumps(value).encode(), tuple((headers or {}).items()))
    )
    assert isinstance(made, Planned), made
    return made


def test_without_mistakes_a_foreign_event_becomes_a_push(folder: Path) -> None:
    (command,) = plan(planner_in(folder), FOREIGN, {"state": b"P"}).commands
    assert command.wordings[0].title == "Order 4711 is paid"
    assert command.recipient == "7"


def test_a_shops_own_event_becomes_a_push_without_code(folder: Path) -> None:
    (command,) = plan(planner_in(folder), CART, topic="shop.bonuses", headers=_attributes()).commands
    assert "2 товара" in command.wordings[0].text
    assert command.thread is not None


def _attributes() -> dict[str, bytes]:
    said = {"specversion": "1.0", "id": "1", "source": "/carts", "type": "com.example.cart.abandoned"}
    return {f"ce_{name}": value.encode() for name, value in said.items()}


def test_the_route_of_an_own_event_is_checked_against_its_schema(folder: Path) -> None:
    path = folder / "routes" / "routes.yaml"
    path.write_text(OWN_ROUTE.replace("cart.total", "cart.totl"), "utf-8")
    found = load_setup(folder / "vestnik.yaml", ENVIRON)
    assert isinstance(found, list)
    assert 'the event has no field "cart.totl"; did you mean "cart.total"?' in str(found[0])


@dataclass(frozen=True)
class Planted:
    """`old` in `file` becomes `new`; check names `place` (a file and, behind it, a line) and says `words`."""

    file: str
    old: str
    new: str
    place: str
    words: str


SHOP, CART_FILE, MAIN = "mappings/shop.yaml", "events/cart.yaml", "vestnik.yaml"
PLANTED: dict[str, Planted] = {
    # --- mappings
    "expression that is none": Planted(
        SHOP, "from: body.sum", "from: body.[", f"{SHOP}:13", "no expression of JMESPath"
    ),
    "root that there is not": Planted(SHOP, "body.buyer", "buyer", f"{SHOP}:10", 'there is no "buyer" to begin with'),
    "header in capitals": Planted(
        SHOP, "from: headers.state", 'from: headers."X-State"', f"{SHOP}:4", 'write headers."x-state"'
    ),
    "type that there is not": Planted(
        SHOP, "P: order.paid", "P: order.payed", f"{SHOP}:6", 'did you mean "order.paid"?'
    ),
    "field that there is not": Planted(
        SHOP, "order.total:", "order.totals:", f"{SHOP}:12", 'did you mean "order.total"?'
    ),
    "part in place of a field": Planted(SHOP, "order.total:", "order.payment:", f"{SHOP}:12", "is a part of an event"),
    "field that the mapping makes": Planted(SHOP, "order.total:", "version:", f"{SHOP}:12", "say it in type:"),
    "nothing gives the time": Planted(
        SHOP, "  occurred_at: {from: body.at, as: time}\n", "", f"{SHOP}:8", "must have occurred_at"
    ),
    "manner that there is not": Planted(SHOP, "as: money", "as: euros", f"{SHOP}:14", "not one of the possible values"),
    "zone that there is not": Planted(SHOP, "as: time}", "as: time, zone: Moscow}", f"{SHOP}:9", "not a time zone"),
    "pattern with words of a language": Planted(
        SHOP, "as: time}", 'as: time, pattern: "%d %b %Y"}', f"{SHOP}:9", "a pattern has day, month and year"
    ),
    "neither from nor value": Planted(SHOP, "    from: body.sum\n", "", f"{SHOP}:12", "exactly one of from and value"),
    "otherwise without a table": Planted(
        SHOP,
        "as: text}\n  order.id",
        "as: text, otherwise: x}\n  order.id",
        f"{SHOP}:10",
        "otherwise goes with a table",
    ),
    "unknown key": Planted(SHOP, "as: money", "format: money", f"{SHOP}:14", 'unknown key "format"'),
    "example that is not there": Planted(
        SHOP, "paid.json", "payed.json", f"{SHOP}:16", 'there is no file "payed.json"'
    ),
    "example that gives another value": Planted(
        SHOP, '"12.50"', '"12.5"', f"{SHOP}:20", 'order.total is "12.50"; expected is "12.5"'
    ),
    "example that does not fit": Planted(
        SHOP, "from: body.sum", "from: body.kind", f"{SHOP}:16", "what is found cannot be written as money"
    ),
    "example that gives no event": Planted(SHOP, "body.number", "body.kind_", f"{SHOP}:16", "schema: order"),
    "example of which nothing comes": Planted(SHOP, "state: P", "state: X", f"{SHOP}:18", "nothing comes of it"),
    "a very long expression": Planted(
        SHOP, "body.buyer", "body." + "b" * 1000, f"{SHOP}:10", "at most 1000 characters"
    ),
    # --- own schemas
    "name that is ours": Planted(
        CART_FILE, "const: cart.abandoned}", "const: order.paid}", f"{CART_FILE}:7", "is one of ours"
    ),
    "name that is none": Planted(
        CART_FILE, "const: cart.abandoned}", "const: Cart}", f"{CART_FILE}:7", "cannot be the name"
    ),
    "no name": Planted(CART_FILE, "  type: {const: cart.abandoned}\n", "", f"{CART_FILE}:6", "the event has no name"),
    "word that is not read": Planted(
        CART_FILE, "minimum: 0", "multipleOf: 1", f"{CART_FILE}:14", '"multipleOf" is not read here'
    ),
    "type of a field that there is not": Planted(
        CART_FILE, "type: integer", "type: int", f"{CART_FILE}:14", "has no type that is read"
    ),
    "format that there is not": Planted(
        CART_FILE, "format: money", "format: currency", f"{CART_FILE}:15", "there are date, date-time, money"
    ),
    "required field that there is not": Planted(
        CART_FILE, "required: [cart]", "required: [basket]", f"{CART_FILE}:4", 'there is no field "basket"'
    ),
    "subject that there is not": Planted(
        CART_FILE, "x-subject: cart.id", "x-subject: cart.number", f"{CART_FILE}:5", "x-subject names no field"
    ),
    "cardinality that there is not": Planted(
        CART_FILE, "x-cardinality: bucketed", "x-cardinality: few", f"{CART_FILE}:14", "one_of_n, bucketed, unique"
    ),
    "pattern that is none": Planted(CART_FILE, '"^https://"', '"(https"', f"{CART_FILE}:18", "the pattern is none"),
    "forbidden fields": Planted(
        CART_FILE, "required: [cart]", "additionalProperties: false", f"{CART_FILE}:4", "leave additionalProperties out"
    ),
    "field with a meaning of its own": Planted(
        CART_FILE, "\n  cart:\n", "\n  lane:\n", f"{CART_FILE}:9", "a meaning of its own"
    ),
    "enumeration of other things": Planted(
        CART_FILE, "enum: [basket, wish]", "enum: [1, 2]", f"{CART_FILE}:16", "enum has texts in it"
    ),
    "list of lists": Planted(
        CART_FILE, "items: {type: string}", "items: {type: array}", f"{CART_FILE}:17", "items of one plain type"
    ),
    "example that is no event": Planted(
        CART_FILE, "items_count: 2}}", 'items_count: "2"}}', f"{CART_FILE}:21", "cart.items_count: int_type"
    ),
    # --- sources
    "source that there is not": Planted(
        MAIN, "  shop.orders:\n", "  shop.order:\n", f"{MAIN}:16", "not one of topics.sources"
    ),
    "format of a source that there is not": Planted(
        MAIN, "format: cloudevents", "format: cloudevent", f"{MAIN}:18", "not one of the possible values"
    ),
    "mapping that there is not": Planted(MAIN, "mappings/shop.yaml", "shopfy", f"{MAIN}:17", 'did you mean "shopify"?'),
    "schemas that are not there": Planted(
        MAIN, "own_events: events", "own_events: evnts", f"{MAIN}:19", "neither a schema file"
    ),
    "registry by plain http": Planted(
        MAIN,
        "own_events: events",
        "own_events: events\nregistry: {url: 'http://registry:8081'}",
        f"{MAIN}:20",
        "use https",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_check_finds_the_mistake_with_its_place_and_says_what_would_be_right(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = PLANTED[name]
    path = folder / planted.file
    text = path.read_text("utf-8")
    assert planted.old in text
    path.write_text(text.replace(planted.old, planted.new, 1), "utf-8")
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    told = CliRunner().invoke(app, ["check", "--config", str(folder / "vestnik.yaml"), "--output", "json"])
    assert told.exit_code == 2, told.output
    problems = json.loads(told.output)
    problems = problems["problems"] if isinstance(problems, dict) else problems
    said = [f"{each['file']}:{each['line']}: {each['what']}; {each['mend']}" for each in problems]
    assert any(line.startswith(f"{folder}/{planted.place}: ") and planted.words in line for line in said), said
