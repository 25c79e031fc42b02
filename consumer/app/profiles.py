"""What the planner is told of lanes and shops, made of the configuration."""

from collections.abc import Mapping

from consumer.app.config import Config, QuietConfig, ShopConfig
from consumer.core.backfill import BACKFILL_PREFIX
from consumer.core.formats import PLAIN, Formats
from consumer.core.profile import LaneProfile, Mode, QuietProfile, ShopProfile
from consumer.core.shares import lane_of


def backfill_topic(lane: str) -> str:
    """By which replays and people reach a lane or a share, by its name."""
    return f"{BACKFILL_PREFIX}{lane}"


def lane_profile(config: Config, name: str, formats: Formats = PLAIN) -> LaneProfile:
    """What the planner is told of a lane or a share. With one shop alone, events that name none are its. `formats`:
    what the records of its sources are wrapped in."""
    lane, id_ = config.lane(name), name if name in config.lanes else lane_of(name)
    shops = shop_profiles(config, id_)
    return LaneProfile(
        lane=id_,
        shops=shops,
        mode=Mode(lane.mode),
        allow_list=frozenset(lane.allow_list),
        default_shop=next(iter(config.shops)) if len(config.shops) == 1 else None,
        identities=tuple(lane.identities),
        event_bytes_limit=lane.event_limit,
        memory_seconds=lane.memory,
        backfill=backfill_topic(name) if lane.backfill else "",
        formats=formats,
    )


def shop_profiles(config: Config, lane: str | None = None) -> Mapping[str, ShopProfile]:
    """The shops that a lane serves; all of them without one."""
    return {
        name: _shop(name, shop)
        for name, shop in config.shops.items()
        if lane is None or shop.lanes is None or lane in shop.lanes
    }


def _shop(name: str, shop: ShopConfig) -> ShopProfile:
    hosts = frozenset(shop.link_hosts) if shop.link_hosts is not None else None
    quiet = _quiet(shop.quiet_hours)
    return ShopProfile(name, shop.slug, shop.locale, shop.timezone, shop.currency, quiet, hosts)


def _quiet(config: QuietConfig | None) -> QuietProfile | None:
    if config is None:
        return None
    return QuietProfile(_minutes(config.from_), _minutes(config.to), drop=config.policy == "drop")


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
