"""Fields that are needed and empty, by template and condition."""

import pytest
from babel import Locale
from jinja2 import nodes

from consumer.core.emptiness import empty_fields, named
from consumer.core.templates import Flaw, read_expression, read_template, sandbox
from consumer.core.wordings import CompiledWording, Unrendered, read_wording

ENGLISH = Locale("en")
NAMES = {"order": {"id": "1", "total": None, "title": None}}


@pytest.mark.parametrize(
    ("text", "empty"),
    [
        ("{{ order.id }}", []),
        ("{{ order.total }} {{ order.title }} {{ order.total }}", ["order.total", "order.title"]),
        ("{{ order.total | money }}", ["order.total"]),
        ("{{ order.total | default('-') }}", []),
        ("{% if order.total %}{{ order.id }}{% endif %}", []),
        ("{{ order.id if order.total }}", []),
        ("{{ order.id if order.total else order.title }}", ["order.title"]),
        ("{{ order.id if order.total is defined else '-' }}", []),
    ],
)
def test_what_a_text_needs_and_an_event_lacks(text: str, empty: list[str]) -> None:
    tree = read_template(text, sandbox(ENGLISH))
    assert isinstance(tree, nodes.Template)
    assert empty_fields(tree, NAMES) == empty


@pytest.mark.parametrize(
    ("when", "empty"),
    [
        ("order.total > 5", ["order.total"]),
        ("order.total == 5 or order.title in ['a']", []),
        ("order.total and order.id", []),
        ("not (order.total + 1)", ["order.total"]),
        ("order.total is defined", []),
    ],
)
def test_what_a_condition_needs_and_an_event_lacks(when: str, empty: list[str]) -> None:
    tree = read_expression(when, sandbox(ENGLISH))
    assert not isinstance(tree, Flaw)
    assert empty_fields(tree, NAMES) == empty


def test_a_text_that_cannot_be_said_for_another_reason_keeps_it() -> None:
    wording, _ = read_wording(
        {"text": "{{ order.id | money }}", "title": "{{ order.total }}{{ order.title }}"}, ENGLISH, ()
    )
    compiled = CompiledWording.of(wording, ENGLISH)
    other = Unrendered("text", "TypeError")
    assert named(other, compiled, NAMES) is other
    both = "order.total, order.title are empty; give it a default or an if"
    assert named(Unrendered("title", "a field is absent"), compiled, NAMES) == Unrendered("title", both)
