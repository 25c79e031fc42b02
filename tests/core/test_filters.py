"""Filters say what CLDR's own samples say, in Russian and in English; a text is never cut inside of a grapheme."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from consumer.core.templates import Flaw, compile_template, context_of, read_template, sandbox
from consumer.core.text import canonical, shorten
from tests.core.planning import order, planned, planner, record

RU, EN = Locale("ru"), Locale("en")
MOSCOW = ZoneInfo("Europe/Moscow")


def said(source: str, locale: Locale, **names: Any) -> str:
    environment = sandbox(locale)
    tree = read_template(source, environment)
    assert not isinstance(tree, Flaw)
    render = compile_template(tree, environment)
    assert not isinstance(render, str)
    return canonical(render(context_of({"timezone": MOSCOW} | names, environment))).replace("\u00a0", " ")


def numbers(*parts: int | tuple[int, int]) -> list[int]:
    return [n for part in parts for n in (range(part[0], part[1] + 1) if isinstance(part, tuple) else (part,))]


# The samples of CLDR's plurals.xml, type cardinal.
RUSSIAN_PLURALS = {
    "бонус": numbers(1, 21, 31, 41, 51, 61, 71, 81, 101, 1001),
    "бонуса": numbers((2, 4), (22, 24), (32, 34), (42, 44), (52, 54), 62, 102, 1002),
    "бонусов": numbers(0, (5, 19), 100, 1000, 10_000, 100_000, 1_000_000),
}
ENGLISH_PLURALS = {"point": numbers(1), "points": numbers(0, (2, 16), 100, 1000, 10_000, 100_000, 1_000_000)}


@pytest.mark.parametrize(("word", "counts"), list(RUSSIAN_PLURALS.items()))
def test_russian_plurals_are_those_of_cldr(word: str, counts: list[int]) -> None:
    assert {said("{{ n | plural('бонус', 'бонуса', 'бонусов') }}", RU, n=n).split()[-1] for n in counts} == {word}


@pytest.mark.parametrize("fraction", ["0.1", "0.5", "0.9", "1.1", "1.5", "10.5", "100.7"])
def test_a_russian_fraction_takes_the_form_of_other(fraction: str) -> None:
    forms = "{{ n | plural('бонус', 'бонуса', 'бонусов', 'другое') }}"
    assert said(forms, RU, n=Decimal(fraction)).split()[-1] == "другое"
    assert said(forms.replace(", 'другое'", ""), RU, n=Decimal(fraction)).split()[-1] == "бонуса"


@pytest.mark.parametrize(("word", "counts"), list(ENGLISH_PLURALS.items()))
def test_english_plurals_are_those_of_cldr(word: str, counts: list[int]) -> None:
    assert {said("{{ n | plural('point', 'points') }}", EN, n=n).split()[-1] for n in counts} == {word}


@pytest.mark.parametrize(
    ("amount", "currency", "russian", "english"),
    [
        ("2450", "RUB", "2 450 ₽", "RUB 2,450"),
        ("2450.00", "RUB", "2 450 ₽", "RUB 2,450"),
        ("2450.5", "RUB", "2 450,50 ₽", "RUB 2,450.50"),
        ("0.99", "USD", "0,99 $", "$0.99"),
        ("1234567.89", "EUR", "1 234 567,89 €", "€1,234,567.89"),
        ("-15", "USD", "-15 $", "-$15"),
        ("1500", "KZT", "1 500 KZT", "KZT 1,500"),
        ("1500", "GBP", "1 500 £", "£1,500"),
        ("1500", "JPY", "1 500 ¥", "¥1,500"),
        ("12.5", "BYN", "12,50 BYN", "BYN 12.50"),
    ],
)
def test_money_is_written_as_cldr_writes_it(amount: str, currency: str, russian: str, english: str) -> None:
    both = [said("{{ n | money(c) }}", locale, n=Decimal(amount), c=currency) for locale in (RU, EN)]
    assert both == [russian, english]


# CLDR: months, format, wide; the Russian ones in the genitive.
MONTHS = [
    ("января", "January"), ("февраля", "February"), ("марта", "March"), ("апреля", "April"), ("мая", "May"),
    ("июня", "June"), ("июля", "July"), ("августа", "August"), ("сентября", "September"), ("октября", "October"),
    ("ноября", "November"), ("декабря", "December"),
]  # fmt: skip


@pytest.mark.parametrize(("month", "names"), list(enumerate(MONTHS, 1)))
def test_a_date_has_the_month_in_its_case(month: int, names: tuple[str, str]) -> None:
    moment = date(2026, month, 9)
    assert said("{{ d | day }}", RU, d=moment) == f"9 {names[0]}"
    assert said("{{ d | day }}", EN, d=moment) == f"{names[1]} 9"
    assert said("{{ d | date }}", RU, d=moment) == f"9 {names[0]} 2026 г."
    assert said("{{ d | date }}", EN, d=moment) == f"{names[1]} 9, 2026"


@pytest.mark.parametrize(
    ("hour", "minute", "russian", "english"),
    [
        (0, 0, "00:00", "12:00 AM"),
        (9, 5, "09:05", "9:05 AM"),
        (12, 0, "12:00", "12:00 PM"),
        (23, 59, "23:59", "11:59 PM"),
    ],
)
def test_a_time_is_written_as_people_read_clocks(hour: int, minute: int, russian: str, english: str) -> None:
    moment = datetime(2026, 9, 9, hour, minute, tzinfo=MOSCOW).astimezone(UTC)
    assert [said("{{ d | time }}", locale, d=moment) for locale in (RU, EN)] == [russian, english]


# CLDR: dateFields, day, relative.
NEAR = [
    (-3, "6 сентября", "September 6"),
    (-2, "позавчера", "September 7"),
    (-1, "вчера", "yesterday"),
    (0, "сегодня", "today"),
    (1, "завтра", "tomorrow"),
    (2, "послезавтра", "September 11"),
    (3, "12 сентября", "September 12"),
]
NOON = datetime(2026, 9, 9, 12, 0, tzinfo=MOSCOW)


def event_at(moment: datetime) -> Any:
    return SimpleNamespace(occurred_at=moment)


@pytest.mark.parametrize(("distance", "russian", "english"), NEAR)
def test_a_near_day_has_a_word(distance: int, russian: str, english: str) -> None:
    for moment in (NOON + timedelta(days=distance, hours=11), (NOON + timedelta(days=distance)).date()):
        names = {"d": moment, "event": event_at(NOON)}
        assert [said("{{ d | relative_day }}", locale, **names) for locale in (RU, EN)] == [russian, english]


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (datetime(2026, 9, 8, 21, 0, tzinfo=UTC), "сегодня"),
        (datetime(2026, 9, 8, 19, 59, tzinfo=UTC), "завтра"),
        (datetime(2026, 9, 8, 20, 0, tzinfo=UTC), "9 сентября"),
        (datetime(2026, 9, 8, 20, 59, tzinfo=UTC), "9 сентября"),
    ],
)
def test_a_near_day_is_seen_from_the_event_in_the_recipients_zone(happened: datetime, words: str) -> None:
    assert said("{{ d | relative_day }}", RU, d=date(2026, 9, 9), event=event_at(happened)) == words


def test_a_near_day_without_an_event_or_a_word_is_a_date() -> None:
    assert said("{{ d | relative_day }}", RU, d=date(2026, 9, 9)) == "9 сентября"
    assert said("{{ d | relative_day }}", Locale("ja"), d=date(2026, 9, 9), event=event_at(NOON)) == "9月9日"


def test_what_was_said_of_one_day_is_not_said_on_another() -> None:
    """A wording remembers what it made of the same values; the day of the event is one of them."""
    text = """
