"""What a lane is to the planner: its shops, its mode, how people are named on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumer.core.formats import PLAIN, Formats

SCARCE_TEXTS_PER_MINUTE = 30.0


class Mode(StrEnum):
    """LIVE sends; ALLOW_LIST sends to those on the list; SHADOW plans everything and sends nothing."""

    LIVE = "live"
    ALLOW_LIST = "allow_list"
    SHADOW = "shadow"


class Identity(StrEnum):
    """A way to name a customer: a field of the event's customer."""

    CUSTOMER_ID = "customer_id"
    PHONE = "phone"
    INSTALL_ID = "install_id"


@dataclass(frozen=True, slots=True)
class QuietProfile:
    """A shop's quiet hours, in minutes of the day in each recipient's time zone. `drop`: what falls into them ends,
    where a route does not say otherwise."""

    start: int
    end: int
    drop: bool = False


@dataclass(frozen=True, slots=True)
class ShopProfile:
    """One shop. `slug` is the scheme of links into its app; `locale`, `timezone` and `currency` stand in for what an
    event does not say. `link_hosts` is where its links and images by https may lead, None for any name."""

    id: str
    slug: str = ""
    locale: str = "ru"
    timezone: str = "Europe/Moscow"
    currency: str = "RUB"
    quiet: QuietProfile | None = None
    link_hosts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class LaneProfile:
    """What the planner knows of a lane. `identities`: the first that an event has names the recipient.

    An entry of `allow_list` that begins with `+` is a phone, however it is written; any other is taken as it stands.
    `default_shop` is the shop of events that name none. `memory_seconds` bounds every deadline.
    `backfill` is the topic by which people send through the lane, "" for none. `formats` says what its sources' records
    are wrapped in.
    """

    lane: str
    shops: Mapping[str, ShopProfile]
    mode: Mode = Mode.LIVE
    allow_list: frozenset[str] = frozenset()
    default_shop: str | None = None
    identities: tuple[Identity, ...] = (Identity.CUSTOMER_ID, Identity.PHONE, Identity.INSTALL_ID)
    event_bytes_limit: int = 256 * 1024
    memory_seconds: float = 8 * 86_400.0
    backfill: str = ""
    formats: Formats = PLAIN


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What checking routes must know of a lane beside its profile: how many different texts it can say in a minute.

    None is no bound worth counting (a webhook, a console). `needs_title`: its provider takes no message without one.
    `recipients` is how many people one text reaches at once.
    """

    profile: LaneProfile
    texts_per_minute: float | None = None
    needs_title: bool = False
    recipients: int = 1

    @property
    def scarce(self) -> bool:
        """So few texts that each person's own would never be said in time."""
        return self.texts_per_minute is not None and self.texts_per_minute <= SCARCE_TEXTS_PER_MINUTE
