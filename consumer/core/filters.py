"""The filters of templates: plurals, money, numbers, dates, phones by locale, and the tests of conditions.

A filter never shows nothing: where its value is absent it raises `UnsayableError`, and the text is not sent half empty.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal
from jinja2 import TemplateRuntimeError, pass_context
from jinja2.runtime import Context, Undefined

from consumer.core.text import canonical, canonical_phone, shorten

_REMEMBERED = 4096


class UnsayableError(TemplateRuntimeError):
    """A value that cannot be said. Its message names fields and rules, never the value."""


# What rendering raises when an event does not fit a template.
RENDER_ERRORS = (TemplateRuntimeError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError)


def present(value: Any) -> bool:
    return value is not None and not isinstance(value, Undefined)


def _given(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises, naming the field
    if value is None:
        raise UnsayableError("a field is absent; give it a default or an if")
    return value


def printed(value: Any) -> str:
    """How a value stands in a text when no filter says otherwise."""
    if isinstance(value, str):
        return value
    value = _given(value)
    if isinstance(value, Decimal):
        return f"{_plain(value):f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnsayableError(f"a {type(value).__name__} is not a text; use a filter or name one of its fields")


def _number(value: Any) -> Decimal:
    if isinstance(_given(value), bool) or not isinstance(value, int | Decimal):
        raise UnsayableError(f"a {type(value).__name__} is not a number")
    return _plain(Decimal(value))


def _plain(value: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent: 250.00 is 250."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


# --- numbers ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=_REMEMBERED)
def _decimal(locale: Locale, value: Decimal) -> str:
    return format_decimal(value, locale=locale)


def number(locale: Locale, value: Any) -> str:
    return _decimal(locale, _number(value))


# CLDR's currency spacing: "RUB 2,450", and not "RUB2,450".
_CODE_BY_DIGIT = re.compile(r"(?<=[A-Za-z])(?=[0-9])")


@lru_cache(maxsize=_REMEMBERED)
def _currency(locale: Locale, value: Decimal, currency: str) -> str:
    if value != value.to_integral_value():
        said = format_currency(value, currency, locale=locale)
    else:
        pattern = locale.currency_formats["standard"].pattern.replace(".00", "")
        said = format_currency(value, currency, pattern, locale=locale, currency_digits=False)
    return _CODE_BY_DIGIT.sub("\u00a0", said)


def money(locale: Locale, context: Context, value: Any, currency: Any = None) -> str:
    """With the currency given, else the order's, else the shop's; no kopecks in a whole amount."""
    code = next(filter(present, (currency, context.parent.get("currency"))), "RUB")
    return _currency(locale, _number(value), str(code))


_CATEGORIES = ("zero", "one", "two", "few", "many", "other")


@lru_cache(maxsize=32)
def plural_categories(locale: Locale) -> tuple[str, ...]:
    """The locale's plural categories in CLDR's order; `other` is always the last."""
    return tuple(name for name in _CATEGORIES if name in locale.plural_form.tags or name == "other")


def accepts_forms(locale: Locale, count: int) -> bool:
    """A language with `few` needs `other` for fractions only, and they sound like `few`: it may be left out."""
    categories = plural_categories(locale)
    return count == len(categories) or ("few" in categories and count == len(categories) - 1)


def plural(locale: Locale, value: Any, *forms: str) -> str:
    """The number and its word: `5 бонусов`."""
    if not accepts_forms(locale, len(forms)):
        raise UnsayableError(f"plural needs {len(plural_categories(locale))} forms in {locale}")
    figure = _number(value)
    categories = plural_categories(locale)
    category = _category(locale, abs(figure))
    if len(forms) < len(categories) and category == "other":
        category = "few"
    return f"{_decimal(locale, figure)} {forms[categories.index(category)]}"


@lru_cache(maxsize=_REMEMBERED)
def _category(locale: Locale, figure: Decimal) -> str:
    return locale.plural_form(figure)


# --- dates ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=_REMEMBERED)
def find_zone(name: str) -> tzinfo | None:
    """A time zone of CLDR's list by its name; None where there is none. The list is closed because an event's text
    must not choose which file is opened."""
    if name in ("UTC", "Etc/UTC"):
        return UTC
    if get_global("zone_aliases").get(name, name) not in get_global("zone_territories"):
        return None
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # a machine without a database of time zones
        return None


@lru_cache(maxsize=1024)
def find_locale(code: str) -> Locale | None:
    """A locale by its code, `ru`, `ru-RU` or `ru_RU`; None where CLDR has none."""
    if len(code) > 35:
        return None
    try:
        return Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return None


def _local(context: Context, value: Any) -> date | datetime:
    """In the recipient's time zone. A date without a time stands for itself."""
    if isinstance(_given(value), datetime):
        zone: tzinfo = context.parent.get("timezone") or UTC
        return value.astimezone(zone)  # type: ignore[no-any-return]
    if isinstance(value, date):
        return value
    raise UnsayableError(f"a {type(value).__name__} is not a date")


@lru_cache(maxsize=_REMEMBERED)
def _long_date(locale: Locale, value: date) -> str:
    return format_date(value, "long", locale=locale)


@lru_cache(maxsize=_REMEMBERED)
def _day_and_month(locale: Locale, value: date) -> str:
    return format_skeleton("MMMMd", datetime(value.year, value.month, value.day), locale=locale)  # noqa: DTZ001


