"""What is probably not meant in texts and examples is told with its place."""

import json
from typing import Any

import pytest

from consumer.core.advice import warn_example, warn_languages, warn_texts
from schemas.events import EVENT_TYPES
from tests.core.planning import order, routes

HEAD = "- id: r\n  on: order.paid\n  lane: app\n  ttl: 12h\n"


def advice(rest: str) -> list[str]:
    return [str(problem) for problem in warn_texts(routes(HEAD + rest).routes[0])]


def test_a_good_route_needs_no_advice() -> None:
    assert (
        advice("  wordings:\n    ru: [{title: a, text: b}, {text: c}]\n    en: [{title: a, text: b}, {text: c}]\n")
        == []
    )


def test_steps_that_are_never_used_are_told() -> None:
    text = "  ladder: off\n  wordings:\n    - {text: a}\n    - {text: b}\n"
    assert advice(text) == ["routes.yaml:8: route r: ladder is off, so that this wording is never used; set ladder: on"]
    twice = "  wordings:\n    ru:\n      - {text: a}\n      - {text: b}\n      - {text: a}\n"
    assert advice(twice) == [
        (
            "routes.yaml:9: route r: level 2 says what an earlier wording says, and is never used; "
            "leave something out of it, or leave it out"
        )
    ]


def test_a_language_with_fewer_steps_is_told() -> None:
    found = advice("  wordings:\n    ru: [{text: a}, {text: b}]\n    en: [{text: c}]\n")
    assert found[0].startswith("routes.yaml:7: route r: 1 wording in en, and 2 in ru; who reads")
    found = advice("  wordings:\n    ru: [{text: a}, {text: b}, {text: c}]\n    en: [{text: d}, {text: e}]\n")
    assert found[0].startswith("routes.yaml:7: route r: 2 wordings in en, and 3 in ru; who reads")


def test_what_an_example_of_silence_expects_is_told() -> None:
    text = "  wordings: [{text: a}]\n  examples:\n    - {event: a.json, sent: false}\n"
    assert advice(text) == []
    found = advice(text + "    - event: a.json\n      sent: false\n      expect: {text: a}\n")
    assert found[0].startswith("routes.yaml:10: route r: expect is not looked at, for nothing is sent")


@pytest.mark.parametrize(
    ("wordings", "words"),
    [
        ("[{text: '{{ order.items_count }} товаров!'}]", '"товаров" after order.items_count has one form only'),
        ("{ru: [{text: '{{ order.items_count }} товаров'}]}", "{{ order.items_count | plural('one', 'few', 'many', "),
        ("{en: [{title: '{{ order.items_count | number }} items', text: a}]}", "plural('one', 'other') }}"),
    ],
)
def test_a_count_before_a_word_wants_a_plural(wordings: str, words: str) -> None:
    found = advice(f"  wordings: {wordings}\n")
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "{{ order.items_count }}",
        "{{ order.items_count }}: товары",
        "{{ order.items_count }} — товары",
        "{{ order.items_count }} шт",
        "{{ order.items_count }} {{ order.id }}",
        "{{ order.total | money }} списано",
        "{{ order.id }} принят",
        "{% if order.id %}{{ order.items_count | plural('а', 'б', 'в') }} товаров{% endif %}",
    ],
)
def test_what_is_no_count_before_a_word_is_fine(text: str) -> None:
    assert advice(f'  wordings: [{{text: "{text}"}}]\n') == []


def test_a_language_that_one_route_alone_lacks_is_told() -> None:
    both, one = "wordings: {ru: [{text: a}], en: [{text: a}]}\n", "wordings: {ru: [{text: a}]}\n"
    heads = [HEAD.replace("id: r", f"id: r{number}") + "  " for number in range(4)]
    found = [str(each) for each in warn_languages(routes(heads[0] + both + heads[1] + both + heads[2] + one).routes)]
    assert found == [
        "routes.yaml:15: route r2: no wordings in en, in which most routes of lane app are; add wordings.en"
    ]
    assert not list(warn_languages(routes(heads[0] + both + heads[1] + one).routes))
    assert not list(
        warn_languages(routes(heads[0] + both + heads[1] + both + heads[2] + "wordings: [{text: a}]").routes)
    )


def strange(event: Any) -> list[str]:
    text = event if isinstance(event, str) else json.dumps(event, indent=1)
    return [str(each) for each in warn_example(EVENT_TYPES["order.paid"], "a.json", text)]


def test_a_field_of_an_example_that_is_nearly_one_of_the_event_is_told() -> None:
    event = order(type="order.paid")
    event["order"]["publick_id"] = event["order"].pop("public_id")
    event["more"] = {"anything": 1}
    event["order"]["more"] = 1
    event["order"]["payment"] = None
    found = strange(event)
    assert [each.split(": ", 1)[1] for each in found] == [
        'no event has a field "order.publick_id"; did you mean "public_id"?'
    ]


@pytest.mark.parametrize("event", ["{", "[]", "\t{}"])
def test_an_example_that_is_no_mapping_has_no_strange_fields(event: str) -> None:
    assert strange(event) == []


def test_an_example_with_every_field_may_have_more() -> None:
    event = order(type="order.paid")
    event["order"]["delivery"] = {"kind": "a", "title": "b", "tracking_url": None, "storage_until": None, "kindd": "c"}
    event["order"]["id"] = {"strange": "shape"}
    assert strange(event) == []


def test_a_near_day_in_a_text_that_may_wait_is_told() -> None:
    text = "  wordings: [{text: '{{ order.delivery.storage_until | relative_day }}'}]\n"
    assert advice(text) == []
    found = [str(each) for each in warn_texts(routes(HEAD.replace("12h", "13h") + text).routes[0])]
    assert found[0].startswith("routes.yaml:5: route r: text: relative_day is seen from the day of the event")
    assert found[0].endswith("a ttl of at most 12h, or | day")
