"""Another system's values in the writing that our events have: times, amounts, phones, numbers that are texts.

A normaliser takes whatever JSON may hold and gives what an event may have there, or None where it cannot: then the
record is a dead letter, never a guess.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from consumer.core.text import canonical_phone

_DIGITS = 15
_YEAR_10000 = 253_402_300_800
_MONEY_PLACES = 4
_LIST_LIMIT = 1000
_TEXT_CHARACTERS = 4096
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0"})


class As(StrEnum):
    """How a value is written in the event."""

    TEXT = "text"
    LOWER = "lower"
    UPPER = "upper"
    INTEGER = "integer"
    INTEGERS = "integers"
    MONEY = "money"
    CENTS = "cents"
    TIME = "time"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    DATE = "date"
    PHONE = "phone"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Manner:
    """What a normaliser must know beside the value. `zone` is for times without an offset, `pattern` for times that are
    not ISO 8601, `digits` is how many of `cents` make one."""

    zone: tzinfo | None = None
    pattern: str | None = None
    digits: int = 2


Normal = str | int | bool | list[int] | None


def normalised(value: object, how: As, manner: Manner) -> Normal:
    """The value as the event has it; None where it cannot be that."""
    return _TABLE[how](value, manner)


def _text(value: object, _: Manner) -> str | None:
    """Numbers are texts in most places of an event: ids above all."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 10**_DIGITS else None
    text = str(value) if isinstance(value, str | int) else None
    return None if text is None or len(text) > _TEXT_CHARACTERS else text


def _lower(value: object, manner: Manner) -> str | None:
    text = _text(value, manner)
    return None if text is None else text.lower()


def _upper(value: object, manner: Manner) -> str | None:
    text = _text(value, manner)
    return None if text is None else text.upper()


def _integer(value: object, _: Manner) -> int | None:
    number = _decimal(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _integers(value: object, manner: Manner) -> list[int] | None:
    values = value if isinstance(value, list) else [value]
    found = [_integer(each, manner) for each in values[: _LIST_LIMIT + 1]]
    numbers = [each for each in found if each is not None]
    return numbers if len(numbers) == len(found) <= _LIST_LIMIT else None


def _decimal(value: object) -> Decimal | None:
    """Of numbers and of texts that are numbers. What stood in JSON as 12.3 is 12.3, whatever a double makes of it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = repr(value) if isinstance(value, float) else str(value).strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _money(value: object, _: Manner) -> str | None:
    number = _decimal(value)
    return None if number is None else _amount(number)


def _cents(value: object, manner: Manner) -> str | None:
    number = _decimal(value)
    return None if number is None else _amount(number.scaleb(-manner.digits))


def _amount(number: Decimal) -> str:
    """At least two places, at most four; what has more is rounded, halves to even."""
    return f"{number.quantize(Decimal(1).scaleb(-_MONEY_PLACES), ROUND_HALF_EVEN):f}".removesuffix("00")


def _moment(value: object, manner: Manner) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = _read(value.strip(), manner.pattern)
    except ValueError:
        return None
    if found.tzinfo is None:
        return None if manner.zone is None else found.replace(tzinfo=manner.zone)
    return found


def _read(text: str, pattern: str | None) -> datetime:
    if pattern is None:
        return datetime.fromisoformat(text)
    # Its zone, where the pattern has none, is given by the caller.
    return datetime.strptime(text, pattern)  # noqa: DTZ007


def _time(value: object, manner: Manner) -> str | None:
    moment = _moment(value, manner)
    return None if moment is None else moment.isoformat()


def _seconds(value: object, _: Manner) -> str | None:
    number = _decimal(value)
    if number is None or not 0 < number < _YEAR_10000:
        return None
    return datetime.fromtimestamp(float(number), UTC).isoformat()


def _milliseconds(value: object, manner: Manner) -> str | None:
    number = _decimal(value)
    return None if number is None else _seconds(f"{number.scaleb(-3):f}", manner)


def _date(value: object, manner: Manner) -> str | None:
    """The day of a time, or of a date alone, at the place that the time names."""
    moment = _moment(value, Manner(manner.zone or UTC, manner.pattern))
    return None if moment is None else moment.date().isoformat()


def _phone(value: object, manner: Manner) -> str | None:
    text = _text(value, manner)
    return None if text is None else canonical_phone(text)


def _choice(value: object, manner: Manner) -> bool | None:
    text = _lower(value, manner)
    return True if text in _YES else False if text in _NO else None


_TABLE: Mapping[As, Callable[[object, Manner], Normal]] = {
    As.TEXT: _text,
    As.LOWER: _lower,
    As.UPPER: _upper,
    As.INTEGER: _integer,
    As.INTEGERS: _integers,
    As.MONEY: _money,
    As.CENTS: _cents,
    As.TIME: _time,
    As.SECONDS: _seconds,
    As.MILLISECONDS: _milliseconds,
    As.DATE: _date,
    As.PHONE: _phone,
    As.CHOICE: _choice,
}
