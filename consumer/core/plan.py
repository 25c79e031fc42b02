"""A record becomes commands, or the reason why it does not: decode, route, address, render.

Pure: the same record always gives the same plan. Parts fail alone: a route that an event does not fit is a rejection,
and the other routes go on.
"""

from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, NamedTuple

from consumer.core.backfill import Backfilled, Malformed, backfilled_of, is_backfilled
from consumer.core.compiled import CompiledRoute, Failed, Ladder, Names, Unaddressed
from consumer.core.decode import Undecodable
from consumer.core.filters import find_zone
from consumer.core.identity import digest, event_identity, microseconds, spelt
from consumer.core.model import (
    Command,
    Ended,
    Ignored,
    Outcome,
    Plan,
    Planned,
    Priority,
    Record,
    Rejected,
    Rejection,
    Terms,
)
from consumer.core.profile import LaneFacts as LaneFacts
from consumer.core.profile import LaneProfile as LaneProfile
from consumer.core.profile import Mode, ShopProfile
from consumer.core.routes import LoadedRoute, RouteSet
from consumer.core.sending import EVENT_TYPE, is_sending, sending_of
from consumer.core.text import LinkRule, written_recipient
from consumer.core.value import value
from consumer.core.wordings import Unrendered
from schemas.dead_letter import DeadReason
from schemas.envelope import Event


class Way(NamedTuple):
    """How a record came: its topic, and of an old one when it came (seconds) and what is asked of it."""

    source: str
    came: float = 0.0
    backfilled: Backfilled | None = None

    @property
    def salt(self) -> bytes:
        """What makes commands other ones than those of the record's first reading."""
        return spelt(self.backfilled.replay) if self.backfilled is not None and self.backfilled.again else b""

    def wants(self, route: str) -> bool:
        return self.backfilled is None or not self.backfilled.routes or route in self.backfilled.routes


@dataclass(slots=True)
class Place:
    """What is the same for all events of a shop on the lane: `names` are those that a template finds beside an event's
    own, `zone` is the shop's."""

    shop: ShopProfile
    links: LinkRule
    names: Names
    zone: tzinfo | None
    _zoned: dict[str, Names] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: LaneProfile, shop: ShopProfile) -> "Place":
        names = _surroundings(profile, shop)
        return cls(shop, link_rule(shop), names, names["timezone"])

    def names_in(self, zone: str | None) -> Names:
        """The same in a customer's own time zone. Only zones that there are get remembered: they are a closed list."""
        if zone is None:
            return self.names
        known = self._zoned.get(zone)
        if known is None:
            own = _zone_names(zone)
            if not own:
                return self.names
            known = self._zoned[zone] = self.names | own
        return known


@value
class Reading:
    """An event on its way through the routes. `record` is as it first stood; `identity` is the event's, spelt;
    `happened` in microseconds since 1970."""

    record: Record
    way: Way
    event: Event
    place: Place
    names: Names
    identity: bytes
    digest: bytes
    happened: int

    @property
    def staff_names(self) -> Names:
        """Who is told of a customer is told in the shop's time zone."""
        return self.names | self.place.names


