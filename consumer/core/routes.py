"""Route files: which event, under which condition, becomes which message for whom, on which lane.

Loading finds every mistake at once, each with its file and line: unknown keys, events, fields and filters, templates
that are none, identities that stand twice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from babel import Locale
from jinja2 import nodes
from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from consumer.core.document import Path, Problem, Strict, Tree, locate, read_part, read_tree
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.fields import Meaning, field_flaws, kinds, meaning
from consumer.core.filters import find_locale
from consumer.core.model import OnUnsure, Priority
from consumer.core.templates import Flaw, plain_path, read_expression, sandbox, word_flaws
from consumer.core.units import Seconds
from consumer.core.wordings import read_wording
from schemas.envelope import Customer, Event, Moment

TTL_LIMIT_SECONDS = 30 * 86_400.0
DELIVER_WITHIN_SECONDS = 1800.0
# Conditions are the same in every language; this one only lends its filters.
_ANY_LOCALE = Locale("en")
EXPRESSION_SANDBOX = sandbox(_ANY_LOCALE)


class WordingText(Strict):
    """One step of the detail ladder, as a template author writes it."""

    title: str | None = Field(default=None, min_length=1, description="template of the title")
    text: str = Field(min_length=1, description="template of the text")
    link: str | None = Field(default=None, description="template of what opens at a tap")
    image: str | None = Field(default=None, description="template of a picture's https address")

    def sources(self) -> dict[str, str]:
        """The parts that there are, by name."""
        parts = {"title": self.title, "text": self.text, "link": self.link, "image": self.image}
        return {name: source for name, source in parts.items() if source is not None}


class Expectation(Strict):
    """What an example's message must be; a part that is not named may be anything."""

    title: str | None = None
    text: str | None = None
    link: str | None = None
    image: str | None = None


class Example(Strict):
    """An event in a file, and the message that must come of it. `sent: false`: no message must come of it."""

    event: str = Field(description="file of the event, beside the route file")
    locale: str | None = Field(default=None, description="instead of the customer's own")
    level: int = Field(default=0, ge=0, description="step of the ladder, 0 is the most personal")
    expect: Expectation = Expectation()
    sent: bool = True


_Ladder = Annotated[list[WordingText], Field(min_length=1, max_length=8)]


class Route(Strict):
    """Which event, under which condition, becomes which message for whom, on which lane. Its `id` never changes."""

    model_config = ConfigDict(populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="never changes: sent commands are known by it")
    on: str | Annotated[list[str], Field(min_length=1)] = Field(description="type of the event, or a list of them")
    when: str | None = Field(default=None, description="condition; without it every event of the type")
    lane: str
    to: str = Field(default="event.customer", description="the customer, or an expression that gives ids")
    thread: str | None = Field(default=None, description="what a newer message replaces, e.g. event.order.id")
    priority: Priority = Priority.NORMAL
    ttl: Seconds = Field(description="after that the message is no news any more")
    deliver_within: Seconds | None = Field(default=None, description="how soon it should be there; 30m, or the ttl")
    on_unsure: OnUnsure | None = Field(default=None, description="repeat (orders) or stop (bonuses)")
    ladder: Literal["on", "off"] = "on"
    marketing: bool = Field(default=False, description="counts for frequency caps, and wants the consent to marketing")
    consent: Literal["marketing", "none"] | None = Field(
        default=None, description="what the customer must have agreed to beside `when`; marketing for marketing routes"
    )
    quiet: Literal["hold", "drop", "off"] | None = Field(
        default=None, description="in quiet hours wait, end, or go out; off for order.* events, else as the shop says"
    )
    from_: Moment | None = Field(default=None, alias="from", description="first record timestamp that it is for")
    until: Moment | None = Field(default=None, description="first record timestamp that it is not for any more")
    wordings: _Ladder | Annotated[dict[str, _Ladder], Field(min_length=1)]
    enabled: bool = True
    examples: list[Example] = Field(default=[])
    _event_types: EventTypes = PrivateAttr(default=SHIPPED)

    @property
    def types(self) -> tuple[str, ...]:
        return (self.on,) if isinstance(self.on, str) else tuple(self.on)

    @property
    def deliver_within_seconds(self) -> float:
        return min(DELIVER_WITHIN_SECONDS, self.ttl) if self.deliver_within is None else self.deliver_within

    @property
    def unsure(self) -> OnUnsure:
        """A bonus told twice is worse than one not told; with an order it is the other way round."""
        if self.on_unsure is not None:
            return self.on_unsure
        return OnUnsure.STOP if any(name.startswith("bonus.") for name in self.types) else OnUnsure.REPEAT

    @property
    def transactional(self) -> bool:
        """About an order, which people wait for at night too."""
        return all(name.startswith("order.") for name in self.types)

    @property
    def wants_consent(self) -> bool:
        """Whether the customer must have agreed to marketing."""
        return self.consent == "marketing" if self.consent is not None else self.marketing

    @property
    def ladders(self) -> dict[str, list[WordingText]]:
        """Wordings by locale; "" is the shop's own."""
        return self.wordings if isinstance(self.wordings, dict) else {"": self.wordings}

    @property
    def models(self) -> tuple[type[Event], ...]:
        """The events of its types; those that are unknown are left out."""
        return tuple(self.known[name] for name in self.types if name in self.known)

    @property
    def known(self) -> Mapping[str, type[Event]]:
        """All events that there are, the shop's own too."""
        return self._event_types.models

    def among(self, types: EventTypes) -> "Route":
        """The same, where there are these events."""
        self._event_types = types
        return self


