"""Routes ready to run on one lane: which events they want, whom they tell, and what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from math import inf
from typing import Any

from babel import Locale

from consumer.core.filters import RENDER_ERRORS, find_locale
from consumer.core.identity import spelt
from consumer.core.model import Message, Quiet, Terms
from consumer.core.profile import Identity, ShopProfile
from consumer.core.routes import EXPRESSION_SANDBOX, Route, WordingText, expression_path, expression_tree
from consumer.core.templates import Evaluate, Reader, compile_expression
from consumer.core.text import LinkRule, canonical, canonical_phone
from consumer.core.value import value
from consumer.core.wordings import CompiledWording, Lately, Unrendered, read_wording, readers_of
from schemas.envelope import Customer

RECIPIENT_CHARACTERS = 128
FALLBACK_LOCALE = Locale("en")

Names = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unaddressed:
    """Somebody is named in a way that reaches nobody. `detail` names fields, never values."""

    detail: str


@value
class Ladder:
    """What a recipient may be told, the most personal first, and under which terms."""

    messages: tuple[Message, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Failed:
    """A part of a route that an event does not fit."""

    detail: str


@dataclass(slots=True)
class CompiledRoute:
    """A route with its expressions and wordings compiled; the wordings for each locale that they may be told in.

    `to_customer`: told in the customer's own language and time zone; staff is told in the shop's. `spelt` is its id's
    part of hashes. In force from `since` until `until`, by the record's timestamp, so that every lane and every replay
    agrees on it.
    """

    route: Route
    when: Evaluate | None
    to: Evaluate
    thread: Evaluate | None
    to_phone: bool
    to_customer: bool
    ladders: Mapping[str, tuple[CompiledWording, ...]]
    spelt: bytes = field(init=False)
    since: float = field(init=False)
    until: float = field(init=False)
    wants_consent: bool = field(init=False)
    _shared: Mapping[str, tuple[Reader, ...] | None] = field(init=False)
    _lately: Lately[Ladder] = field(default_factory=Lately)
    _terms: dict[tuple[bool, ...], Terms] = field(default_factory=dict)
    _quiets: dict[tuple[str, tzinfo | None], Quiet | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        since, until = self.route.from_, self.route.until
        self.spelt = spelt(self.route.id)
        self.since = -inf if since is None else since.timestamp()
        self.until = inf if until is None else until.timestamp()
        self.wants_consent = self.route.wants_consent
        self._shared = {locale: _shared_readers(wordings) for locale, wordings in self.ladders.items()}

    @classmethod
    def of(cls, route: Route, shops: Sequence[ShopProfile]) -> "CompiledRoute":
        """Compile for the shops of a lane: wordings without a language are in each shop's own."""
        path = expression_path(route.to)
        return cls(
            route,
            compile_expression(expression_tree(route.when), EXPRESSION_SANDBOX) if route.when else None,
            compile_expression(expression_tree(route.to), EXPRESSION_SANDBOX),
            compile_expression(expression_tree(route.thread), EXPRESSION_SANDBOX) if route.thread else None,
            path[-2:] == ("customer", "phone"),
            "customer" in path[:2],
            dict(_ladders(route, shops)),
        )

    def quiet_in(self, shop: ShopProfile, zone: tzinfo | None) -> Quiet | None:
        """The quiet hours of those whom the route tells in that zone; one object for all of them."""
        if shop.quiet is None:
            return None
        key = (shop.id, zone)
        if key not in self._quiets:
            self._quiets[key] = quiet_hours_of(self.route, shop, zone)
        return self._quiets[key]

    def wants(self, names: Names) -> bool | Failed:
        """The condition holds; what is absent in it is false."""
        value = self._evaluate(self.when, names) if self.when else True
        return value if isinstance(value, Failed) else bool(value)

    def recipients(self, names: Names, identities: Sequence[Identity]) -> tuple[str, ...] | Unaddressed:
        """Whom to tell, each once; empty when the event names nobody."""
        value = self._evaluate(self.to, names)
        if isinstance(value, Failed):
            return Unaddressed(value.detail)
        if isinstance(value, Customer):
            return identity_of(value, identities)
        return _listed(value, self.to_phone)

    def thread_of(self, names: Names) -> str | Failed | None:
        """What newer messages replace; None where the event has no such thing."""
        value = self._evaluate(self.thread, names) if self.thread else None
        return value if value is None or isinstance(value, Failed) else str(value)

    def _evaluate(self, expression: Evaluate, names: Names) -> Any:
        try:
            return expression(names)
        except RENDER_ERRORS as error:
            return Failed(type(error).__name__)

    def locale_for(self, wanted: str | None, shop: ShopProfile) -> str:
        """The key of the wordings: the customer's language where there are such, else the shop's, else the first."""
        if wanted is not None and wanted in self.ladders:
            return wanted
        for code in (wanted, shop.locale):
            if code:
                spelt = code.replace("_", "-").lower()
                for key in (spelt, spelt.partition("-")[0]):
                    if key in self.ladders:
                        return key
        return next(iter(self.ladders))

    def ladder(self, locale: str, names: Names, links: LinkRule) -> Ladder | Unrendered:
        """Every wording for an event. Wordings that came out equal are one level. Where nothing in them is somebody's
        own, the ladder is remembered by the values that they show."""
        wordings = self.ladders[locale]
        readers = self._shared[locale]
        if readers is None:
            return self._climbed(wordings, names, links)
        key = (locale, links, *[read(names) for read in readers])
        known = self._lately.get(key)
        if known is not None:
            return known
        made = self._climbed(wordings, names, links)
        if isinstance(made, Ladder):
            self._lately.put(key, made)
        return made

    def _climbed(self, wordings: Sequence[CompiledWording], names: Names, links: LinkRule) -> Ladder | Unrendered:
        unique: dict[Message, bool] = {}
        for wording in wordings:
            message = wording.render(names, links)
            if isinstance(message, Unrendered):
                return message
            unique[message] = unique.get(message, True) and wording.unique
        return Ladder(tuple(unique), self.terms_of(tuple(unique.values())))

    def terms_of(self, unique: tuple[bool, ...]) -> Terms:
        """One object for all commands whose levels are alike."""
        known = self._terms.get(unique)
        if known is None:
            route = self.route
            known = Terms(
                route.id,
                route.priority,
                route.deliver_within_seconds,
                route.unsure,
                unique,
                ladder=route.ladder == "on",
                marketing=route.marketing,
            )
            self._terms[unique] = known
        return known


