"""The one place where everything meets: configuration, routes, streams, sinks and the engine become lanes."""

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.app.brokers import kafka_settings as kafka_settings
from consumer.app.config import Config, FloodConfig, LaneConfig
from consumer.app.deployed import Deployed, planners_of
from consumer.app.families import Expected, LaneNames
from consumer.app.profiles import backfill_topic as backfill_topic
from consumer.app.setup import Setup
from consumer.app.state import LaneSheet
from consumer.core.ceiling import PeopleLimit
from consumer.core.control import TOPIC as CONTROL
from consumer.core.flood import FloodRule
from consumer.core.model import Bounds, Cap, Quota, TopicPartition, Trouble
from consumer.core.ports import DeadLetters, Emit, Journal, Source, Table
from consumer.core.shares import lane_of, share_number
from consumer.core.suppressions import KEY_BYTES_LEAST
from consumer.engine.lane import Lane
from consumer.engine.run import Berth
from consumer.engine.settings import LaneParts, LaneSettings
from consumer.engine.watchdog import Patience
from consumer.engine.watchlist import SuppressionParts
from consumer.sinks.base import Surroundings, limits_of, make_sink
from consumer.sinks.token_topic import TOPIC as TOKENS
from consumer.streams.settings import Timing

if TYPE_CHECKING:
    from consumer.streams.topics import TopicSpec


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of one lane. Without `control` nobody can pause it."""

    source: Source
    journal: Journal
    dead_letters: DeadLetters
    control: Table | None = None


# What is old or by hand never takes more of the backlog than this.
BACKFILL_SHARE = 0.25

SUPPRESSIONS = "vestnik.suppressions"
OpenStreams = Callable[[str], Streams]
"""Makes the streams of a lane, anew at each call."""


def journal_topic(lane: str) -> str:
    """The topic in which a lane remembers; all its shares have this one, and each a partition of it."""
    return f"vestnik.journal.{lane_of(lane)}"


def journal_place(lane: str) -> TopicPartition:
    """Where a lane or a share remembers."""
    return TopicPartition(journal_topic(lane), share_number(lane))


def group_name(lane: str) -> str:
    """The consumer group of a lane or a share."""
    return f"vestnik.{lane}"


def new_member() -> str:
    """A name for one process's life: host, process id and a random part."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


Attach = Callable[[str, LaneParts], LaneParts]
"""Puts something around a lane's parts, such as traces."""


def unattached(_lane: str, parts: LaneParts) -> LaneParts:
    """The parts as they are."""
    return parts


# --- streams ----------------------------------------------------------------------------------------------------------


def wanted_topics(setup: Setup, replicas: int) -> "list[TopicSpec]":
    """Every topic that the lanes of the configuration need."""
    from consumer.streams.topics import Shape, wanted  # noqa: PLC0415

    config = setup.config
    memory_seconds = max(lane.memory for lane in config.lanes.values())
    shape = Shape(replicas, memory_seconds, config.topics.dead_letters)
    shares = [share for lane in config.lanes for share in config.shares(lane)]
    return wanted(shares, config.topics.sources, shape)


def lane_sources(setup: Setup, lane: str) -> list[str]:
    """The topics that a lane reads: the shop's, and its own for what comes later."""
    more = [backfill_topic(lane)] if setup.config.lane(lane).backfill else []
    return [*setup.config.topics.sources, *more]


def kafka_streams(setup: Setup, emit: Emit, timing: Timing | None = None) -> OpenStreams:
    """Streams on the configuration's cluster."""
    # Here, for `check` and `preview` need no Kafka client and its import is slow.
    from consumer.streams.assignor import exclusive_assignor, share_assignor  # noqa: PLC0415
    from consumer.streams.dead_letters import KafkaDeadLetters  # noqa: PLC0415
    from consumer.streams.endurance import Endurance  # noqa: PLC0415
    from consumer.streams.journal import KafkaJournal  # noqa: PLC0415
    from consumer.streams.source import KafkaSource  # noqa: PLC0415
    from consumer.streams.table import KafkaTable  # noqa: PLC0415

    settings = kafka_settings(setup, timing)
    topics, limits = setup.config.topics, setup.config.watchdogs
    endurance = Endurance(limits.broker, limits.rebuilds)
    # One name for all shares of this process, by which they are spread in the same way in each one's group.
    process = new_member()

    def opened(lane: str) -> Streams:
        share = setup.config.share(lane)
        assignor = exclusive_assignor() if share.of == 1 else share_assignor(share, process)
        source = KafkaSource(settings, lane, lane_sources(setup, lane), emit, endurance=endurance, assignor=assignor)
        return Streams(
            source,
            KafkaJournal(settings, journal_topic(lane), emit, lane=lane, shares=share.of, post=source),
            KafkaDeadLetters(settings, topics.dead_letters, emit, lane=lane),
            KafkaTable(settings, CONTROL, emit, lane=lane),
        )

    return opened


