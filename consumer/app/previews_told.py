"""Previews in a terminal: each wording as a phone shows it, with a bar for each length, and what it can reach."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from consumer.app.previewing import Preview, Step
from consumer.app.told import PHONE_WIDTH, Output, as_json, console, say
from consumer.core.model import Message
from consumer.core.showing import level_name
from consumer.sinks.texts import Measure

BAR_WIDTH = 20


def tell_previews(previews: Sequence[Preview], output: Output) -> None:
    """All of them, for people or for machines."""
    if output is Output.JSON:
        as_json([document for preview in previews for document in documents(preview)])
        return
    for preview in previews:
        say(f"{preview.route} on {preview.lane}, of {preview.source}")
        if preview.silence:
            say(f"  nobody would be told: {preview.silence}")
        for step in preview.steps:
            _tell_step(preview.route, step)


def documents(preview: Preview) -> Iterator[dict[str, Any]]:
    """One for each wording."""
    for step in preview.steps:
        said = step.message._asdict() if step.message else dict.fromkeys(Message._fields)
        yield {
            "route": preview.route,
            "lane": preview.lane,
            "source": preview.source,
            "silence": preview.silence,
            "locale": step.locale,
            "level": step.level,
            **said,
            "problem": step.problem,
            "unique": list(step.unique),
            "fields": list(step.fields),
            "texts": step.texts,
            "people_a_minute": step.people_a_minute,
            "lengths": [{"provider": step.provider, **bar._asdict(), "over": bar.over} for bar in step.bars],
        }


def _tell_step(route: str, step: Step) -> None:
    name = f"coarser, {level_name(step.level)}" if step.level else level_name(step.level)
    title = Text(f"{route}: {name}, {step.locale}")
    console().print(Panel(_phone(step), title=title, width=PHONE_WIDTH + 4, title_align="left"))
    for line in lines_of(step):
        say(f"  {line}")


def _phone(step: Step) -> Group:
    message = step.message
    if message is None:
        return Group(Text(f"cannot be said: {step.problem}", style="red"))
    links = [Text(part, style="blue") for part in (message.link, message.image) if part]
    titles = [Text(message.title, style="bold")] if message.title else []
    return Group(*(_folded(part) for part in (*titles, Text(message.text), *links)))


# A phone breaks no line at this space, and rich would: a sign that nobody writes stands in for it meanwhile.
_STIFF, _STAND_IN = "\u00a0", "\ue000"


def _folded(text: Text) -> Text:
    """The lines in which a phone shows a text."""
    lines = Text(text.plain.replace(_STIFF, _STAND_IN)).wrap(console(), PHONE_WIDTH)
    return Text("\n".join(line.plain.replace(_STAND_IN, _STIFF) for line in lines), style=text.style)


def lines_of(step: Step) -> Iterator[str]:
    """What stands below a wording."""
    if step.message is not None:
        title = f"title {len(step.message.title)}, " if step.message.title else ""
        yield f"{title}text {len(step.message.text)} characters"
    width = max((len(f"{step.provider} {bar.part}") for bar in step.bars), default=0)
    for bar in step.bars:
        name = f"{step.provider} {bar.part}".ljust(width)
        unit = "" if bar.unit == "letters" else f" {bar.unit}"
        yield f"{name}  {drawn(bar)} {bar.length} of {bar.most}{unit}{', cut off on a phone' if bar.over else ''}"
    if step.unique:
        yield f"everybody has a text of their own: {', '.join(step.unique)}"
    elif step.texts == 1:
        yield "one text for everybody"
    elif step.texts is not None:
        yield f"about {step.texts:,.0f} different texts" + (f": {', '.join(step.fields)}" if step.fields else "")
    if step.people_a_minute is not None:
        yield f"reaches {step.people_a_minute:,.0f} people a minute in time"


def drawn(bar: Measure) -> str:
    """A bar of twenty places."""
    full = min(BAR_WIDTH, round(BAR_WIDTH * bar.length / bar.most))
    return ("█" * full).ljust(BAR_WIDTH, "░") if not bar.over else "▓" * BAR_WIDTH
