"""Everything that a route can say of an event: each wording in each language, where it stands, what is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumer.core.compiled import CompiledRoute
from consumer.core.document import Path
from consumer.core.emptiness import named
from consumer.core.model import Message
from consumer.core.plan import link_rule, names_of
from consumer.core.profile import LaneProfile, ShopProfile
from consumer.core.routes import LoadedRoute
from consumer.core.wordings import Unrendered
from schemas.envelope import Cardinality, Event


def level_name(level: int) -> str:
    """What a step of the ladder is called wherever people read of it: levels are counted from 0."""
    return f"level {level}" if level else "the most personal"


@dataclass(frozen=True, slots=True)
class Shown:
    """One wording in one language. `path`: where it stands in the route. `unique`: the fields that make it everybody's
    own."""

    locale: str
    level: int
    path: Path
    made: Message | Unrendered
    unique: tuple[str, ...]


class Showing:
    """A route made ready for one shop, to be shown for many events. Conditions and recipients are not asked."""

    def __init__(self, loaded: LoadedRoute, shop: ShopProfile) -> None:
        self._loaded = loaded
        self._shop = shop
        self._route = CompiledRoute.of(loaded.route, (shop,))
        self._profile = LaneProfile(loaded.route.lane, {shop.id: shop})

    def locale_of(self, event: Event) -> str:
        """The language in which the event's customer would be told."""
        customer = event.customer if self._route.to_customer else None
        return self._route.locale_for(customer.locale if customer else None, self._shop)

    def nearest_locale(self, wanted: str) -> str:
        """The language in which somebody who wants this one would be told."""
        return self._route.locale_for(wanted, self._shop)

    def all(self, event: Event, locales: Sequence[str] = ()) -> list[Shown]:
        """Every wording, the most personal first, language by language; of these languages alone where any are
        named."""
        names = names_of(event, self._profile, self._shop, self._route.to_customer)
        links = link_rule(self._shop)
        return [
            Shown(
                locale,
                level,
                (*self._place(locale), level),
                named(made, wording, names) if isinstance(made, Unrendered) else made,
                _own(wording.wording.shown),
            )
            for locale, ladder in self._route.ladders.items()
            if not locales or locale in locales
            for level, wording in enumerate(ladder)
            for made in (wording.render(names, links),)
        ]

    def _place(self, locale: str) -> Path:
        codes = {code.replace("_", "-").lower(): code for code in self._loaded.route.ladders}
        return ("wordings", codes[locale]) if locale in codes else ("wordings",)


def _own(shown: Mapping[str, Cardinality]) -> tuple[str, ...]:
    return tuple(sorted(name for name, each in shown.items() if each is Cardinality.UNIQUE))
