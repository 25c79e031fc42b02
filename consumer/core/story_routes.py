"""What each route of a lane says to one record: what it makes of it, or why it makes nothing of it."""

from enum import StrEnum
from typing import NamedTuple

from consumer.core.backfill import Backfilled, backfilled_of, is_backfilled
from consumer.core.compiled import CompiledRoute, Names
from consumer.core.model import Command, Ended, Plan, Planned, Record
from consumer.core.plan import Planner, names_of
from consumer.core.profile import LaneProfile, ShopProfile
from consumer.core.routes import RouteSet
from schemas.envelope import Event


class Answer(StrEnum):
    """A route's answer to a record."""

    PLANNED = "planned"
    ENDED = "ended"
    DEAD = "dead"
    NOT_YET = "not_yet"
    OVER = "over"
    UNWANTED = "unwanted"
    NOBODY = "nobody"
    LEFT_OUT = "left_out"


class RouteAnswer(NamedTuple):
    """`detail`: the condition that is false, the moment from or until which the route holds, or what is wrong."""

    route: str
    answer: Answer
    detail: str = ""
    commands: tuple[Command, ...] = ()
    ended: tuple[Ended, ...] = ()


class Explained(NamedTuple):
    """A record's plan on one lane, and the answers of the routes that are for its type. `others`: how many routes of
    the lane are for other types."""

    plan: Plan
    answers: tuple[RouteAnswer, ...] = ()
    others: int = 0

    @property
    def commands(self) -> tuple[Command, ...]:
        """All commands of the plan, also those that end at once."""
        if not isinstance(self.plan, Planned):
            return ()
        return self.plan.commands + tuple(end.command for end in self.plan.ended)


class Explainer:
    """Explains records of one lane, by the routes and the configuration at hand."""

    def __init__(self, profile: LaneProfile, routes: RouteSet) -> None:
        self._profile = profile
        self._planner = Planner(profile, routes)
        shops = tuple(profile.shops.values())
        loaded = routes.of_lane(profile.lane)
        self._routes = [CompiledRoute.of(each.route, shops) for each in loaded] if shops else []

    def plan(self, record: Record) -> Plan:
        """The plan alone, which is quicker."""
        return self._planner.plan(record)

    def explain(self, record: Record) -> Explained:
        """The plan, and every route's part in it."""
        plan = self.plan(record)
        old = self._backfilled(record)
        original = record if old is None else old.record
        event = self._profile.formats.read(original, self._profile.event_bytes_limit).event
        shop = self._shop(event) if isinstance(event, Event) else None
        if (
            not isinstance(event, Event)
            or shop is None
            or (isinstance(plan, Planned) and plan.event_type != event.type)
        ):
            return Explained(plan)
        concerned = [route for route in self._routes if event.type in route.route.types]
        answers = tuple(self._answer(route, (original, event, shop), old, plan) for route in concerned)
        return Explained(plan, answers, len(self._routes) - len(concerned))

    def _backfilled(self, record: Record) -> Backfilled | None:
        if record.position.topic != self._profile.backfill or not is_backfilled(record):
            return None
        old = backfilled_of(record)
        return old if isinstance(old, Backfilled) else None

    def _shop(self, event: Event) -> ShopProfile | None:
        return self._profile.shops.get(event.shop or self._profile.default_shop or "")

    def _answer(
        self, route: CompiledRoute, read: tuple[Record, Event, ShopProfile], old: Backfilled | None, plan: Plan
    ) -> RouteAnswer:
        record, event, shop = read
        made = _made(route.route.id, plan)
        if made is not None:
            return made
        if old is not None and old.routes and route.route.id not in old.routes:
            return RouteAnswer(route.route.id, Answer.LEFT_OUT, old.replay)
        names = names_of(event, self._profile, shop, to_customer=True)
        return _out_of_force(route, record.timestamp) or _unwilling(route, names)


def _made(name: str, plan: Plan) -> RouteAnswer | None:
    """What the route has in the plan."""
    if not isinstance(plan, Planned):
        return None
    commands = tuple(command for command in plan.commands if command.terms.route == name)
    ended = tuple(end for end in plan.ended if end.command.terms.route == name)
    if commands or ended:
        return RouteAnswer(name, Answer.PLANNED if commands else Answer.ENDED, "", commands, ended)
    wrong = next((rejection for rejection in plan.rejections if rejection.route == name), None)
    return None if wrong is None else RouteAnswer(name, Answer.DEAD, f"{wrong.reason}: {wrong.detail}")


def _unwilling(route: CompiledRoute, names: Names) -> RouteAnswer:
    """Of a route in force that has nothing in the plan: it does not want the event, or the event names nobody."""
    if route.wants(names) is True:
        return RouteAnswer(route.route.id, Answer.NOBODY, route.route.to)
    return RouteAnswer(route.route.id, Answer.UNWANTED, route.route.when or "")


def _out_of_force(route: CompiledRoute, timestamp: float) -> RouteAnswer | None:
    since, until = route.route.from_, route.route.until
    if since is not None and timestamp < since.timestamp():
        return RouteAnswer(route.route.id, Answer.NOT_YET, since.isoformat())
    if until is not None and until.timestamp() <= timestamp:
        return RouteAnswer(route.route.id, Answer.OVER, until.isoformat())
    return None
