"""The catalogue as its tests see it: routes loaded, examples read, every wording of every example rendered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from babel import Locale

from consumer.catalogue import catalogue_files
from consumer.core.compiled import CompiledRoute
from consumer.core.model import Command, Ignored, Message, Planned, Position, Record
from consumer.core.plan import LaneProfile, Planner, link_rule, names_of
from consumer.core.profile import ShopProfile
from consumer.core.routes import Route, RouteSet, load_routes
from consumer.core.wordings import Unrendered, Wording, read_wording
from schemas.envelope import Event
from schemas.events import ANY_EVENT

SHOP = ShopProfile("ducky", slug="ducky")
FILES = catalogue_files()
EXAMPLES = {path: text for path, text in FILES.items() if path.startswith("examples/")}
ROUTE_FILES = {path: text for path, text in FILES.items() if path.startswith("routes/")}


@dataclass(frozen=True, slots=True)
class Said:
    """One wording of one route for one event."""

    route: Route
    locale: str
    level: int
    event: str
    message: Message

    def __str__(self) -> str:
        return f"{self.route.id} {self.locale} {self.level} {self.event}: {self.message.title} | {self.message.text}"


@cache
def loaded_routes() -> RouteSet:
    found = load_routes(ROUTE_FILES)
    assert isinstance(found, RouteSet), [str(problem) for problem in found]
    return found


def routes() -> list[Route]:
    return [each.route for each in loaded_routes().routes]


def routes_of(lane: str) -> list[Route]:
    return [route for route in routes() if route.lane == lane]


@cache
def example(path: str) -> Event:
    return ANY_EVENT.validate_json(EXAMPLES[path])


def read(route: Route, locale: str, level: int) -> Wording:
    wording, flaws = read_wording(route.ladders[locale][level].sources(), Locale.parse(locale), route.models)
    assert not flaws, (route.id, flaws)
    return wording


def say(route: Route, locale: str, event: Event) -> tuple[Message, ...]:
    """What the route makes of the event in one language, the most personal first."""
    compiled = CompiledRoute.of(route, (SHOP,))
    names = names_of(event, LaneProfile(route.lane, {SHOP.id: SHOP}), SHOP, compiled.to_customer)
    made = compiled.ladder(compiled.locale_for(locale, SHOP), names, link_rule(SHOP))
    assert not isinstance(made, Unrendered), (route.id, locale, made)
    return made.messages


@cache
def say_example(route: str, locale: str, path: str) -> tuple[Message, ...]:
    return say(next(each for each in routes() if each.id == route), locale, example(path))


def everything_said(chosen: Sequence[Route]) -> Iterator[Said]:
    """Every example of every route, in every language and at every level."""
    for route in chosen:
        for path in sorted({each.event for each in route.examples}):
            for locale in route.ladders:
                for level, message in enumerate(say_example(route.id, locale, path)):
                    yield Said(route, locale, level, path, message)


@cache
def planner(lane: str) -> Planner:
    return Planner(LaneProfile(lane, {SHOP.id: SHOP}), loaded_routes())


def plan(lane: str, value: str) -> tuple[Command, ...]:
    """The commands of a lane for an event that arrives ten seconds after it happened."""
    event = ANY_EVENT.validate_json(value)
    record = Record(Position("shop.events", 0, 0), event.occurred_at.timestamp() + 10, value=value.encode())
    made = planner(lane).plan(record)
    if isinstance(made, Ignored):
        return ()
    assert isinstance(made, Planned), made
    assert not made.rejections, made.rejections
    return made.commands
