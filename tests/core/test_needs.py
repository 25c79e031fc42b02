"""Fields that a text needs and that an event may leave empty are told, and only these."""

import pytest

from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.needs import warn_needs
from consumer.core.own_events import SchemaText, read_own_events
from consumer.core.routes import RouteSet, load_routes, read_routes

TITLE = "{{ order.delivery.title }}"


def told(text: str, when: str = "", types: EventTypes = SHIPPED, **keys: str) -> list[str]:
    """What is told of a route with this text, without what is the same in all."""
    head = {"id": "r", "on": "order.paid", "lane": "app", "ttl": "12h"} | keys
    lines = [*(f"{key}: {value}" for key, value in head.items()), *([f'when: "{when}"'] if when else [])]
    wordings = f'wordings: {{ru: [{{text: "{text}"}}]}}'
    loaded = load_routes({"routes.yaml": "- " + "\n  ".join([*lines, wordings])}, types)
    assert isinstance(loaded, RouteSet), [str(each) for each in loaded]
    return [str(problem).split(": ", 2)[2] for problem in warn_needs(loaded.routes[0])]


def missed(name: str) -> str:
    return f"text: {name} may be empty, and then nobody is told"


def test_a_field_that_may_be_empty_is_told_with_what_would_be_right() -> None:
    assert told(TITLE) == [
        (
            f"{missed('order.delivery.title')}; write {{% if order.delivery.title %}}…{{% endif %}} around it,"
            " {{ order.delivery.title | default('…') }}, or demand the field in `when`"
        )
    ]
    # An amount has no text for a default.
    assert told("{{ order.total | money }}") == [
        f"{missed('order.total')}; write {{% if order.total %}}…{{% endif %}} around it, or demand the field in `when`"
    ]


def test_all_fields_of_a_text_are_told_at_once_where_the_first_stands() -> None:
    (found,) = told("{{ order.items_count | plural('а', 'б', 'в') }} {{ order.total | money }} {{ order.id }}")
    assert found.startswith("text: order.items_count and order.total may be empty")


@pytest.mark.parametrize(
    "text",
    [
        "{{ order.id }} {{ event.type }} {{ lane.slug }} {{ shop.id }}",
        "{% if order.delivery.title %}{{ order.delivery.title }}{% endif %}",
        "{% if event.order.delivery.title %}{{ order.delivery.title }}{% endif %}",
        "{% if order.delivery.title is defined %}{{ order.delivery.title }}{% endif %}",
        "{% if not order.delivery.title %}-{% else %}{{ order.delivery.title }}{% endif %}",
        "{% if order.total is none %}-{% elif order.total > 5 %}{{ order.total | money }}{% endif %}",
        "{% if order.total and order.delivery.title %}{{ order.total }} {{ order.delivery.title }}{% endif %}",
        "{% if order.delivery.storage_until %}{{ order.delivery.storage_until | day }}{% endif %}",
        "{% if order.delivery.kind == 'post' %}{{ order.delivery.kind }}{% endif %}",
        "{% if order.delivery.kind in ('post', 'store') %}{{ order.delivery.kind }}{% endif %}",
        "{% if order.payment.paid is false %}not paid{% endif %}",
        "{{ order.delivery.title | default('-') }}",
        "{{ order.delivery.title | default('-') | shorten(5) }}",
        "{{ order.public_id or order.id }}",
        "{{ (order.public_id or order.id) | upper }}",
        "{{ order.total | money if order.total else '-' }}",
        "{{ 'x' if order.payment.paid }}",
        "{{ 'x' if order.payment.paid or not order.total }}",
    ],
)
def test_a_field_that_is_asked_for_first_is_safe(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{% if order.payment.paid %}{{ order.total | money }}{% endif %}", "order.total"),
        ("{% if order.delivery %}{{ order.delivery.title }}{% endif %}", "order.delivery.title"),
        ("{% if order.total or order.delivery.title %}{{ order.delivery.title }}{% endif %}", "order.delivery.title"),
        ("{% if order.total %}a{% else %}{{ order.total | money }}{% endif %}", "order.total"),
        ("{% if order.total %}a{% elif order.payment.paid %}{{ order.total }}{% endif %}", "order.total"),
        ("{% if order.total > 5 %}a{% endif %}", "order.total"),
        ("{% if not (order.payment.paid and order.total > 5) %}a{% endif %}", "order.total"),
        ("{% if order.delivery.title | length %}a{% endif %}", "order.delivery.title"),
        ("{{ order.public_id or order.delivery.title }}", "order.delivery.title"),
        ("{{ order.total | money or '-' }}", "order.total"),
        ("{{ order.public_id and order.total }}", "order.public_id and order.total"),
        ("{{ 'a' if order.payment.paid else order.total }}", "order.total"),
        ("{{ 'a' ~ order.public_id }}", "order.public_id"),
        ("{{ order.total - 5 }}", "order.total"),
        ("{{ order.total > 5 }}", "order.total"),
        ("{{ event.shop }}", "event.shop"),
        ("{{ customer.locale }}", "customer.locale"),
    ],
)
def test_a_field_that_is_needed_where_it_may_be_empty_is_told(text: str, names: str) -> None:
    (found,) = told(text)
    assert found.startswith(missed(names))


