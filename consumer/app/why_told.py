"""What `vestnik why` prints: a story that can be read from the top, or all of it for machines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from consumer.app import told
from consumer.app.told import Output
from consumer.app.why_dossier import Dossier
from consumer.app.why_lines import Chapter, Line, Story
from consumer.app.why_words import moment

# More would leave no room for the words.
LANES_NAMED = 2
_STYLES = {
    "delivered": "green", "expired": "yellow", "superseded": "yellow", "suppressed": "yellow", "refused": "red",
    "unknown": "red",
}  # fmt: skip
_WHAT_STYLES = {"dead_letter": "red", "unreadable": "red", "waits": "cyan", "duplicate": "yellow", "ignored": "yellow"}
_WHAT = {"not_planned": "not", "dead_letter": "dead", "again": "repeat"}


def tell_story(dossier: Dossier, story: Story, output: Output) -> None:
    """The whole story."""
    if output is Output.JSON:
        told.as_json(_document(dossier, story))
        return
    console = told.console()
    console.print(Text(_headline(dossier, story), style="bold"))
    console.print(Text(_extent(dossier), style="dim"))
    for chapter in story.chapters:
        console.print()
        console.print(Text.assemble((chapter.title, "bold"), ("  " + chapter.place, "dim")))
        console.print(_grid(chapter, dossier.question.now))
    for line in _remarks(dossier):
        console.print(Text(line, style="yellow"))


def _headline(dossier: Dossier, story: Story) -> str:
    kinds = " and ".join(f"{'an' if kind[0] in 'aeo' else 'a'} {kind}" for kind in map(str, dossier.kinds))
    states = ", ".join(f"{count} {state}" for state, count in story.states.most_common())
    records = _count(len(dossier.sights), "record")
    return f"{dossier.question.term}: {kinds or 'something'}, in {records}" + (f": {states}." if states else ".")


def _extent(dossier: Dossier) -> str:
    since = datetime.fromtimestamp(dossier.question.since, UTC)
    read = sum(each.records for each in dossier.looked)
    return f"{read:,} records read, from {since:%Y-%m-%d %H:%M:%S} on. Times are UTC."


def _grid(chapter: Chapter, now: float) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for lanes, line in _together(chapter):
        at = "now" if line.at is None else moment(line.at, now)
        table.add_row(
            "  " + ("" if at == before else at),
            ", ".join(lanes) if len(lanes) <= LANES_NAMED else f"{len(lanes)} lanes",
            Text(_WHAT.get(line.what, line.what)),
            Text(line.words, style=_style(line)),
        )
        before = at
    return table


def _together(chapter: Chapter) -> list[tuple[list[str], Line]]:
    """The lines, those that several lanes have in common once. Of lanes that make nothing of the record only that is
    told, where another lane makes something of it."""
    idle = {line.lane for line in chapter.lines if line.what == "ignored"}
    lanes = {line.lane for line in chapter.lines if line.lane}
    found: dict[tuple[float | None, str, str], tuple[list[str], Line]] = {}
    for line in chapter.lines:
        if line.what == "committed" and line.lane in idle and idle < lanes:
            continue
        names, _ = found.setdefault((line.at, line.what, line.words), ([], line))
        if line.lane and line.lane not in names:
            names.append(line.lane)
    return list(found.values())


def _style(line: Line) -> str:
    return _STYLES.get(str(line.more.get("outcome")), _WHAT_STYLES.get(line.what, ""))


def _remarks(dossier: Dossier) -> Iterator[str]:
    if dossier.left_out:
        yield f"{_count(dossier.left_out, 'more record')} left out; look at a shorter time with --since."
    yield from (f"Not asked or not answered: {trouble}" for trouble in dict.fromkeys(dossier.troubles))


def _document(dossier: Dossier, story: Story) -> dict[str, Any]:
    return {
        "term": dossier.question.term,
        "kinds": [str(kind) for kind in dossier.kinds],
        "since": dossier.question.since,
        "now": dossier.question.now,
        "states": dict(story.states),
        "chapters": [
            {
                "title": chapter.title,
                "place": chapter.place,
                "event": chapter.event,
                "lines": [
                    {"at": line.at, "lane": line.lane, "what": line.what, "words": line.words, **line.more}
                    for line in chapter.lines
                ],
            }
            for chapter in story.chapters
        ],
        **_looked(dossier),
    }


def _looked(dossier: Dossier) -> dict[str, Any]:
    return {
        "looked": [
            {"topic": each.topic, "partitions": each.partitions, "of": each.of, "records": each.records}
            for each in dossier.looked
        ],
        "left_out": dossier.left_out,
        "troubles": list(dict.fromkeys(dossier.troubles)),
    }


def tell_nothing(dossier: Dossier, output: Output) -> None:
    """Nothing is known: where it was looked for, and what would be right."""
    if output is Output.JSON:
        told.as_json(
            {"term": dossier.question.term, "kinds": [], "since": dossier.question.since, "chapters": []}
            | _looked(dossier)
        )
        return
    told.complain(f"Nothing is known of {dossier.question.term}.")
    since = datetime.fromtimestamp(dossier.question.since, UTC)
    told.complain(f"Looked at what came since {since:%Y-%m-%d %H:%M:%S} UTC:")
    for each in dossier.looked:
        part = "" if each.partitions == each.of else f", {each.partitions} of {each.of} partitions"
        told.complain(f"  {each.topic}: {_count(each.records, 'record')}{part}")
    for trouble in dict.fromkeys(dossier.troubles):
        told.complain(f"  {trouble}")
    told.complain(
        "Look further back with --since 7d, or name it otherwise: an order's id or public id, an event_id, a bonus "
        "operation's id, a customer's id, phone or install id, a command (24 hexadecimal digits), or a record as "
        "topic:partition:offset."
    )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
