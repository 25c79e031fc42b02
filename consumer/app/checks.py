"""What no part of the configuration can see alone: lanes, accounts, shops, topics and routes against one another."""

import time
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from pydantic import BaseModel

from consumer.app import overrides
from consumer.app.check_examples import warn_lengths, warn_orphans, warn_samples
from consumer.app.config import LANE_ID, LaneConfig
from consumer.app.examples import example_files
from consumer.app.profiles import lane_profile, shop_profiles
from consumer.app.trace_export import can_export
from consumer.core.check import check_routes, warn_routes
from consumer.core.compiled import quiet_hours_of
from consumer.core.document import Path, Problem, locate
from consumer.core.model import Trouble
from consumer.core.profile import LaneFacts, ShopProfile
from consumer.core.routes import Route
from consumer.core.secrets import SecretRef
from consumer.core.shares import keep_shares, spelt_shares
from consumer.core.suppressions import KEY_BYTES_LEAST
from consumer.core.templates import nearest
from consumer.core.units import spell_seconds
from consumer.sinks.base import SinkConfig, limits_of

DAY_MINUTES = 1440

if TYPE_CHECKING:
    from consumer.app.setup import Setup


def check_setup(setup: "Setup") -> Iterator[Problem]:
    """Every mistake that shows only when the parts are seen together."""
    yield from _source_problems(setup)
    yield from _lane_problems(setup)
    yield from _account_problems(setup)
    yield from _shop_problems(setup)
    yield from _privacy_problems(setup)
    yield from _exposure_problems(setup)
    if setup.config.traces.export == "otlp" and not can_export():
        mend = 'pip install "vestnik[traces]"'
        yield _at(setup, ("traces", "export"), "the libraries of traces are not installed", mend)
    files = example_files(setup.routes.routes)
    yield from check_routes(setup.routes, lane_facts(setup), files)


def _at(setup: "Setup", path: Path, what: str, mend: str = "") -> Problem:
    tree = setup.overridden.tree
    return Problem(tree.file, locate(tree, path), what, mend)


def _source_problems(setup: "Setup") -> Iterator[Problem]:
    source = setup.config.source
    if source is not None and source.lines == "-" and len(setup.config.lanes) > 1:
        yield _at(setup, ("source", "lines"), "standard input can be read by one lane alone", "name a file")


def _lane_problems(setup: "Setup") -> Iterator[Problem]:
    for name, lane in setup.config.lanes.items():
        if not LANE_ID.fullmatch(name):
            mend = "use small letters, digits and hyphens: it becomes part of a topic's name"
            yield _at(setup, ("lanes", name), f'"{name}" cannot be the id of a lane', mend)
        yield from _backlog_problems(setup, name, lane)
        yield from _cap_problems(setup, name, lane)
        yield from _share_problems(setup, name, lane)


def _share_problems(setup: "Setup", name: str, lane: LaneConfig) -> Iterator[Problem]:
    """A quota and a ceiling are kept by one process alone."""
    if lane.shares is None:
        return
    limits, path = limits_of(setup.accounts[name]), ("lanes", name, "shares")
    kept = {
        "its quota": lane.quota,
        f"the quota of {setup.accounts[name].type}": limits.quota,
        "its ceiling": lane.ceiling,
        f"the ceiling of {setup.accounts[name].type}": limits.ceiling,
    }
    found = next((what for what, value in kept.items() if value is not None), None)
    if found is not None:
        what = f'the lane "{name}" cannot have shares: {found} is kept by one process alone'
        yield _at(setup, path, what, "leave out shares: more processes would not make this lane faster")
    for key, value in (("in_flight", lane.in_flight), ("backlog", lane.backlog.commands)):
        if value is not None and value < lane.shares:
            what = f"{key} of {value}, divided among {lane.shares} shares, leaves nothing for some"
            yield _at(setup, ("lanes", name, key), what, f"give it {lane.shares} at least")


def moved_shares(deployed: "Setup", wanted: "Setup") -> Iterator[Problem]:
    """Lanes that are known by their id and have another number of shares."""
    for name in wanted.config.lanes:
        before = len(deployed.config.shares(name)) if name in deployed.config.lanes else None
        now = len(wanted.config.shares(name))
        if before is not None and before != now:
            what = f'the lane "{name}" has {spelt_shares(now)}, and the one that is deployed has {spelt_shares(before)}'
            yield _at(wanted, ("lanes", name, "shares"), what, keep_shares(before))


def _cap_problems(setup: "Setup", name: str, lane: LaneConfig) -> Iterator[Problem]:
    for index, cap in enumerate(lane.caps):
        if cap.per > lane.memory:
            mend = f"at most {spell_seconds(lane.memory)}, or give the lane a longer memory"
            path: Path = ("lanes", name, "caps", index, "per")
            yield _at(setup, path, "the cap's window is longer than the lane's memory", mend)


