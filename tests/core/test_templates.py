"""Templates say what people's languages ask for, and can do nothing else."""

import sys
import zoneinfo
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from consumer.core.filters import FILTERS, LOOKED_AT, RENDER_ERRORS, find_locale, find_zone
from consumer.core.templates import (
    Absent,
    Flaw,
    compile_expression,
    compile_template,
    context_of,
    field_paths,
    read_expression,
    read_template,
    sandbox,
    value_at,
    word_flaws,
)
from consumer.core.text import LinkRule, canonical
from consumer.core.wordings import CompiledWording, Unrendered, read_wording
from schemas.order import Delivery, Order, OrderCreated

RU, EN = Locale("ru"), Locale("en")
NBSP = "\u00a0"
MOMENT = datetime(2026, 9, 9, 10, 5, tzinfo=UTC)
NAMES: dict[str, Any] = {
    "n": 5,
    "one": 1,
    "big": Decimal("1250.00"),
    "half": Decimal("1.50"),
    "sum": Decimal("2450.00"),
    "cents": Decimal("2450.5"),
    "name": "анна",
    "phone": "89991234567",
    "foreign": "+37529 1234567",
    "moment": MOMENT,
    "date": date(2026, 9, 9),
    "ids": (17, 24),
    "none": None,
    "empty": "",
    "yes": True,
    "order": Order(id="1", delivery=Delivery(kind="pickup")),
    "timezone": ZoneInfo("Europe/Moscow"),
    "lane": {"slug": "ducky"},
}

NO_LINKS = LinkRule(frozenset())


def said(source: str, locale: Locale = RU, names: dict[str, Any] = NAMES) -> str:
    environment = sandbox(locale)
    tree = read_template(source, environment)
    assert not isinstance(tree, Flaw), tree
    made = compile_template(tree, environment)
    return made if isinstance(made, str) else made(context_of(names, environment))


def value(source: str) -> Any:
    tree = read_expression(source, sandbox(EN))
    assert not isinstance(tree, Flaw), tree
    return compile_expression(tree, sandbox(EN))(NAMES)


@pytest.mark.parametrize(
    ("source", "russian", "english"),
    [
        ("{{ sum | money('RUB') }}", f"2{NBSP}450{NBSP}₽", f"RUB{NBSP}2,450"),
        ("{{ sum | money }}", f"2{NBSP}450{NBSP}₽", f"RUB{NBSP}2,450"),
        ("{{ cents | money('USD') }}", f"2{NBSP}450,50{NBSP}$", "$2,450.50"),
        ("{{ sum | money(none) }}", f"2{NBSP}450{NBSP}₽", f"RUB{NBSP}2,450"),
        ("{{ big | number }}", f"1{NBSP}250", "1,250"),
        ("{{ half | number }}", "1,5", "1.5"),
        ("{{ big }}|{{ half }}|{{ n }}", "1250|1.5|5", "1250|1.5|5"),
        ("{{ date | day }}", "9 сентября", "September 9"),
        ("{{ moment | day }}", "9 сентября", "September 9"),
        ("{{ date | date }}", f"9 сентября 2026{NBSP}г.", "September 9, 2026"),
        ("{{ moment | time }}", "13:05", f"1:05{NBSP}PM"),
        ("{{ phone | phone }}", "+7 999 123-45-67", "+7 999 123-45-67"),
        ("{{ foreign | phone }}", "+375291234567", "+375291234567"),
        ("{{ name | capitalize }} {{ name | upper }} {{ 'ABC' | lower }}", "Анна АННА abc", "Анна АННА abc"),
        ("{{ 'раз два три' | shorten(8) }}", "раз два…", "раз два…"),
        ("{{ none | default('—') }}{{ empty | default('x') }}{{ n | default(1) }}", "—x5", "—x5"),
        ("{{ order.total | default('?') }}{{ order.payment.paid | default('?') }}", "??", "??"),
        ("{{ ids | first }} of {{ ids | length }}", "17 of 2", "17 of 2"),
        ("{{ 'a/b c?' | quote }}", "a%2Fb%20c%3F", "a%2Fb%20c%3F"),
        ("{% if order.delivery.kind == 'pickup' %}a{% elif n > 3 %}b{% else %}c{% endif %}", "a", "a"),
        ("{{ 'a' if order.payment.paid else 'b' }}", "b", "b"),
        ("{{ n + 1 }} {{ n - 1 }} {{ -n }} {{ n ~ 'x' }}", "6 4 -5 5x", "6 4 -5 5x"),
        ("{% if n in [1, 5] and not none and yes is true and none is none %}ok{% endif %}", "ok", "ok"),
        ("{% if order.payment.paid is false or none is defined %}no{% endif %}", "", ""),
    ],
)
def test_a_template_says_it_in_the_language(source: str, russian: str, english: str) -> None:
    assert canonical(said(source, RU)) == russian
    assert canonical(said(source, EN)) == english


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 бонусов"), (1, "1 бонус"), (2, "2 бонуса"), (5, "5 бонусов"), (11, "11 бонусов"), (21, "21 бонус"),
        (Decimal("250.00"), "250 бонусов"), (Decimal("1.5"), "1,5 бонуса"), (1250, f"1{NBSP}250 бонусов"),
        (-1, "-1 бонус"),
    ],
)  # fmt: skip
def test_a_plural_has_its_number_and_its_russian_form(count: int | Decimal, words: str) -> None:
    assert said("{{ n | plural('бонус', 'бонуса', 'бонусов') }}", RU, {"n": count}) == words