def long_date(locale: Locale, context: Context, value: Any) -> str:
    """`9 сентября 2026 г.`, `September 9, 2026`."""
    local = _local(context, value)
    return _long_date(locale, date(local.year, local.month, local.day))


def day(locale: Locale, context: Context, value: Any) -> str:
    """`9 сентября`, `September 9`."""
    local = _local(context, value)
    return _day_and_month(locale, date(local.year, local.month, local.day))


# CLDR's words for the days around today, by their distance (dateFields, day, relative); Babel does not carry them.
_NEAR_DAYS: Mapping[str, Mapping[int, str]] = {
    "ru": {-2: "позавчера", -1: "вчера", 0: "сегодня", 1: "завтра", 2: "послезавтра"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
    "be": {-2: "пазаўчора", -1: "учора", 0: "сёння", 1: "заўтра", 2: "паслязаўтра"},
    "uk": {-2: "позавчора", -1: "учора", 0: "сьогодні", 1: "завтра", 2: "післязавтра"},
    "kk": {-1: "кеше", 0: "бүгін", 1: "ертең"},
    "de": {-2: "vorgestern", -1: "gestern", 0: "heute", 1: "morgen", 2: "übermorgen"},
}
# What happens so late in the evening is read on the next day.
_LATE = timedelta(hours=1)
RELATIVE_DAY = "relative_day"


def relative_day(locale: Locale, context: Context, value: Any) -> str:
    """`завтра`, `tomorrow`, else as `day`: seen from the day on which the event happened, in the recipient's zone. The
    moment of rendering takes no part, so that a record always gives the same text; in the last hour before midnight it
    is the date."""
    local, event = _local(context, value), context.parent.get("event")
    if event is not None:
        told: datetime = _local(context, event.occurred_at)  # type: ignore[assignment]
        if (told + _LATE).date() == told.date():
            distance = (date(local.year, local.month, local.day) - told.date()).days
            near = _NEAR_DAYS.get(locale.language, {}).get(distance)
            if near is not None:
                return near
    return day(locale, context, value)


def clock(locale: Locale, context: Context, value: Any) -> str:
    """`13:05`, `1:05 PM`."""
    local = _local(context, value)
    if not isinstance(local, datetime):
        raise UnsayableError("a date has no time of the day")
    return format_time(local.timetz().replace(tzinfo=None), "short", locale=locale)


# --- words ------------------------------------------------------------------------------------------------------------


def phone(value: Any) -> str:
    """`+7 999 123-45-67`; a number of another country is not grouped."""
    digits = canonical_phone(str(_given(value)))
    if digits is None:
        raise UnsayableError("not a phone number")
    if len(digits) != 11 or digits[0] != "7":
        return f"+{digits}"
    return f"+7 {digits[1:4]} {digits[4:7]}-{digits[7:9]}-{digits[9:]}"


def shortened(value: Any, characters: int = 80) -> str:
    return shorten(_text(value), characters)


def default(value: Any, instead: Any = "", *_: Any) -> Any:
    """The value, or another where it is absent or empty."""
    return value if present(value) and value != "" else instead


def first(value: Any) -> Any:
    """The first of a list, or nothing."""
    return next(iter(value), None) if isinstance(value, Sequence) and not isinstance(value, str) else _given(value)


def length(value: Any) -> int:
    return len(_given(value))


def capitalize(value: Any) -> str:
    """The first letter large, the others as they are: names stay names."""
    text = _text(value)
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str:
    return canonical(printed(value))


# Most ids: nothing would be done to them.
_UNRESERVED = re.compile("[A-Za-z0-9_.~-]+")


def quoted(value: Any) -> str:
    """A value as one part of a link."""
    if isinstance(value, str) and _UNRESERVED.fullmatch(value):
        return value
    return quote(_text(value), safe="")


FILTERS: Mapping[str, Callable[[Locale], Callable[..., Any]]] = {
    "plural": lambda locale: partial(plural, locale),
    "number": lambda locale: partial(number, locale),
    "money": lambda locale: _with_context(money, locale),
    "date": lambda locale: _with_context(long_date, locale),
    "day": lambda locale: _with_context(day, locale),
    RELATIVE_DAY: lambda locale: _with_context(relative_day, locale),
    "time": lambda locale: _with_context(clock, locale),
    "phone": lambda _: phone,
    "shorten": lambda _: shortened,
    "default": lambda _: default,
    "first": lambda _: first,
    "length": lambda _: length,
    "upper": lambda _: lambda value: _text(value).upper(),
    "lower": lambda _: lambda value: _text(value).lower(),
    "capitalize": lambda _: capitalize,
    "quote": lambda _: quoted,
}


# What filters look at beside the values that they are given.
LOOKED_AT: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "money": (("currency",),),
    "date": (("timezone",),),
    "day": (("timezone",),),
    RELATIVE_DAY: (("timezone",), ("event", "occurred_at")),
    "time": (("timezone",),),
}


def _with_context(make: Callable[..., str], locale: Locale) -> Callable[..., str]:
    @pass_context
    def filtered(context: Context, *arguments: Any) -> str:
        return make(locale, context, *arguments)

    return filtered


TESTS: Mapping[str, Callable[[Any], bool]] = {
    "defined": present,
    "undefined": lambda value: not present(value),
    "none": lambda value: not present(value),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
}