def lines_streams(setup: Setup, emit: Emit) -> OpenStreams:
    """Streams over the files that the configuration names in the place of Kafka."""
    from consumer.streams.lines import LinesDeadLetters, LinesJournal, LinesSource, LinesTable  # noqa: PLC0415

    source = setup.config.source
    if source is None:
        raise ValueError("the configuration has no source")
    lines = "-" if source.lines == "-" else str(setup.path(source.lines))
    out, topics = setup.path(source.out), setup.config.topics

    def opened(lane: str) -> Streams:
        return Streams(
            LinesSource(lines, topics.sources, out / f"offsets.{lane}.json", emit, lane=lane),
            LinesJournal(out / f"{journal_topic(lane)}.jsonl"),
            # A file for each lane: two writers of one file would have to know of one another.
            LinesDeadLetters(out / f"{topics.dead_letters}.{lane}.jsonl"),
            LinesTable(out / f"{CONTROL}.jsonl"),
        )

    return opened


def usual_streams(setup: Setup, emit: Emit) -> OpenStreams:
    """Whatever the configuration says: Kafka, or files."""
    return kafka_streams(setup, emit) if setup.config.source is None else lines_streams(setup, emit)


# --- whom not to tell -------------------------------------------------------------------------------------------------


def hash_key(setup: Setup) -> bytes | Trouble:
    """The key of the hashes, read anew; Trouble without one or with one that is easily guessed."""
    privacy = setup.config.privacy
    if privacy is None:
        return Trouble("other", "the configuration has no privacy.hash_key, so that there is no list")
    value = setup.read_secret(privacy.hash_key)
    if isinstance(value, Trouble):
        return value
    key = value.encode()
    if len(key) < KEY_BYTES_LEAST:
        return Trouble("other", f"privacy.hash_key has fewer than {KEY_BYTES_LEAST} characters")
    return key


def open_table(setup: Setup, emit: Emit, lane: str = "", topic: str = SUPPRESSIONS) -> Table:
    """A table, the list's if nobody says another, on the configuration's cluster or in its files."""
    if setup.config.source is not None:
        from consumer.streams.lines import LinesTable  # noqa: PLC0415

        return LinesTable(setup.path(setup.config.source.out) / f"{topic}.jsonl")
    from consumer.streams.table import KafkaTable  # noqa: PLC0415

    return KafkaTable(kafka_settings(setup), topic, emit, lane=lane)


def suppression_parts(setup: Setup, emit: Emit, lane: str) -> SuppressionParts | None:
    """What a lane needs to obey the list; None where the configuration has none."""
    if setup.config.privacy is None:
        return None
    return SuppressionParts(open_table(setup, emit, lane), lambda: hash_key(setup))


# --- accounts ---------------------------------------------------------------------------------------------------------


def surroundings(setup: Setup, emit: Emit, lane: str) -> Surroundings:
    """What an account of the lane gets from here."""
    return Surroundings(setup.read_secret, emit, lane, lambda: open_table(setup, emit, lane, TOKENS))


# --- lanes ------------------------------------------------------------------------------------------------------------


def berths(
    setup: Setup,
    open_streams: OpenStreams,
    emit: Emit,
    member: str,
    attach: Attach = unattached,
    *,
    deployed: Deployed | None = None,
) -> list[Berth]:
    """A place for each lane and share that there is. `deployed`: planners that may change while the lanes work."""
    doors = _Doors(open_streams, emit, attach, deployed or Deployed(planners_of(setup)))
    return [Berth(name, _builder(setup, name, doors, member), emit) for name in setup.config.names]


@dataclass(frozen=True, slots=True)
class _Doors:
    open_streams: OpenStreams
    emit: Emit
    attach: Attach
    deployed: Deployed