def test_plurals_follow_the_language() -> None:
    assert said("{{ one | plural('point', 'points') }}", EN) == "1 point"
    assert said("{{ half | plural('point', 'points') }}", EN) == "1.5 points"
    assert said("{{ half | plural('бонус', 'бонуса', 'бонусов', 'бонуса') }}", RU) == "1,5 бонуса"


@pytest.mark.parametrize(
    "source",
    [
        "{{ none }}", "{{ missing }}", "{{ order.total }}", "{{ order.payment.method }}", "{{ yes }}", "{{ order }}",
        "{{ ids }}", "{{ date }}", "{{ none | money }}", "{{ missing | upper }}", "{{ name | money }}",
        "{{ yes | number }}", "{{ n | plural('a') }}", "{{ name | day }}", "{{ date | time }}", "{{ name | phone }}",
        "{{ none | default(none) }}", "{{ none | length }}", "{{ none | first }}", "{{ name + 1 }}", "{{ n > name }}",
        "{{ n | date }}", "{{ sum | money('RUB', 1, 2) }}",
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_an_error_and_not_an_empty_place(source: str) -> None:
    with pytest.raises(RENDER_ERRORS):
        said(source)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{{ 'a' * 100000000 }}", '"mul" is not possible in a template'),
        ("{{ 9 ** 9 ** 9 }}", '"pow" is not possible in a template'),
        ("{{ '%99999999d' % 1 }}", '"mod" is not possible in a template'),
        ("{{ 1 / 0 }}", '"div" is not possible in a template'),
        ("{% for x in ids %}{% endfor %}", '"for" is not possible in a template'),
        ("{% set x = 1 %}", '"assign" is not possible in a template'),
        ("{% macro m() %}{% endmacro %}", '"macro" is not possible in a template'),
        ("{% include 'x' %}", '"include" is not possible in a template'),
        ("{% import 'x' as y %}", '"import" is not possible in a template'),
        ("{% extends 'x' %}", '"extends" is not possible in a template'),
        ("{% filter upper %}x{% endfilter %}", '"filterblock" is not possible in a template'),
        ("{% raw %}x{% endraw %}{{ range(9) }}", '"call" is not possible in a template'),
        ("{{ name.upper() }}", '"call" is not possible in a template'),
        ("{{ ids[0] }}", '"getitem" is not possible in a template'),
        ("{{ {'a': 1} }}", '"dict" is not possible in a template'),
        ("{{ ''.__class__ }}", '".__class__" is no field of an event'),
        ("{% if order.__class__.mro %}x{% endif %}", '".__class__" is no field of an event'),
        ("{{ order._abc }}", '"._abc" is no field of an event'),
        ("{{ (name ~ 'x').format }}", '".format" is no field of an event'),
        ("{{ (n | money).join }}", '".join" is no field of an event'),
        ("{{ name", "template: unexpected end of template, expected 'end of print statement'."),
        ("{% if %}", "template: Expected an expression, got 'end of statement block'"),
        ("{{ " + "(" * 5000 + " }}", "template: nested too deeply"),
    ],
)
def test_a_template_can_do_nothing_else(source: str, what: str) -> None:
    found = read_template(source, sandbox(RU))
    assert isinstance(found, Flaw)
    assert found.what == what


