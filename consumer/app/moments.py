"""Moments as people write them on the command line: a date, a time, or how long from now."""

from datetime import UTC, datetime, timedelta

from consumer.core.units import parse_seconds


def read_moment(text: str) -> datetime | str:
    """A date, or a date with a time, in UTC where it names no zone; in words, what is wrong with it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return f'"{text}" is not a date; it is written as in 2026-12-31 or 2026-12-31T18:00+03:00'
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def read_ahead(text: str, now: datetime) -> datetime | str:
    """The same, or how long from now, as in "2h"; what is over already is wrong."""
    moment = _moment_or_span(text, now, 1)
    if isinstance(moment, datetime) and moment <= now:
        return f"{text} is over already"
    return moment


def read_ago(text: str, now: datetime) -> datetime | str:
    """The same, or how long ago, as in "30m"."""
    return _moment_or_span(text, now, -1)


def _moment_or_span(text: str, now: datetime, sign: int) -> datetime | str:
    try:
        return now + sign * timedelta(seconds=parse_seconds(text))
    except (ValueError, OverflowError):
        moment = read_moment(text)
    return moment if isinstance(moment, datetime) else f"{moment}; or a span, as in 90s, 30m, 2h or 1d"