def _builder(setup: Setup, name: str, doors: _Doors, member: str) -> Callable[[], Lane]:
    config, account = setup.config.lane(name), setup.accounts[lane_of(name)]
    settings = lane_settings(setup, name, member)

    def build() -> Lane:
        streams, emit = doors.open_streams(name), doors.emit
        around = surroundings(setup, emit, name)
        sink = make_sink(
            account, around.read_secret, emit, name, in_flight=settings.in_flight, open_tokens=around.open_tokens
        )
        suppressions = suppression_parts(setup, emit, name)
        parts = LaneParts(
            setup.sources.prepared(streams.source, backfill_topic(name) if config.backfill else ""),
            streams.journal,
            streams.dead_letters,
            sink,
            doors.deployed.of(name),
            emit,
            suppressions=suppressions,
            control=streams.control,
        )
        return Lane(settings, doors.attach(name, parts))

    return build


def lane_settings(setup: Setup, name: str, member: str) -> LaneSettings:
    """What the engine is told of a lane; what the configuration leaves out is the provider's usual."""
    config = setup.config.lane(name)
    limits = limits_of(setup.accounts[lane_of(name)])
    of = setup.config.share(name).of
    return LaneSettings(
        id=name,
        member=member,
        quota=_quota(config) or limits.quota,
        in_flight=max(1, (config.in_flight or limits.in_flight) // of),
        bounds=_bounds(config, setup.config, name),
        memory_seconds=config.memory,
        lost_for_seconds=config.lost_for,
        # A new lane on a file is there to read it, and a file has no "from now on".
        start_at="earliest" if setup.config.source is not None else config.start_at,
        lost_offsets=config.lost_offsets,
        drain_seconds=config.drain,
        caps=tuple(Cap(cap.messages, cap.per) for cap in config.caps),
        ceiling=_ceiling(config) or limits.ceiling,
        flood=_flood(config.flood),
        patience=Patience(setup.config.watchdogs.progress, setup.config.watchdogs.partition),
    )


def _flood(flood: FloodConfig) -> FloodRule:
    return FloodRule(flood.rejected, flood.of, flood.probe, flood.letters_per_second, flood.stop)


def _quota(config: LaneConfig) -> Quota | None:
    return None if config.quota is None else Quota(config.quota.requests, config.quota.per, config.quota.bucket)


def _ceiling(config: LaneConfig) -> PeopleLimit | None:
    return None if config.ceiling is None else PeopleLimit(config.ceiling.recipients, config.ceiling.per)


def _bounds(config: LaneConfig, whole: Config, name: str) -> Bounds:
    """A lane's bounds, divided among its shares: one process may have to hold them all."""
    of, backfill = whole.share(name).of, backfill_topic(name)
    backlog, sources = config.backlog, whole.topics.sources
    named = sum(backlog.shares.values())
    unnamed = [topic for topic in sources if topic not in backlog.shares]
    rest = {topic: max(0.0, 1.0 - named) / len(unnamed) for topic in unnamed}
    shares = {**backlog.shares, **rest}
    if config.backfill:
        shares = {topic: share * (1 - BACKFILL_SHARE) for topic, share in shares.items()} | {backfill: BACKFILL_SHARE}
    return Bounds(backlog.commands // of, backlog.bytes // of, shares, backlog.records // of)


# --- observers --------------------------------------------------------------------------------------------------------


def expected(setup: Setup, version: str) -> Expected:
    """What metrics may expect of this configuration."""
    lanes = tuple(_lane_names(setup, name) for name in setup.config.names)
    topics = dict.fromkeys(topic for lane in setup.config.names for topic in lane_sources(setup, lane))
    return Expected(lanes, tuple(topics), version, setup.digest, setup.routes_version)


def _lane_names(setup: Setup, name: str) -> LaneNames:
    lane = lane_of(name)
    routes = [loaded.route for loaded in setup.routes.of_lane(lane)]
    levels = max((len(ladder) for route in routes for ladder in route.ladders.values()), default=1)
    return LaneNames(
        name,
        setup.accounts[lane].type,
        setup.config.lanes[lane].mode,
        tuple(route.id for route in routes),
        levels,
        tuple(route.priority.value for route in routes),
    )


def lane_sheets(setup: Setup) -> list[LaneSheet]:
    """What the admin pages know of the lanes before anything has happened."""
    config = setup.config
    return [LaneSheet(name, setup.accounts[lane_of(name)].type, config.lane(name).mode) for name in config.names]