- id: r
  on: order.ready_for_pickup
  lane: app
  ttl: 12h
  wordings: [{title: a, text: "{{ order.delivery.storage_until | relative_day }}"}]
"""
    plans = planner(text)
    texts = []
    for day in (7, 8, 9):
        event = order(occurred_at=f"2026-09-0{day}T12:00:00+03:00", event_id=f"e-{day}")
        made = planned(plans.plan(record(event, offset=day)))
        texts.append(made.commands[0].wordings[0].text)
    assert texts == ["послезавтра", "завтра", "сегодня"]


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("Кофе в зёрнах, 1 кг", 15, "Кофе в зёрнах…"),
        ("Кофе", 4, "Кофе"),
        ("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 8, "👨‍👩‍👧‍👦…"),
        ("👨‍👩‍👧‍👦 семья", 6, "…"),
        ("🇷🇺🇰🇿🇧🇾", 4, "🇷🇺…"),
        ("👍🏽👍🏽👍🏽", 4, "👍🏽…"),
        ("Й" * 9, 5, "ЙЙЙЙ…"),
        ("e\u0301" * 3 + "x" * 9, 4, "ééé…"),
        ("q\u0301q\u0301q\u0301", 4, "q\u0301…"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿 Англия", 5, "…"),
    ],
)
def test_a_text_is_never_cut_inside_of_a_grapheme(text: str, length: int, short: str) -> None:
    assert shorten(text, length) == short


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("89991234567", "+7 999 123-45-67"),
        ("+7 (999) 123-45-67", "+7 999 123-45-67"),
        ("9991234567", "+7 999 123-45-67"),
        ("+375291234567", "+375291234567"),
    ],
)
def test_a_phone_is_grouped_as_people_dictate_it(number: str, words: str) -> None:
    assert said("{{ n | phone }}", RU, n=number) == words