@dataclass(slots=True)
class _Yield:
    """What the routes have made of an event so far."""

    commands: tuple[Command, ...] = ()
    ended: tuple[Ended, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    nobody: bool = False


class Planner:
    """Plans the records of one lane. Implements `ports.Planner`."""

    def __init__(self, profile: LaneProfile, routes: RouteSet) -> None:
        self._profile = profile
        self._routes: dict[str, list[CompiledRoute]] = {}
        self._places = {key: Place.of(profile, shop) for key, shop in profile.shops.items()}
        self._lane = spelt(profile.lane)
        self._is_live = profile.mode is Mode.LIVE
        self._calm: dict[tuple[str, tuple[bool, ...]], Terms] = {}
        self._ways: dict[str, Way] = {}
        self._allowed = frozenset(written_recipient(entry) for entry in profile.allow_list)
        shops = tuple(profile.shops.values())
        for loaded in routes.of_lane(profile.lane):
            self._add(loaded, shops)

    def _add(self, loaded: LoadedRoute, shops: tuple[ShopProfile, ...]) -> None:
        if shops:
            compiled = CompiledRoute.of(loaded.route, shops)
            for name in dict.fromkeys(loaded.route.types):
                self._routes.setdefault(name, []).append(compiled)

    def plan(self, record: Record) -> Plan:
        """What the lane's routes make of a record. Never raises, whatever the bytes are."""
        topic = record.position.topic
        way = self._ways.get(topic)
        if way is None:
            way = self._ways[topic] = Way(topic)
        if topic == self._profile.backfill:
            if is_sending(record, topic):
                return self._sending(record)
            if is_backfilled(record):
                old = backfilled_of(record)
                if isinstance(old, Malformed):
                    return _rejected(record, DeadReason.SCHEMA, f"not a record of a replay: {old.detail}")
                record, way = old.record, Way(topic, record.timestamp, old)
        opened = self._profile.formats.read(record, self._profile.event_bytes_limit)
        return self.plan_event(opened.record, way, opened.event)

    def plan_event(self, record: Record, way: Way, event: Event | Undecodable | Ignored) -> Plan:
        """The same for a record that was decoded already."""
        if isinstance(event, Undecodable):
            return _rejected(record, event.reason, event.detail)
        if isinstance(event, Ignored):
            return event
        place = self._places.get(event.shop or self._profile.default_shop or "")
        if place is None:
            return Ignored("other_shop", event.type)
        routes = self._routes.get(event.type)
        if not routes:
            return Ignored("no_route", event.type)
        return self._routed(_reading(record, way, event, place), routes)

    def _sending(self, record: Record) -> Plan:
        """A person's own message. The lane's mode holds for it too."""
        command = sending_of(record, self._profile.lane, self._profile.memory_seconds)
        if isinstance(command, Rejected):
            return command
        made = _Yield()
        self._sort([command], made, agreed=True)
        return Planned(EVENT_TYPE, made.commands, made.ended)

    def _routed(self, reading: Reading, routes: list[CompiledRoute]) -> Plan:
        event, made = reading.event, _Yield()
        for route in routes:
            if route.since <= reading.record.timestamp < route.until and reading.way.wants(route.route.id):
                self._follow(route, reading, made)
        if made.commands or made.ended or made.rejections:
            return Planned(event.type, made.commands, made.ended, made.rejections)
        return Ignored("unaddressable" if made.nobody else "no_route", event.type)

    def _follow(self, route: CompiledRoute, reading: Reading, made: _Yield) -> None:
        """One route's part of an event; whatever goes wrong with it stays with it."""
        wanted = route.wants(reading.names)
        if isinstance(wanted, Failed):
            made.rejections += (_rejection(route, reading, DeadReason.CONDITION, wanted.detail),)
        if wanted is not True:
            return
        recipients = route.recipients(reading.names, self._profile.identities)
        if isinstance(recipients, Unaddressed):
            made.rejections += (_rejection(route, reading, DeadReason.RECIPIENT, recipients.detail),)
        elif recipients:
            self._tell(route, reading, recipients, made)
        else:
            made.nobody = True

    def _tell(self, route: CompiledRoute, reading: Reading, recipients: tuple[str, ...], made: _Yield) -> None:
        ladder = self._ladder(route, reading)
        thread = route.thread_of(reading.names)
        if isinstance(ladder, Unrendered):
            detail = f"{ladder.part}: {ladder.detail}"
            made.rejections += (_rejection(route, reading, DeadReason.RENDER, detail),)
            return
        if isinstance(thread, Failed):
            made.rejections += (_rejection(route, reading, DeadReason.RENDER, f"thread: {thread.detail}"),)
            return
        commands = self._commands(route, reading, recipients, (ladder, thread))
        self._sort(commands, made, agreed=not route.wants_consent or _consents(reading.event))

    def _ladder(self, route: CompiledRoute, reading: Reading) -> Ladder | Unrendered:
        place, customer = reading.place, reading.event.customer
        if route.to_customer and customer:
            return route.ladder(route.locale_for(customer.locale, place.shop), reading.names, place.links)
        return route.ladder(route.locale_for(None, place.shop), reading.staff_names, place.links)

    def _commands(
        self, route: CompiledRoute, reading: Reading, recipients: tuple[str, ...], said: tuple[Ladder, str | None]
    ) -> list[Command]:
        ladder, thread = said
        way, place, revision = reading.way, reading.place, reading.event.revision
        arrived, deadline = self._life(route, reading)
        terms = ladder.terms if way.backfilled is None else self._unhurried(ladder.terms)
        rank = reading.happened if revision is None else revision
        quiet = route.quiet_in(place.shop, reading.names["timezone"] if route.to_customer else place.zone)
        identity, salt = reading.identity + route.spelt, way.salt
        line = None if thread is None else self._lane + spelt(thread)
        commands = []
        for recipient in recipients:
            written = spelt(recipient)
            id_ = digest(12, identity + written + salt)
            if way.backfilled is not None:
                id_ = way.backfilled.settled_id(id_)
            stands = None if line is None else int.from_bytes(digest(8, line + written), "big")
            # By position: eleven names cost three times as much as the command itself.
            command = Command(
                id_,
                reading.digest,
                terms,
                recipient,
                ladder.messages,
                stands,
                rank,
                arrived,
                deadline,
                way.source,
                quiet,
            )
            commands.append(command)
        return commands

    def _life(self, route: CompiledRoute, reading: Reading) -> tuple[float, float]:
        """When a command joins the line, and when nobody is told any more. An old record joins it when it comes again,
        but its news is as old as ever: nothing beyond the lane's memory of it is told, whoever asks."""
        record, old = reading.record, reading.way.backfilled
        happened = min(reading.happened / 1e6, record.timestamp)
        ttl = route.route.ttl + (0.0 if old is None else old.extend_ttl_seconds)
        deadline = min(happened + ttl, record.timestamp + self._profile.memory_seconds)
        return (happened if old is None else reading.way.came), deadline

    def _unhurried(self, terms: Terms) -> Terms:
        """Terms of what is old: in no hurry as long as it is true, so that it never makes live news late or coarser."""
        key = (terms.route, terms.unique)
        known = self._calm.get(key)
        if known is None:
            within = self._profile.memory_seconds
            known = replace(terms, priority=Priority.LOW, deliver_within_seconds=within, backfill=True)
            self._calm[key] = known
        return known

    def _sort(self, commands: list[Command], made: _Yield, *, agreed: bool) -> None:
        if agreed and self._is_live:
            made.commands += tuple(commands)
            return
        reasons = [self._suppressed(command, agreed=agreed) for command in commands]
        sorted_ = tuple(zip(commands, reasons, strict=True))
        made.commands += tuple(command for command, reason in sorted_ if not reason)
        made.ended += tuple(Ended(command, Outcome.SUPPRESSED, reason) for command, reason in sorted_ if reason)

    def _suppressed(self, command: Command, *, agreed: bool) -> str:
        """Why a command is told to nobody; empty where it is."""
        match self._profile.mode:
            case Mode.SHADOW:
                return "shadow"
            case Mode.ALLOW_LIST if command.recipient not in self._allowed:
                return "not_listed"
            case _:
                return "" if agreed else "no_consent"


def event_names(event: Event) -> dict[str, Any]:
    """What templates know of an event: `event`, and its parts by their own names."""
    fields = event.__dict__
    names: dict[str, Any] = {"event": event, "customer": event.customer}
    for part in event.PARTS:
        if fields.get(part) is not None:
            names[part] = fields[part]
    return names


def names_of(event: Event, profile: LaneProfile, shop: ShopProfile, to_customer: bool) -> dict[str, Any]:
    """Everything that a template may name, and the time zone and currency for the filters: the customer's own zone
    where the customer is told, else the shop's."""
    own = event.customer.timezone if event.customer and to_customer else None
    return event_names(event) | _surroundings(profile, shop) | _zone_names(own)


def _zone_names(name: str | None) -> dict[str, Any]:
    zone = find_zone(name) if name else None
    return {"timezone": zone} if zone else {}


def _reading(record: Record, way: Way, event: Event, place: Place) -> Reading:
    customer = event.customer
    names = event_names(event) | place.names_in(customer.timezone if customer else None)
    identity = event_identity(event, place.shop.id)
    return Reading(record, way, event, place, names, identity, digest(4, record.value or b""), microseconds(event))


def _surroundings(profile: LaneProfile, shop: ShopProfile) -> dict[str, Any]:
    return {
        "lane": {"id": profile.lane, "slug": shop.slug},
        "shop": {"id": shop.id},
        "timezone": find_zone(shop.timezone),
        "currency": shop.currency,
    }


def link_rule(shop: ShopProfile) -> LinkRule:
    """Where a link of the shop may lead."""
    return LinkRule(frozenset({"https", shop.slug.lower()} - {""}), shop.link_hosts)


def _consents(event: Event) -> bool:
    """Only a clear yes to marketing is one."""
    customer = event.customer
    return bool(customer and customer.consents and customer.consents.marketing)


def _rejected(record: Record, reason: DeadReason, detail: str) -> Rejected:
    """Named by where the record first stood, so that no lane and no copy of it multiplies its dead letter."""
    return Rejected(Rejection("/".join(map(str, record.position)), reason, detail))


def _rejection(route: CompiledRoute, reading: Reading, reason: DeadReason, detail: str) -> Rejection:
    name = digest(16, spelt("part") + reading.identity + route.spelt).hex()
    return Rejection(name, reason, detail, route.route.id)
