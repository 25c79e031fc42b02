"""How an answer is read: strict JSON, and the provider's wish to wait."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from consumer.sinks.http import Reply

RETRY_AFTER_CAP_SECONDS = 900.0


class _UnreadableError(ValueError):
    """A body that two parsers would read differently. Carries no text of the body."""


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None for anything else: no UTF-8, NaN, a key twice, nesting too deep, a list."""
    document = read_json(body)
    return document if isinstance(document, dict) else None


def read_json(body: bytes) -> Any:
    """The JSON document in a body; None for what is none, and for what two parsers would read differently."""
    try:
        return _STRICT.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def retry_after_seconds(reply: Reply) -> float | None:
    """What `Retry-After` asks for, at most 15 minutes; None where it is absent, negative or senseless.

    A date is taken relative to the reply's own `Date`, so that nobody's clock has to be right.
    """
    text = reply.headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, reply.headers.get("date", ""))
    if seconds is None or seconds < 0:
        return None
    return min(seconds, RETRY_AFTER_CAP_SECONDS)


def words(*texts: object) -> str:
    """A provider's own words for a person, as one line of printable characters; nothing of what is no text."""
    line = " ".join(text for text in texts if isinstance(text, str))
    return "".join(letter if letter.isprintable() else " " for letter in line).strip()


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise _UnreadableError
        document[key] = value
    return document


def _no_constant(name: str) -> float:
    raise _UnreadableError


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _number(text: str) -> float | None:
    if len(text) > 32 or "_" in text or not text.isascii():
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def date_of(text: str) -> float | None:
    """A header's date in seconds since 1970; None for what is none."""
    try:
        return _aware(parsedate_to_datetime(text)).timestamp()
    except (ValueError, TypeError, IndexError):
        return None


def _until(text: str, date: str) -> float | None:
    try:
        wanted, said = parsedate_to_datetime(text), parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError):
        return None
    return max(0.0, (_aware(wanted) - _aware(said)).total_seconds())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
