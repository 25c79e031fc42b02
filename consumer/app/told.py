"""What commands print: problems, settings, wordings, topics; as a table for people or as JSON for machines."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console

from consumer.app.show import Value
from consumer.core.document import Problem
from consumer.core.reach import Reach
from consumer.core.units import spell_seconds
from consumer.streams.topics import TopicProblem

if TYPE_CHECKING:
    from consumer.app.doctor_row import Row
    from consumer.app.suppressing import Listed

PHONE_WIDTH = 46


class Output(StrEnum):
    """How a command prints."""

    TABLE = "table"
    JSON = "json"


def console() -> Console:
    """Standard output, as it is at this moment. Nothing of what it is given is read as markup."""
    return Console(highlight=False, markup=False)


def say(text: str) -> None:
    """A line for people, however long."""
    console().print(text, soft_wrap=True)


def complain(text: str) -> None:
    """The same, on standard error."""
    Console(stderr=True, highlight=False, markup=False).print(text, soft_wrap=True)


def as_json(value: Any) -> None:
    """Print JSON that people can read too."""
    say(json.dumps(value, ensure_ascii=False, indent=2))


def tell_problems(problems: Sequence[Problem], output: Output, warnings: Sequence[str] = ()) -> None:
    """Every mistake on a line of its own, and how many there are."""
    if output is Output.JSON:
        as_json({"problems": [asdict(problem) for problem in problems], "warnings": list(warnings)})
        return
    for warning in warnings:
        complain(f"warning: {warning}")
    for problem in problems:
        complain(str(problem))
    known = f", {len(warnings)} {'warning' if len(warnings) == 1 else 'warnings'}" if warnings else ""
    complain(f"{len(problems)} {'mistake' if len(problems) == 1 else 'mistakes'}{known}")


def tell_sound(summary: dict[str, int], warnings: Sequence[str], reach: Sequence[Reach], output: Output) -> None:
    """Nothing is wrong; what people should know all the same, and how far the routes reach."""
    if output is Output.JSON:
        as_json({"problems": [], "warnings": list(warnings), **summary, "reach": [_reach(each) for each in reach]})
        return
    for warning in warnings:
        say(f"warning: {warning}")
    if reach:
        tell_columns([("route", "lane", "within", "texts by wording", "people a minute, in time"), *map(_cells, reach)])
    say("Fine: " + ", ".join(f"{count} {name}" for name, count in summary.items()) + ".")


def _reach(reach: Reach) -> dict[str, Any]:
    """JSON knows no infinity: null are a text for everybody, and people whom no quota bounds."""
    told = asdict(reach)
    for wording in told["wordings"]:
        wording |= {key: None for key in ("texts", "pushes_per_minute") if math.isinf(wording[key])}
    return told


def _cells(reach: Reach) -> tuple[str, ...]:
    texts = " / ".join("one each" if each.is_unique else f"{each.texts:,.0f}" for each in reach.wordings)
    bound = not any(math.isinf(each.pushes_per_minute) for each in reach.wordings)
    pushes = " / ".join(f"{each.pushes_per_minute:,.0f}" for each in reach.wordings) if bound else "no bound"
    return reach.route, reach.lane, spell_seconds(reach.deliver_within_seconds), texts, pushes


def tell_columns(rows: Sequence[Sequence[str]]) -> None:
    """Not a table of rich's: what is cut or folded cannot be searched or copied."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def tell_settings(values: Sequence[Value], output: Output) -> None:
    """Each setting with where it came from."""
    if output is Output.JSON:
        as_json([asdict(value) for value in values])
        return
    tell_columns([astuple(value) for value in values])


def tell_diagnosis(rows: Sequence["Row"], output: Output) -> None:
    """What was looked at, and how it stands."""
    if output is Output.JSON:
        as_json([asdict(row) for row in rows])
        return
    marks = {"ok": "ok  ", "warning": "WARN", "failed": "FAIL", "unknown": "?   "}
    for row in rows:
        say(f"{marks[row.state]}  {row.part}: {row.what}" + (f" — {row.detail}" if row.detail else ""))
        if row.mend and row.state != "ok":
            say(f"      {row.mend}")
    failed = sum(row.state == "failed" for row in rows)
    unknown = sum(row.state == "unknown" for row in rows)
    rest = f" {unknown} could not be looked at." if unknown else ""
    say(("Everything is there." if not failed else f"{failed} of {len(rows)} failed.") + rest)


def tell_topics(problems: Sequence[TopicProblem], good: str, output: Output) -> None:
    """What is wrong with the topics, or that all is well."""
    if output is Output.JSON:
        as_json({"problems": [asdict(problem) for problem in problems]})
        return
    for problem in problems:
        complain(str(problem))
    if not problems:
        say(good)


def tell_listed(found: Sequence["Listed"], output: Output) -> None:
    """Who is not to be told, by hash."""
    if output is Output.JSON:
        as_json([asdict(one) for one in found])
        return
    for one in found:
        where = f" on {', '.join(one.lanes)}" if one.lanes else ""
        until = f" until {one.until}" if one.until else ""
        say(f"{one.hash}{where}{until}  {one.reason}".rstrip())
    say(f"{len(found)} listed.")