def _backlog_problems(setup: "Setup", name: str, lane: LaneConfig) -> Iterator[Problem]:
    shares, sources = lane.backlog.shares, setup.config.topics.sources
    path: Path = ("lanes", name, "backlog", "shares")
    for topic in shares:
        if topic not in sources:
            yield _at(setup, (*path, topic), f'"{topic}" is not one of the sources', nearest(topic, list(sources)))
    if sum(shares.values()) > 1.000001:
        yield _at(setup, path, "the shares are together more than 1")


def _account_problems(setup: "Setup") -> Iterator[Problem]:
    """Two lanes on one account would each keep the quota, and together break it."""
    seen: dict[tuple[str, ...], str] = {}
    for lane, account in setup.accounts.items():
        key = account_key(account, setup)
        first = seen.setdefault(key, lane) if key else lane
        if first != lane:
            what = (
                f'the lanes "{first}" and "{lane}" share one account of {account.type}, whose quota only one can keep'
            )
            yield _at(setup, ("lanes", lane, "provider"), what, "one lane for each account")


def account_key(account: SinkConfig, setup: "Setup") -> tuple[str, ...]:
    """What makes an account one and the same: what its provider says, its portal, or its address with its secrets; ()
    when there is none of them."""
    fields = dict(account)
    if account.one:
        return account.type, *(str(fields[name]) for name in account.one)
    if isinstance(fields.get("portal"), str):
        return account.type, fields["portal"].rstrip("/").lower()
    if not isinstance(fields.get("url"), str):
        return ()
    secrets = sorted(_worth(ref, setup) for _, ref in secret_refs(account))
    return account.type, fields["url"].rstrip("/"), *secrets


def _worth(ref: SecretRef, setup: "Setup") -> str:
    """The secret where it can be read, so that two files with one key are seen to be one; else its place."""
    value = setup.read_secret(ref)
    return ref.where if isinstance(value, Trouble) else value


def secret_refs(model: object, path: Path = ()) -> Iterator[tuple[Path, SecretRef]]:
    """Every reference to a secret in a model, with its place."""
    if isinstance(model, SecretRef):
        yield path, model
    elif isinstance(model, BaseModel):
        for name, value in model:
            yield from secret_refs(value, (*path, name))
    elif isinstance(model, Mapping):
        for key, below in model.items():
            yield from secret_refs(below, (*path, key))
    elif isinstance(model, (list, tuple)):
        for index, below in enumerate(model):
            yield from secret_refs(below, (*path, index))


def _exposure_problems(setup: "Setup") -> Iterator[Problem]:
    """A secret that others can read is none: the process does not start with it."""
    for path, ref in _all_refs(setup):
        if exposed := setup.read_secret.exposure(ref):
            yield _at(setup, path, exposed)
    for lane, account in setup.accounts.items():
        store = getattr(account, "token_file", None)
        exposed = setup.read_secret.exposure(SecretRef(file=store)) if isinstance(store, str) else None
        if exposed is not None:
            yield _at(setup, ("lanes", lane, "provider", "token_file"), exposed)


def _privacy_problems(setup: "Setup") -> Iterator[Problem]:
    """A key that cannot be read is a warning, as every secret is; one that can be guessed is worth nothing."""
    privacy = setup.config.privacy
    value = setup.read_secret(privacy.hash_key) if privacy is not None else None
    if isinstance(value, str) and len(value.encode()) < KEY_BYTES_LEAST:
        what = f"the key has fewer than {KEY_BYTES_LEAST} characters, and hashes under it can be guessed"
        yield _at(setup, ("privacy", "hash_key"), what, "openssl rand -hex 32")


def _shop_problems(setup: "Setup") -> Iterator[Problem]:
    lanes = list(setup.config.lanes)
    for shop, config in setup.config.shops.items():
        for index, lane in enumerate(config.lanes or ()):
            if lane not in lanes:
                path = ("shops", shop, "lanes", index)
                yield _at(setup, path, f'the shop "{shop}" names an unknown lane "{lane}"', nearest(lane, lanes))


def lane_facts(setup: "Setup") -> dict[str, LaneFacts]:
    """What the lanes can carry, for checking the routes that lead to them."""
    return {name: _lane_facts(setup, name) for name in setup.config.lanes}


def _lane_facts(setup: "Setup", name: str) -> LaneFacts:
    limits, chosen = limits_of(setup.accounts[name]), setup.config.lanes[name].quota
    rate = chosen.requests / chosen.per if chosen else None
    if rate is None and limits.quota is not None:
        rate = limits.quota.requests / limits.quota.per_seconds
    texts_per_minute = None if rate is None else rate * 60 * limits.capacity.parcels
    profile = lane_profile(setup.config, name, setup.sources.formats)
    return LaneFacts(profile, texts_per_minute, limits.needs_title, limits.capacity.recipients)


# --- what is not wrong enough -----------------------------------------------------------------------------------------


