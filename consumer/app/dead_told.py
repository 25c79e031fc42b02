"""What `vestnik dead` prints: lists, one letter whole, counts, and what a redrive does."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.padding import Padding
from rich.text import Text

from consumer.app import told
from consumer.app.dead_original import shown_headers, shown_key, shown_value
from consumer.app.dead_redrive import Line, Survey
from consumer.app.masking import clipped
from consumer.app.told import Output
from consumer.core.redrive import FATES, Fate, Letter, Tally, tallied
from consumer.core.redrive_advice import ADVICE
from consumer.core.units import spell_bytes

_SHORT_CHARACTERS = 12
_HEX = re.compile(r"[0-9a-f]{24,}(-.*)?")


def moment(seconds: float) -> str:
    """In UTC to the second, as it can be typed in again after --from."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short_id(id_: str) -> str:
    """As much of an id as a person needs to name the letter; a place stands as it is."""
    return id_[:_SHORT_CHARACTERS] if _HEX.fullmatch(id_) else id_


def place(letter: Letter) -> str:
    """Where the original stands: topic:partition:offset."""
    return ":".join(map(str, letter.origin))


# --- lists ------------------------------------------------------------------------------------------------------------


def tell_letters(letters: Sequence[Letter], limit: int, output: Output) -> None:
    """The newest first, at most so many."""
    newest = sorted(letters, key=lambda letter: (-letter.died_at, letter.record.position))[:limit]
    if output is Output.JSON:
        told.as_json({"letters": [_summary(letter) for letter in newest], "total": len(letters)})
        return
    if not letters:
        told.say("No letters.")
        return
    rows = [("died (UTC)", "letter", "reason", "lane", "route", "original", "redrives")]
    told.tell_columns([*rows, *map(_row, newest)])
    more = f"; --limit {len(letters)} shows all" if len(letters) > limit else ""
    told.say(f"{len(newest)} of {_count(len(letters), 'letter')}{more}. `vestnik dead show LETTER` tells one whole.")


def _row(letter: Letter) -> tuple[str, ...]:
    head = letter.head
    at = moment(letter.died_at)
    return (at, short_id(head.id), str(head.reason), head.lane, head.route or "-", place(letter), str(head.redrives))


def _summary(letter: Letter) -> dict[str, Any]:
    head = letter.head
    return {
        "id": head.id,
        "lane": head.lane,
        "reason": str(head.reason),
        "detail": clipped(head.detail),
        "route": head.route,
        "command": head.command,
        "original": {"topic": head.topic, "partition": head.partition, "offset": head.offset, "at": head.timestamp},
        "died_at": letter.died_at,
        "redrives": head.redrives,
        "copies": letter.copies,
        "letter": dict(zip(("topic", "partition", "offset"), letter.record.position, strict=True)),
    }


def tell_tallies(letters: Iterable[Letter], output: Output) -> None:
    """How many there are by reason, lane and route, and what to do about each reason."""
    tallies = tallied(letters)
    if output is Output.JSON:
        told.as_json({"total": sum(each.letters for each in tallies), "by": [each._asdict() for each in tallies]})
        return
    if not tallies:
        told.say("No letters.")
        return
    rows = [("letters", "reason", "lane", "route", "first (UTC)", "last (UTC)"), *map(_tally, tallies)]
    told.tell_columns(rows)
    told.say("")
    for reason in dict.fromkeys(each.reason for each in tallies):
        _advise(reason)


def _tally(each: Tally) -> tuple[str, ...]:
    return (str(each.letters), each.reason, each.lane, each.route or "-", moment(each.first), moment(each.last))


def _advise(reason: str) -> None:
    advice = next(advice for known, advice in ADVICE.items() if known == reason)
    words = Text.assemble((reason, "bold"), ": ", advice.means, " ", advice.mend)
    told.console().print(Padding(words, (0, 0, 0, 0)))


# --- one letter -------------------------------------------------------------------------------------------------------


def tell_letter(letter: Letter, lives: str, output: Output, *, reveal: bool) -> None:
    """The reason, what to do about it, and the original. `lives`: whether it was redriven, in words."""
    original = letter.original
    value = shown_value(original.value, reveal=reveal)
    if output is Output.JSON:
        advice = ADVICE[letter.reason]
        told.as_json(
            _summary(letter)
            | {
                "detail": letter.head.detail if reveal else clipped(letter.head.detail),
                "means": advice.means,
                "mend": advice.mend,
                "redriven": lives,
                "masked": not reveal,
                "cut": {"size": letter.head.size, "sha256": letter.head.sha256} if letter.head.sha256 else None,
                "key": shown_key(original.key, reveal=reveal),
                "headers": [list(pair) for pair in shown_headers(original.headers, reveal=reveal)],
                "value": value,
            }
        )
        return
    console = told.console()
    for name, words in _told_of(letter, lives, reveal=reveal):
        console.print(_Field(name, words))
    console.print(_Field("key", shown_key(original.key, reveal=reveal) or "none"))
    for name, text in shown_headers(original.headers, reveal=reveal):
        console.print(_Field("header", f"{name}: {text}"))
    console.print(_Field("value", _value_words(letter, reveal=reveal)))
    told.say(value)