@dataclass(frozen=True, slots=True)
class LoadedRoute:
    """A route, and where in which file each part of it stands. `whole`: each of its keys could be read."""

    route: Route
    tree: Tree
    index: int
    whole: bool = True

    def problem(self, path: Path, what: str, mend: str = "", below: int = 0) -> Problem:
        """A mistake in a part of the route, so many lines below where the part begins."""
        line = locate(self.tree, (self.index, *path)) + below
        return Problem(self.tree.file, line, f"route {self.route.id}: {what}", mend)

    def flaw(self, path: Path, flaw: Flaw) -> Problem:
        """A mistake in a template. A text of several lines is written below its key."""
        source = self.tree.data[self.index]
        for step in path:
            source = source[step]
        below = flaw.line if "\n" in source else flaw.line - 1
        return self.problem(path, f"{path[-1]}: {flaw.what}", flaw.mend, below)


@dataclass(frozen=True, slots=True)
class RouteSet:
    """All routes of a folder, checked."""

    routes: tuple[LoadedRoute, ...] = ()

    def of_lane(self, lane: str) -> tuple[LoadedRoute, ...]:
        """The enabled routes of one lane, in the order of their files."""
        return tuple(each for each in self.routes if each.route.lane == lane and each.route.enabled)

    def find(self, route: str) -> LoadedRoute | None:
        return next((each for each in self.routes if each.route.id == route), None)


@dataclass(frozen=True, slots=True)
class RouteReading:
    """What route files hold: routes that are right in themselves, those that are not (as far as they can be read), and
    every mistake."""

    sound: RouteSet
    flawed: tuple[LoadedRoute, ...]
    problems: list[Problem]


def load_routes(files: Mapping[str, str], types: EventTypes = SHIPPED) -> RouteSet | list[Problem]:
    """The routes of files given as name -> text, or every mistake in all of them, by file and line. `types`: the
    events that there are."""
    reading = read_routes(files, types)
    return reading.problems or reading.sound


def read_routes(files: Mapping[str, str], types: EventTypes = SHIPPED) -> RouteReading:
    """The same, with what is right beside what is wrong, so that both can be looked at together with their lanes."""
    loaded: list[LoadedRoute] = []
    unread: list[LoadedRoute] = []
    problems: list[Problem] = []
    for file, text in sorted(files.items()):
        tree = read_tree(text, file)
        if not isinstance(tree, Tree):
            problems += tree
        elif tree.data is not None and not isinstance(tree.data, list):
            problems.append(Problem(file, 1, "a list of routes is expected here", 'each route begins with "- id: "'))
        else:
            for index, data in enumerate(tree.data or ()):
                part = read_part(tree, (index,), Route)
                if isinstance(part, list):
                    problems += part
                    unread.append(LoadedRoute(_salvaged(data).among(types), tree, index, whole=False))
                else:
                    loaded.append(LoadedRoute(part.among(types), tree, index))
    mistakes = [(each, list(_problems(each))) for each in (*loaded, *unread)]
    problems += [problem for _, found in mistakes for problem in found]
    problems += _repeated(sorted([*loaded, *unread], key=lambda each: (each.tree.file, each.index)))
    flawed = [each for each, found in mistakes if found or not each.whole]
    sound = RouteSet(tuple(each for each in loaded if each not in flawed))
    return RouteReading(sound, tuple(flawed), sorted(set(problems)))


# Stands where a key could not be read.
UNREAD = "unread"
_STAND_INS = {"id": UNREAD, "on": UNREAD, "lane": UNREAD, "ttl": "1d", "wordings": [{"text": "-"}]}


def _salvaged(data: Any) -> Route:
    """A route with mistakes in some of its keys, made of the others, so that their mistakes are found as well."""
    written = data if isinstance(data, dict) else {}
    good: dict[str, Any] = dict(_STAND_INS)
    for key, value in written.items():
        kept = _known_parts(value) if key == "wordings" else value
        if _reads({**_STAND_INS, key: kept}):
            good[key] = kept
    return Route.model_validate_json(json.dumps(good))


def _reads(data: Mapping[str, Any]) -> bool:
    try:
        Route.model_validate_json(json.dumps(data))
    except ValidationError:
        return False
    return True