def test_unknown_filters_and_tests_have_the_nearest_known_one() -> None:
    tree = read_template("{{ n |\n plurl | center(99999999) }}{{ n is trve }}", sandbox(RU))
    assert not isinstance(tree, Flaw)
    found = {flaw.what: flaw for flaw in word_flaws(tree, sandbox(RU))}
    assert found['unknown filter "plurl"'] == Flaw(2, 'unknown filter "plurl"', 'did you mean "plural"?')
    assert found['unknown test "trve"'].mend == 'did you mean "true"?'
    assert 'unknown filter "center"' in found


@pytest.mark.parametrize("source", ["order.model_dump", "name.upper", "order.operation", "n.real"])
def test_nothing_but_fields_can_be_reached(source: str) -> None:
    assert value(f"{source} is defined") is False


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("n > 3", True), ("order.id", "1"), ("order.payment.paid", None), ("missing.deeper.still", None),
        ("order.payment.paid == none", True), ("order.payment.paid != 'x'", True), ("lane.slug", "ducky"),
        ("order.payment.paid or missing", None), ("none", None), ("(1, 2)", (1, 2)),
    ],
)  # fmt: skip
def test_an_expression_has_a_value_or_none(source: str, expected: object) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'order ' ~ order.id", "order 1"),
        ("lane.slug ~ '/' ~ n ~ sum ~ yes", "ducky/52450.00True"),
        ("'order ' ~ order.id if order.id", "order 1"),
        ("'order ' ~ order.id if order.total", None),
        ("order.total if order.total else 'none of ' ~ order.id", "none of 1"),
        ("none ~ 'x'", "Nonex"),
        ("none if n else n", None),
        ("'x' ~ (n + 1)", "x6"),
        ("n + 1 if n else n", 6),
        ("n if n == 5 else 1", 5),
        ("n if n else n + 1", 5),
    ],
)
def test_a_text_of_fields_is_what_jinja_makes_of_it(source: str, expected: object) -> None:
    assert value(source) == expected
    assert value(f"[{source}] | first") == expected


@pytest.mark.parametrize("source", ["'x' ~ missing", "'x' ~ order.payment.paid", "lane.slug ~ missing if n"])
def test_a_text_without_its_field_is_an_error(source: str) -> None:
    with pytest.raises(RENDER_ERRORS):
        value(source)


@pytest.mark.parametrize("source", ["", "a b", "a |", "f()", "(" * 5000])
def test_what_is_no_expression_is_a_flaw(source: str) -> None:
    assert isinstance(read_expression(source, sandbox(EN)), Flaw)


def test_absent_is_false_and_equal_to_nothing() -> None:
    absent = Absent(name="x")
    assert not absent
    assert absent.any.thing is absent
    assert absent == Absent(name="y")
    assert hash(absent) == hash(None)
    assert not hasattr(absent, "__html__")


def test_fields_are_found_whole() -> None:
    tree = read_template("{{ order.delivery.title | upper }}{% if order.total > n %}x{% endif %}", sandbox(RU))
    assert not isinstance(tree, Flaw)
    assert {path for path, _ in field_paths(tree)} == {("order", "delivery", "title"), ("order", "total"), ("n",)}
    assert value_at(NAMES, ("order", "payment", "paid")) is None


@pytest.mark.parametrize("name", ["Europe/Moscow", "Asia/Calcutta", "UTC", "Asia/Yekaterinburg"])
def test_a_zone_is_found_by_its_name(name: str) -> None:
    assert find_zone(name) is not None


@pytest.mark.parametrize(
    "name", ["", "Europe", "../../etc/passwd", "/etc/localtime", "Nowhere", "a\x00b", "posixrules"]
)
def test_a_name_from_an_event_never_becomes_a_file(name: str) -> None:
    assert find_zone(name) is None