@pytest.mark.parametrize(
    "when",
    [
        "event.order.delivery.title",
        "order.delivery.title",
        "event.customer.consents.push and order.delivery.title",
        "order.delivery.title == 'ПВЗ'",
        "order.delivery.title in ['ПВЗ', 'СДЭК']",
        "order.delivery.title is defined",
        "order.delivery.title and order.total or order.delivery.title and order.payment.paid",
        # What cannot be taken apart may demand it.
        "order.delivery.title | length > 3",
        "order.delivery.title == order.delivery.kind",
    ],
)
def test_a_field_that_the_condition_demands_is_safe(when: str) -> None:
    assert told(TITLE, when) == []


@pytest.mark.parametrize("when", ["event.customer.consents.push", "order.total", "order.delivery.title or order.total"])
def test_a_condition_on_another_field_makes_nothing_safe(when: str) -> None:
    assert len(told(TITLE, when)) == 1


def test_whom_a_route_tells_is_there() -> None:
    assert told("{{ customer.locale }}", "event.customer.locale") == []
    staff = "event.order.responsible_user_ids"
    assert told("{{ customer.locale }}", "event.customer.locale", to=staff) == []
    assert len(told("{{ customer.id }}", to=staff)) == 1


def test_of_several_events_one_that_may_leave_it_empty_is_enough() -> None:
    on = "[bonus.accrued, bonus.tier_changed]"
    assert len(told("{{ bonus.amount }}", on=on)) == 1
    assert told("{{ bonus.amount }}", on="bonus.accrued") == []
    assert told("{{ bonus.amount }}", "event.type == 'bonus.accrued'", on=on) == []


def test_a_text_with_a_mistake_is_looked_at_as_far_as_it_can_be() -> None:
    wordings = "[{text: '{{ order.publik_id }} {{ order.total }}'}, {text: '{{ }}'}]"
    text = f"- {{id: r, on: order.paid, lane: app, ttl: 1h, wordings: {wordings}}}"
    (flawed,) = read_routes({"routes.yaml": text}).flawed
    (found,) = warn_needs(flawed)
    assert found.what.endswith("text: order.total may be empty, and then nobody is told")


OWN = """\
title: A cart that was left
type: object
x-subject: cart.id
properties:
  type: {const: cart.abandoned}
  version: {const: 1}
  note: {type: string}
  cart: {type: object, required: [id], properties: {id: {type: string}, total: {type: string, format: money}}}
examples: [{type: cart.abandoned, version: 1}]
"""


@pytest.mark.parametrize(
    ("text", "when", "count"),
    [
        ("{{ cart.id }}", "", 1),
        ("{{ cart.id }}", "event.cart", 0),
        ("{{ cart.id }}", "cart.total", 0),
        ("{{ cart.id }}", "event.cart.total", 0),
        ("{{ cart.total | money }}", "event.cart.id", 1),
        ("{{ event.cart.total | money }}", "cart.total", 0),
        ("{{ event.note }}", "", 1),
        ("{{ event.note }}", "event.note", 0),
    ],
)
def test_parts_of_a_shops_own_event_are_known_however_they_are_written(text: str, when: str, count: int) -> None:
    """A part that may be left out is there where something in it is demanded."""
    models = read_own_events([SchemaText("cart.yaml", OWN)])
    assert isinstance(models, dict), models
    assert len(told(text, when, on="cart.abandoned", types=EventTypes(models))) == count