def _shared_readers(wordings: Sequence[CompiledWording]) -> tuple[Reader, ...] | None:
    """All that a ladder reads; None where a part of it is somebody's own, and hardly ever comes again."""
    if any(wording.unique for wording in wordings):
        return None
    return readers_of(sorted({path for wording in wordings for path in wording.paths}))


def quiet_hours_of(route: Route, shop: ShopProfile, zone: tzinfo | None) -> Quiet | None:
    """When the route is silent in a zone; the shop's without one. News of orders go out at night too, unless their
    route says otherwise."""
    hours, policy = shop.quiet, route.quiet or ("off" if route.transactional else None)
    if hours is None or policy == "off":
        return None
    drop = hours.drop if policy is None else policy == "drop"
    return Quiet(hours.start, hours.end, shop.timezone if zone is None else str(zone), drop)


def _ladders(route: Route, shops: Sequence[ShopProfile]) -> Iterator[tuple[str, tuple[CompiledWording, ...]]]:
    for code, ladder in route.ladders.items():
        for key in [code] if code else sorted({shop.locale for shop in shops}):
            locale = find_locale(key) or FALLBACK_LOCALE
            yield key.replace("_", "-").lower(), tuple(_compiled(wording, locale, route) for wording in ladder)


def _compiled(wording: WordingText, locale: Locale, route: Route) -> CompiledWording:
    read, _ = read_wording(wording.sources(), locale, route.models)
    return CompiledWording.of(read, locale)


# --- recipients -------------------------------------------------------------------------------------------------------


def identity_of(customer: Customer, identities: Sequence[Identity]) -> tuple[str, ...] | Unaddressed:
    """The first identity that the customer has; a phone that is none is passed over, and reported when it is all."""
    bad_phone = False
    for identity in identities:
        if identity is Identity.PHONE:
            phone = canonical_phone(customer.phone) if customer.phone else None
            bad_phone = bad_phone or bool(customer.phone and phone is None)
            found = phone
        else:
            found = customer.id if identity is Identity.CUSTOMER_ID else customer.install_id
        if found:
            return (found,)
    return Unaddressed("customer.phone is not a phone number") if bad_phone else ()


def _listed(value: Any, phone: bool) -> tuple[str, ...] | Unaddressed:
    found: dict[str, None] = {}
    for each in value if isinstance(value, list | tuple) else (value,):
        recipient = _recipient(each, phone)
        if isinstance(recipient, Unaddressed):
            return recipient
        if recipient:
            found[recipient] = None
    return tuple(found)


def _recipient(value: Any, phone: bool) -> str | Unaddressed:
    """Numbers up to zero are nobody: portals pass over them in silence."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return Unaddressed(f"to: a {type(value).__name__} is not a recipient")
    if isinstance(value, int):
        return str(value) if value > 0 else ""
    if phone:
        return canonical_phone(value) or Unaddressed("to: not a phone number")
    if len(value) > RECIPIENT_CHARACTERS or canonical(value) != value:
        return Unaddressed("to: not an id")
    return value