def test_without_a_database_of_zones_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["tzdata", *(each for each in sys.modules if each.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    find_zone.cache_clear()
    try:
        assert find_zone("Antarctica/Vostok") is None
    finally:
        zoneinfo.reset_tzpath()
        find_zone.cache_clear()


@pytest.mark.parametrize("code", ["", "xx", "ru" * 40, "../ru", "r\x00"])
def test_an_unknown_locale_is_none(code: str) -> None:
    assert find_locale(code) is None


# --- wordings ---------------------------------------------------------------------------------------------------------


def wording(**sources: str) -> CompiledWording:
    read, flaws = read_wording({"title": "a", "text": "b"} | sources, RU, (OrderCreated,))
    assert not flaws
    return CompiledWording.of(read, RU)


def test_every_value_in_a_link_is_escaped_but_the_first() -> None:
    made = wording(
        link="{% if order.id %}{{ lane.slug }}{% else %}https{% endif %}://o/{{ order.id }}?q={{ order.id }}"
    )
    message = made.render({**NAMES, "order": Order(id="../a?b#c")}, LinkRule(frozenset({"ducky"})))
    assert not isinstance(message, Unrendered)
    assert message.link == "ducky://o/..%2Fa%3Fb%23c?q=..%2Fa%3Fb%23c"


def test_a_whole_link_of_the_event_goes_through_the_same_gate() -> None:
    made = wording(link="{{ order.delivery.tracking_url }}")
    for link, kept in (("https://track.example/?a=1", True), ("http://track.example/", False), ("goose://x", False)):
        order = Order(id="1", delivery=Delivery(tracking_url=link))
        assert isinstance(made.render({"order": order}, LinkRule(frozenset({"https"}))), Unrendered) is not kept


def test_a_link_may_be_left_out_and_an_image_is_always_https() -> None:
    made = wording(
        link="{% if order.total %}https://a.example{% endif %}", image="https://a.example/{{ order.id }}.png"
    )
    message = made.render(NAMES, LinkRule(frozenset({"https", "ducky"})))
    assert not isinstance(message, Unrendered)
    assert (message.link, message.image) == (None, "https://a.example/1.png")


def test_what_is_said_again_of_the_same_values_is_remembered() -> None:
    made = wording(text="{{ order.delivery.kind }}")
    first = made.render(NAMES, NO_LINKS)
    assert made.render({**NAMES, "n": 6}, NO_LINKS) is first
    other = {**NAMES, "order": Order(id="1", delivery=Delivery(kind="post"))}
    assert made.render(other, NO_LINKS) != first


def test_a_text_that_repeats_in_a_wording_that_does_not_is_said_anew_of_other_values() -> None:
    made = wording(title="{{ order.public_id }}", text="By {{ order.delivery.kind }}")
    orders = [("A", "post"), ("B", "post"), ("C", "pickup"), ("D", "post"), ("E", None)]
    said = [
        made.render({"order": Order(id="1", public_id=name, delivery=Delivery(kind=kind))}, NO_LINKS)
        for name, kind in orders
    ]
    told = [each for each in said if not isinstance(each, Unrendered)]
    assert [(each.title, each.text) for each in told] == [(name, f"By {kind}") for name, kind in orders[:-1]]
    assert told[0].text is told[3].text
    assert isinstance(said[-1], Unrendered)


def test_of_each_filter_that_looks_beside_its_value_it_is_known_at_what() -> None:
    """Else a rendering would be remembered for people to whom another is due."""
    assert {name for name, make in FILTERS.items() if hasattr(make(RU), "jinja_pass_arg")} == set(LOOKED_AT)


def test_memory_has_a_bound_and_keeps_what_was_used_last() -> None:
    made = wording(text="{{ order.cancel_reason }}")
    for number in range(1025):
        first = made.render({"order": Order(id="1", cancel_reason="0")}, NO_LINKS)
        made.render({"order": Order(id="1", cancel_reason=str(number))}, NO_LINKS)
    assert made.render({"order": Order(id="1", cancel_reason="0")}, NO_LINKS) is first
    assert made.remembered == 1024


def test_what_cannot_be_computed_is_told_without_the_values() -> None:
    made = wording(text="{{ order.cancel_reason - 1 }}")
    assert made.render({"order": Order(id="1", cancel_reason="canary")}, NO_LINKS) == Unrendered("text", "TypeError")


def test_a_text_has_a_limit() -> None:
    made = wording(text="{{ order.cancel_reason }}{{ order.cancel_reason }}")
    names = {"order": Order(id="1", cancel_reason="я" * 2000)}
    assert made.render(names, NO_LINKS) == Unrendered("text", "longer than 4096 bytes")


def test_what_one_part_shows_whole_is_unique_however_coarsely_another_shows_it() -> None:
    """Else it would be taken for a text that repeats, and remembered for each."""
    whole, coarse = "{{ order.id }}", "{{ order.id | length }}"
    for title, text, unique in ((whole, coarse, True), (coarse, whole, True), (coarse, coarse, False)):
        read, flaws = read_wording({"title": title, "text": text}, RU, (OrderCreated,))
        assert (read.unique, flaws) == (unique, [])
