"""From the state's report to HTML: the whole page, or the part of it that changes."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jinja2

from consumer.app.page.verdict import verdict
from consumer.app.page.words import LANGUAGES, code, speech, spelt

PUSHES_SHOWN = 12
GROUPS_SHOWN = 12
PROBLEMS_SHOWN = 20

Report = Mapping[str, Any]


class Setting(Protocol):
    """One setting that is in force."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def origin(self) -> str: ...


Settings = Sequence[Setting]

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("consumer.app.page", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(report: Report, history: Report, settings: Settings, language: str) -> str:
    """All of it."""
    template = _environment.get_template("page.html")
    return template.render(
        **_context(report, language), settings=settings, chart=_chart(history), languages=LANGUAGES, path="/"
    )


def render_preview(
    asked: Mapping[str, str], routes: Sequence[str], locales: Sequence[str], made: object, language: str
) -> str:
    """The form, and below it what came of it: a preview, or words in its place."""
    template = _environment.get_template("preview.html")
    return template.render(
        asked=asked,
        routes=routes,
        locales=locales,
        made=made,
        language=language,
        languages=LANGUAGES,
        say=speech(language),
    )


def render_live(report: Report, language: str) -> str:
    """What changes from second to second: the word, and the lanes."""
    return _environment.get_template("live.html").render(**_context(report, language))


def _context(report: Report, language: str) -> dict[str, Any]:
    say = speech(language)
    return {
        "report": report,
        "language": language,
        "say": say,
        "code": lambda word: code(language, word),
        "span": lambda seconds: spelt(seconds, language),
        "verdict": verdict(report, say, language),
        "pushes_shown": PUSHES_SHOWN,
        "groups_shown": GROUPS_SHOWN,
        "problems_shown": PROBLEMS_SHOWN,
    }


def _chart(history: Report) -> list[tuple[str, str, int]]:
    """For a browser without scripts: of each lane the points of a line in a box of 360 by 60, and its highest value."""
    return [(lane, *_line(columns["told"])) for lane, columns in history["lanes"].items()]


def _line(values: Sequence[int]) -> tuple[str, int]:
    top = max(values, default=0)
    points = (f"{number},{60 - round(58 * value / top) if top else 60}" for number, value in enumerate(values))
    return " ".join(points), top