def warnings_of(setup: "Setup", environ: Mapping[str, str], *, whole: bool = True, keys: bool = True) -> Iterator[str]:
    """What people should know before they start; it stops nothing. `whole`: these are all routes that there are; else
    nothing is told that a route with a mistake may hold against. `keys`: this machine should have the secrets."""
    yield from _secret_warnings(setup) if keys else ()
    yield from _kafka_warnings(setup)
    yield from _night_warnings(setup)
    yield from map(str, warn_routes(setup.routes, lane_facts(setup)))
    yield from map(str, _text_warnings(setup, time.time()))
    if whole:
        yield from _idle_warnings(setup)
    for name, lane in setup.config.lanes.items():
        yield from _share_warnings(name, lane, limits_of(setup.accounts[name]).in_flight)
        if lane.mode == "allow_list" and not lane.allow_list:
            yield f"lane {name}: mode is allow_list and allow_list is empty, so that nobody is told"
        quota = limits_of(setup.accounts[name]).quota
        if lane.quota and quota and lane.quota.requests / lane.quota.per > quota.requests / quota.per_seconds * 1.001:
            yield f"lane {name}: its quota is larger than what {setup.accounts[name].type} is known to allow"
    known = {*overrides.OVERRIDES, *overrides.ELSEWHERE, *(ref.env or "" for _, ref in _all_refs(setup))}
    for variable in overrides.unknown(environ, known):
        yield f"environment variable {variable} does nothing"


def _idle_warnings(setup: "Setup") -> Iterator[str]:
    """What no route has to do with."""
    for name, lane in setup.config.lanes.items():
        if not setup.routes.of_lane(name):
            yield f"lane {name}: no route leads to it"
        if lane.caps and not any(loaded.route.marketing for loaded in setup.routes.of_lane(name)):
            yield f"lane {name}: it has caps, and no route of it is marketing"
    yield from map(str, warn_orphans(setup.routes, setup.sources.types))


def _share_warnings(name: str, lane: LaneConfig, in_flight: int) -> Iterator[str]:
    if lane.shares is None:
        return
    if lane.caps:
        yield f"lane {name}: each share counts caps by itself; they hold for people whose events all go to one share"
    if lane.in_flight is None:
        each = max(1, in_flight // lane.shares)
        at_once = f"{each} request{'s' if each > 1 else ''} at a time"
        yield f"lane {name}: each of its shares has {at_once}; set in_flight for more"


def _text_warnings(setup: "Setup", now: float) -> Iterator[Problem]:
    """What examples show, and what the calendar says."""
    lengths = {lane: limits_of(account).lengths for lane, account in setup.accounts.items()}
    yield from warn_lengths(setup.routes, setup.config, setup.sources.types, lengths)
    yield from warn_samples(setup.routes, setup.sources.types)
    for loaded in setup.routes.routes:
        if loaded.route.enabled and loaded.route.until and loaded.route.until.timestamp() <= now:
            what = "until has passed, so that the route is for no new record"
            yield loaded.problem(("until",), what, "remove it when nothing of it is replayed any more")


def _all_refs(setup: "Setup") -> Iterator[tuple[Path, SecretRef]]:
    yield from secret_refs(setup.config)
    for lane, account in setup.accounts.items():
        yield from secret_refs(account, ("lanes", lane, "provider"))


def _secret_warnings(setup: "Setup") -> Iterator[str]:
    for path, ref in _all_refs(setup):
        if setup.read_secret.exposure(ref) is not None:
            continue  # wrong enough to be a problem
        value = setup.read_secret(ref)
        name = ".".join(str(step) for step in path)
        if isinstance(value, Trouble):
            yield f"{name}: {value.detail}"


def _kafka_warnings(setup: "Setup") -> Iterator[str]:
    kafka = setup.config.kafka
    if kafka is not None and kafka.security.sasl is not None and not kafka.security.tls:
        if kafka.security.sasl.mechanism == "OAUTHBEARER":
            yield "kafka.security: OAUTHBEARER without tls: whoever listens on the way has the token"
            return
        plain = " readable by anybody on the way" if kafka.security.sasl.mechanism == "PLAIN" else ""
        yield f"kafka.security: SASL without tls: the password's exchange and all records travel in the clear{plain}"


def _night_warnings(setup: "Setup") -> Iterator[str]:
    """News that are stale before the morning end at night, although they were to wait."""
    for name in setup.config.lanes:
        routes = [loaded.route for loaded in setup.routes.of_lane(name)]
        for shop, route in product(shop_profiles(setup.config, name).values(), routes):
            night = _held_seconds(route, shop)
            if route.ttl < night:
                words = f"its ttl is shorter than the night of {shop.id}, {spell_seconds(night)}"
                yield f"route {route.id}: {words}: some of what comes at night expires"


def _held_seconds(route: Route, shop: ShopProfile) -> float:
    """How long a message of the route may have to wait for the morning."""
    quiet = quiet_hours_of(route, shop, None)
    return 0.0 if quiet is None or quiet.drop else (quiet.end - quiet.start) % DAY_MINUTES * 60.0