def _known_parts(wordings: Any) -> Any:
    if isinstance(wordings, list):
        return [_known_parts(each) for each in wordings]
    if isinstance(wordings, dict) and "text" in wordings:
        return {part: source for part, source in wordings.items() if part in WordingText.model_fields}
    if isinstance(wordings, dict):
        return {locale: _known_parts(ladder) for locale, ladder in wordings.items() if ladder}
    return wordings


def _repeated(loaded: Sequence[LoadedRoute]) -> Iterator[Problem]:
    known: dict[str, LoadedRoute] = {}
    for each in loaded:
        first = known.setdefault(each.route.id, each)
        if first is not each and each.route.id != UNREAD:
            place = f"{first.tree.file}:{locate(first.tree, (first.index, 'id'))}"
            yield each.problem(("id",), "this id stands twice", f"first in {place}; an id is for one route only")


def _problems(loaded: LoadedRoute) -> Iterator[Problem]:
    yield from _type_problems(loaded)
    yield from _time_problems(loaded)
    yield from _expression_problems(loaded)
    if loaded.route.models:
        yield from _recipient_problems(loaded)
    for locale, ladder in loaded.route.ladders.items():
        yield from _ladder_problems(loaded, locale, ladder)


def _type_problems(loaded: LoadedRoute) -> Iterator[Problem]:
    for index, name in enumerate(loaded.route.types):
        if name not in loaded.route.known and name != UNREAD:
            yield loaded.problem(("on", index), f'unknown event "{name}"', _known_events(name, loaded.route.known))


def _known_events(name: str, known: Mapping[str, object]) -> str:
    """A slip of the pen, or an event that nobody has described yet."""
    close = get_close_matches(name, sorted(known), 1)
    if close:
        return f'did you mean "{close[0]}"? `vestnik event list` shows all'
    return "`vestnik event list` shows all; one of the shop's own needs a schema file, which own_events names"


def _time_problems(loaded: LoadedRoute) -> Iterator[Problem]:
    route = loaded.route
    if not 1 <= route.ttl <= TTL_LIMIT_SECONDS:
        yield loaded.problem(("ttl",), "ttl is not between 1s and 30d")
    if not 0 < route.deliver_within_seconds <= route.ttl:
        yield loaded.problem(("deliver_within",), "deliver_within is not between 0s and the ttl")
    if route.from_ and route.until and route.from_ >= route.until:
        yield loaded.problem(("until",), "until is not after from")


def _expression_problems(loaded: LoadedRoute) -> Iterator[Problem]:
    route = loaded.route
    for name, source in (("when", route.when), ("to", route.to), ("thread", route.thread)):
        if source is not None:
            tree = read_expression(source, EXPRESSION_SANDBOX)
            yield from (loaded.flaw((name,), flaw) for flaw in _expression_flaws(tree, route.models))


def _expression_flaws(tree: nodes.Expr | Flaw, models: Sequence[type[Event]]) -> Iterator[Flaw]:
    if isinstance(tree, Flaw):
        yield tree
        return
    yield from word_flaws(tree, EXPRESSION_SANDBOX)
    yield from field_flaws(tree, models)


def _recipient_problems(loaded: LoadedRoute) -> Iterator[Problem]:
    """`to` and `thread` name a person and a thing; a part of an event is neither, but for the customer."""
    for name in ("to", "thread"):
        path = expression_path(getattr(loaded.route, name))
        found = meaning(path, loaded.route.models[0]) if path else None
        if isinstance(found, Meaning) and not _nameable(name, found):
            yield loaded.problem((name,), f"{name}: this is neither an id nor a list of ids", "e.g. event.order.id")


def expression_path(source: str | None) -> tuple[str, ...]:
    """The field that an expression names; empty when it is more than one field."""
    tree = read_expression(source or "''", EXPRESSION_SANDBOX)
    return () if isinstance(tree, Flaw) else plain_path(tree)


def _nameable(name: str, found: Meaning) -> bool:
    allowed = (str, int, Customer, tuple) if name == "to" else (str, int)
    return all(issubclass(kind, allowed) and not issubclass(kind, bool) for kind in kinds(found.annotation))


def _ladder_problems(loaded: LoadedRoute, code: str, ladder: Sequence[WordingText]) -> Iterator[Problem]:
    locale = find_locale(code) if code else _ANY_LOCALE
    top: Path = ("wordings", code) if code else ("wordings",)
    if locale is None:
        yield loaded.problem(top, f'unknown locale "{code}"', "locales are written as in CLDR: ru, en, kk, en-GB")
        return
    for level, wording in enumerate(ladder):
        _, flaws = read_wording(wording.sources(), locale, loaded.route.models)
        for part, flaw in flaws:
            # Without a language nobody knows how many plurals it has: that is known when the shop is.
            if code or not flaw.what.startswith("plural has"):
                yield loaded.flaw((*top, level, part), flaw)


def expression_tree(source: str) -> nodes.Expr:
    """The tree of an expression that loading has found to be one."""
    tree = read_expression(source, EXPRESSION_SANDBOX)
    if isinstance(tree, Flaw):
        raise TypeError(f"not an expression: {tree.what}")
    return tree