def _told_of(letter: Letter, lives: str, *, reveal: bool) -> Iterator[tuple[str, str]]:
    head, advice = letter.head, ADVICE[letter.reason]
    yield "letter", head.id
    yield "died", f"{moment(letter.died_at)} on the lane {head.lane}" + (f", route {head.route}" if head.route else "")
    if letter.copies > 1:
        yield "copies", f"it stands in the topic {letter.copies} times; they count as one"
    yield "original", f"{place(letter)}, published {moment(head.timestamp)}"
    if head.command:
        yield "command", f"{head.command} (`vestnik why {head.command}` tells its story)"
    yield "reason", f"{head.reason}: {advice.means}"
    if head.detail:
        # A provider's own words may name whom it refused.
        yield "detail", head.detail if reveal else clipped(head.detail)
    yield "to do", advice.mend
    yield "redriven", lives


def _value_words(letter: Letter, *, reveal: bool) -> str:
    head, value = letter.head, letter.original.value
    if value is None:
        return "none: nobody could read the original when the letter was written; a redrive reads the source again"
    size = f"{len(value)} bytes"
    if head.sha256 is not None:
        size = f"the first {spell_bytes(len(value))} of {head.size} bytes, SHA-256 {head.sha256}"
    return size if reveal else f"{size}; masked, --reveal shows it as it is"


class _Field:
    """A name and words beside it, folded within the width of the terminal."""

    def __init__(self, name: str, words: str) -> None:
        self._name = name
        self._words = words

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.table import Table  # noqa: PLC0415

        table = Table.grid(padding=(0, 1))
        table.add_column(width=9, style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(Text(self._name), Text(self._words))
        yield table


# --- redrive ----------------------------------------------------------------------------------------------------------


def tell_survey(survey: Survey, run: str, output: Output, *, sent: bool) -> None:
    """What becomes of the letters, or has become of them."""
    if output is Output.JSON:
        told.as_json(_surveyed(survey, run, sent=sent))
        return
    fates: Counter[Fate] = Counter()
    for line, letters in survey.letters.items():
        fates[line.fate] += letters
    lines = sorted(survey.letters, key=lambda line: (list(Fate).index(line.fate), -survey.letters[line], line))
    if lines:
        told.tell_columns([("letters", "messages", "reason", "lane", "route", "fate"), *_survey_rows(survey, lines)])
        told.say("")
    for fate in Fate:
        if fates[fate]:
            told.say(f"{fate}: {_count(fates[fate], 'letter')} {FATES[fate]}.")
    for line in lines:
        if line.detail and line.fate in (Fate.DIES_AGAIN, Fate.NO_LANE, Fate.IGNORED, Fate.SUPPRESSED):
            told.say(f"  {line.reason}, {line.lane}: {line.detail}")
    told.say(_conclusion(survey, run, sent=sent))
    for id_, why in survey.refused:
        told.complain(f"{id_}: {why}")
    if survey.trouble is not None:
        told.complain(f"stopped: {survey.trouble.reason} {survey.trouble.detail}".rstrip())


def _survey_rows(survey: Survey, lines: Iterable[Line]) -> Iterator[tuple[str, ...]]:
    """Lines that differ in their details alone are one row."""
    letters: Counter[tuple[str, ...]] = Counter()
    messages: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        row = (line.reason, line.lane, line.route or "-", str(line.fate))
        letters[row] += survey.letters[line]
        messages[row] += survey.messages[line]
    for each, count in letters.items():
        yield (str(count), str(messages[each]), *each)


def _conclusion(survey: Survey, run: str, *, sent: bool) -> str:
    if not survey.letters:
        return "No letters are asked for."
    if not survey.going:
        return "Nothing went out." if sent else "Nothing would go out."
    if sent:
        return f"{_count(survey.published, 'letter')} redriven as redrive-{run}; each lane sends them at low weight."
    return (
        f"{_count(survey.going, 'letter')} would become {_count(survey.told, 'message')}. "
        "This was a dry run; --send does it."
    )


def _surveyed(survey: Survey, run: str, *, sent: bool) -> dict[str, Any]:
    return {
        "run": f"redrive-{run}",
        "sent": sent,
        "letters": sum(survey.letters.values()),
        "going": survey.going,
        "messages": survey.told,
        "published": survey.published,
        "refused": [{"letter": id_, "why": why} for id_, why in survey.refused],
        "trouble": None if survey.trouble is None else f"{survey.trouble.reason} {survey.trouble.detail}".strip(),
        "by": [
            {**line._asdict(), "fate": str(line.fate), "letters": count, "messages": survey.messages[line]}
            for line, count in survey.letters.items()
        ],
    }


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
