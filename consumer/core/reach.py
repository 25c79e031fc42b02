"""How many different texts a route's wordings may have, and how many people its lane can tell with each in time."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from consumer.core.compiled import FALLBACK_LOCALE
from consumer.core.document import Path
from consumer.core.fields import SURROUNDINGS
from consumer.core.filters import find_locale
from consumer.core.profile import LaneFacts, LaneProfile, ShopProfile
from consumer.core.routes import LoadedRoute, Route, RouteSet, WordingText
from consumer.core.wordings import Wording, read_wording
from schemas.envelope import Cardinality

# How many values of a field are seen within one `deliver_within`; a guess that errs to the many.
_VALUES = {Cardinality.ONE_OF_N: 10.0, Cardinality.BUCKETED: 100.0, Cardinality.UNIQUE: math.inf}


# What is the same for everybody of one shop, or of the lane.
_SURROUNDINGS = [f"{name}.{key}" for name, keys in SURROUNDINGS.items() for key in keys]


class Ladder(NamedTuple):
    """The wordings of a route in one locale, the most personal first, and where they stand."""

    path: Path
    locale: str
    wordings: tuple[WordingText, ...]

    def read(self, route: Route) -> list[Wording]:
        """Their templates, with the fields that they show."""
        locale = find_locale(self.locale) or FALLBACK_LOCALE
        return [read_wording(wording.sources(), locale, route.models)[0] for wording in self.wordings]


def ladders_of(route: Route, shops: Iterable[ShopProfile]) -> Iterator[Ladder]:
    """Each ladder with its place and the locale it is told in: without one of its own, that of each shop."""
    spoken = sorted({shop.locale for shop in shops})
    for code, ladder in route.ladders.items():
        path: Path = ("wordings", code) if code else ("wordings",)
        yield from (Ladder(path, locale, tuple(ladder)) for locale in ([code] if code else spoken))


@dataclass(frozen=True, slots=True)
class Estimate:
    """One wording: how many different texts it may have within `deliver_within` (infinite when everybody has one of
    their own), the fields that make them differ, and how many people a minute are told in time whatever they are."""

    level: int
    texts: float
    fields: tuple[str, ...]
    pushes_per_minute: float

    @property
    def is_unique(self) -> bool:
        return math.isinf(self.texts)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a route can come to on its lane, wording by wording, the most personal first; of several languages the one
    with the most texts."""

    route: str
    lane: str
    deliver_within_seconds: float
    wordings: tuple[Estimate, ...]


def reaches(routes: RouteSet, lanes: Mapping[str, LaneFacts]) -> list[Reach]:
    """Of every enabled route, in the order of the files."""
    enabled = (loaded for loaded in routes.routes if loaded.route.enabled and loaded.route.lane in lanes)
    return [_reach(loaded, lanes[loaded.route.lane]) for loaded in enabled]


def _reach(loaded: LoadedRoute, facts: LaneFacts) -> Reach:
    route = loaded.route
    most: dict[int, Estimate] = {}
    for ladder in ladders_of(route, facts.profile.shops.values()):
        for estimate in estimates(route, ladder, facts):
            known = most.setdefault(estimate.level, estimate)
            most[estimate.level] = max(known, estimate, key=lambda each: each.texts)
    return Reach(route.id, route.lane, route.deliver_within_seconds, tuple(most[level] for level in sorted(most)))


def estimates(route: Route, ladder: Ladder, facts: LaneFacts) -> list[Estimate]:
    """Of each wording of a ladder."""
    return [_estimate(level, wording, route, facts) for level, wording in enumerate(ladder.read(route))]


def _estimate(level: int, wording: Wording, route: Route, facts: LaneFacts) -> Estimate:
    around = {name: _known_values(name, facts.profile) for name in wording.shown if name in _SURROUNDINGS}
    own = math.prod(_VALUES[each] for name, each in wording.shown.items() if name not in around)
    # The shop decides all of its surroundings at once.
    texts = own * max(around.values(), default=1)
    pushes = pushes_per_minute(texts, route.deliver_within_seconds / 60.0, facts)
    differ = sorted(name for name in wording.shown if around.get(name) != 1)
    return Estimate(level, texts, tuple(differ), pushes)


def _known_values(name: str, profile: LaneProfile) -> int:
    """How many values something around the event has: of these one need not guess."""
    shops = profile.shops.values()
    slugs = {shop.slug for shop in shops} if name == "lane.slug" else {shop.id for shop in shops}
    return 1 if name == "lane.id" else max(1, len(slugs))


def pushes_per_minute(texts: float, minutes: float, facts: LaneFacts) -> float:
    """How many people a minute are all told within so many minutes, whoever gets which of the texts: each text may
    leave its last request nearly empty, and what is left carries full ones. Where there are more texts than can be said
    in that time, everybody may need a request of their own. Infinite on a lane without a quota."""
    if facts.texts_per_minute is None:
        return math.inf
    requests, spent = facts.texts_per_minute, texts / max(minutes, 1e-9)
    if spent >= requests:
        return requests
    return max(requests, facts.recipients * (requests - spent) + spent)
