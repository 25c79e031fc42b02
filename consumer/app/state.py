"""What the admin pages show: a small projection of facts, kept in memory and never read by the engine."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from consumer.app.masking import clipped, masked
from consumer.core import facts
from consumer.core.explain import Waiting
from consumer.core.head import Head
from consumer.core.model import Message, TopicPartition
from consumer.core.value import value

PUSHES_KEPT = 50
RECIPIENTS_SHOWN = 5
GROUPS_SHOWN = 20
HEADS_SHOWN = 10
SILENT = "silent"
RATE_SECONDS = 60.0
SILENT_SECONDS = 60.0

READY_STATES = ("standby", "working")
OWNER_STATES = ("recovering", "working", "draining")

OpenGroups = Callable[[str, int], Sequence[Waiting]]
HeadsOf = Callable[[str], Sequence[Head]]
ReadOffsets = Callable[[str], Mapping[TopicPartition, int]]


def _no_groups(lane: str, limit: int) -> Sequence[Waiting]:
    return ()


def _nowhere(lane: str) -> Mapping[TopicPartition, int]:
    return {}


def _no_heads(lane: str) -> Sequence[Head]:
    return ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something stands still, and since when on the monotonic clock."""

    detail: str
    since: float


@value
class Push:
    """One accepted request's part of one route. `at` is wall-clock seconds; `to` are the first recipients, not yet
    masked."""

    at: float
    route: str
    level: int
    message: Message
    recipients: int
    to: tuple[str, ...]
    oldest_seconds: float


@dataclass(slots=True)
class LaneStanding:
    """Everything known of one lane."""

    lane: str
    provider: str
    mode: str
    state: str = "starting"
    epoch: int = 0
    blocked: dict[str, Trouble] = field(default_factory=dict)
    streams: dict[str, tuple[str, Trouble]] = field(default_factory=dict)
    breaker: Trouble | None = None
    partitions: tuple[TopicPartition, ...] = ()
    gauges: facts.LaneGauges | None = None
    gauges_at: float | None = None
    stuck: dict[TopicPartition, tuple[str, Trouble]] = field(default_factory=dict)
    crashes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    pushes: deque[Push] = field(default_factory=lambda: deque(maxlen=PUSHES_KEPT))
    # By whole seconds, for of some lanes thousands are told in each.
    told: dict[int, int] = field(default_factory=dict)

    @property
    def owner(self) -> bool:
        return self.state in OWNER_STATES

    def told_within(self, now: float, seconds: float = RATE_SECONDS) -> int:
        """Recipients told in the last seconds, to the second."""
        return sum(count for second, count in self.told.items() if second > now - seconds)


@dataclass(frozen=True, slots=True)
class LaneSheet:
    """What the configuration says of a lane."""

    lane: str
    provider: str
    mode: str


@dataclass(frozen=True, slots=True)
class RoutesStanding:
    """Which routes are deployed, since when, and why newer ones are not. `at` and `refused_at` are wall-clock
    seconds."""

    version: str = ""
    count: int = 0
    at: float = 0.0
    refused: str = ""
    refused_at: float = 0.0
    problems: tuple[str, ...] = ()


Note = Callable[[LaneStanding, Any, float], None]
"""Takes down what a fact says of a lane, at a moment of the monotonic clock."""


class State:
    """All lanes of the process. `monotonic` dates what stands still, `wall` what people read. `open_groups` and
    `heads` are asked for each report, never at a fact: the open groups of a lane, at most so many, and the records that
    hold back its offsets, dated on the monotonic clock."""

    def __init__(
        self,
        lanes: Sequence[LaneSheet],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        open_groups: OpenGroups = _no_groups,
        heads: HeadsOf = _no_heads,
    ) -> None:
        self._open_groups = open_groups
        self._heads = heads
        self.read_offsets: ReadOffsets = _nowhere
        self._monotonic = monotonic
        self._wall = wall
        self._started = monotonic()
        self.draining = False
        self.routes = RoutesStanding()
        self.lanes = {sheet.lane: LaneStanding(sheet.lane, sheet.provider, sheet.mode) for sheet in lanes}

    def see(self, fact: facts.Fact) -> None:
        """Take note of a fact; one that is of no use here is passed over."""
        if ear := self.ear(type(fact)):
            ear(fact)

    def ear(self, kind: type[facts.Fact]) -> Callable[[Any], None] | None:
        """Who takes note of facts of a kind; None where they are of no use here."""
        note = TABLE.get(kind)
        return note and partial(self._note, self._pushed if kind is facts.Pushed else note)

    def _note(self, note: Note, fact: facts.Fact) -> None:
        lane = self.lanes.get(fact.lane)
        if lane is not None:
            note(lane, fact, self._monotonic())

    def _pushed(self, lane: LaneStanding, fact: facts.Pushed, now: float) -> None:
        _told(lane, fact, now)
        lane.pushes.append(_push(fact, self._wall()))

    # --- what is asked ------------------------------------------------------------------------------------------------

    def unready(self) -> list[str]:
        """Why this process is not ready, in words; empty when it is. A lane that is blocked is ready all the same:
        nobody else would do better."""
        if self.draining:
            return ["the process is stopping"]
        return [f"lane {lane.lane} is {lane.state}" for lane in self.lanes.values() if lane.state not in READY_STATES]

    def stalled(self) -> list[str]:
        """Why a restart would help, in words; empty when it would not. A provider or a broker in trouble is never a
        reason."""
        now = self._monotonic()
        return [words for lane in self.lanes.values() for words in _stalls(lane, now)]

    def report(self) -> dict[str, Any]:
        """Everything, as plain data for `/api/state`."""
        now = self._monotonic()
        return {
            "now": self._wall(),
            "uptime_seconds": round(now - self._started, 1),
            "draining": self.draining,
            "ready": not self.unready(),
            "routes": asdict(self.routes),
            "lanes": {
                lane.lane: {
                    **_lane_report(lane, now),
                    "read_offsets": {f"{topic}/{number}": at for (topic, number), at in self._read(lane.lane)},
                    "heads": self._heads_of(lane.lane, now),
                    "open_groups": self._groups_of(lane.lane),
                }
                for lane in self.lanes.values()
            },
        }

    def _heads_of(self, lane: str, now: float) -> list[dict[str, Any]]:
        """The records that hold back committed offsets: which command, where it is, and for how long."""
        return [
            {
                "topic": head.position.topic,
                "partition": head.position.partition,
                "offset": head.position.offset,
                "command": head.command,
                "route": head.route,
                "where": head.where,
                "seconds": round(now - head.since, 1),
            }
            for head in self._heads(lane)[:HEADS_SHOWN]
        ]

    def _read(self, lane: str) -> list[tuple[TopicPartition, int]]:
        """Where the owner reads next, by partition; nothing of a lane that is another's."""
        return sorted(self.read_offsets(lane).items())

    def _groups_of(self, lane: str) -> list[dict[str, Any]]:
        """What goes out next and when; texts as the templates made them, and nobody's address."""
        groups = (group._asdict() for group in self._open_groups(lane, GROUPS_SHOWN))
        return [
            {name: round(each, 1) if isinstance(each, float) else each for name, each in group.items()}
            | {"title": clipped(group["title"])}
            for group in groups
        ]


def _stalls(lane: LaneStanding, now: float) -> list[str]:
    if lane.state != "working" or lane.blocked or lane.streams or lane.gauges is None:
        return []
    if lane.gauges_at is not None and now - lane.gauges_at > SILENT_SECONDS:
        return [f"lane {lane.lane} has said nothing for {now - lane.gauges_at:.0f} s"]
    # A stream that says what is wrong with a partition is not mended by a new process.
    return [
        f"lane {lane.lane}: {place.topic}/{place.partition} has {trouble.detail} and gives none "
        f"for {now - trouble.since:.0f} s"
        for place, (reason, trouble) in lane.stuck.items()
        if reason == SILENT
    ]


def _lane_report(lane: LaneStanding, now: float) -> dict[str, Any]:
    return {
        "provider": lane.provider,
        "mode": lane.mode,
        "state": lane.state,
        "owner": lane.owner,
        "epoch": lane.epoch,
        "blocked": [
            {"reason": reason, "detail": trouble.detail, "seconds": round(now - trouble.since, 1)}
            for reason, trouble in lane.blocked.items()
        ],
        "streams": [
            {"stream": stream, "reason": reason, "detail": trouble.detail, "seconds": round(now - trouble.since, 1)}
            for stream, (reason, trouble) in lane.streams.items()
        ],
        "stuck": [_stuck_report(place, reason, each, now) for place, (reason, each) in lane.stuck.items()],
        "breaker": lane.breaker
        and {
            "reason": lane.breaker.detail,
            "seconds": round(now - lane.breaker.since, 1),
        },
        "assigned": [f"{each.topic}/{each.partition}" for each in lane.partitions],
        **_gauges(lane.gauges),
        "told_last_minute": lane.told_within(now),
        "outcomes": {str(outcome): count for outcome, count in lane.outcomes.items()},
        "dead_letters": dict(lane.dead_letters),
        "crashes": lane.crashes,
        "pushes": [_push_report(push) for push in reversed(lane.pushes)],
    }


def _stuck_report(place: TopicPartition, reason: str, trouble: Trouble, now: float) -> dict[str, Any]:
    return {**place._asdict(), "reason": reason, "detail": trouble.detail, "seconds": round(now - trouble.since, 1)}


def _gauges(gauges: facts.LaneGauges | None) -> dict[str, Any]:
    """How the lane stands, without what is told elsewhere; empty until it has said so once."""
    if gauges is None:
        return {}
    told = asdict(gauges)
    return {name: each for name, each in told.items() if name not in ("lane", "state")}


def _push(fact: facts.Pushed, wall: float) -> Push:
    first, oldest = fact.recipients[:RECIPIENTS_SHOWN], max(fact.ages_seconds, default=0.0)
    return Push(wall, fact.route, fact.level, fact.message, len(fact.recipients), first, oldest)


def _push_report(push: Push) -> dict[str, Any]:
    """Masked and clipped only now, for most pushes are never looked at."""
    message = push.message
    return {
        "at": push.at,
        "route": push.route,
        "wording": push.level,
        "title": clipped(message.title),
        "text": clipped(message.text),
        "link": clipped(message.link or ""),
        "recipients": push.recipients,
        "to": tuple(masked(recipient) for recipient in push.to),
        "oldest_seconds": push.oldest_seconds,
    }


# --- the table --------------------------------------------------------------------------------------------------------


def _moved(lane: LaneStanding, fact: facts.LaneMoved, now: float) -> None:
    lane.state = fact.state
    lane.epoch = fact.epoch


def _blocked(lane: LaneStanding, fact: facts.LaneBlocked, now: float) -> None:
    lane.blocked[fact.reason] = Trouble(clipped(fact.detail), now)


def _unblocked(lane: LaneStanding, fact: facts.LaneUnblocked, now: float) -> None:
    lane.blocked.pop(fact.reason, None)


def _troubled(lane: LaneStanding, fact: facts.StreamTroubled, now: float) -> None:
    lane.streams[fact.stream] = (fact.reason, Trouble(clipped(fact.detail), now))


def _healed(lane: LaneStanding, fact: facts.StreamHealed, now: float) -> None:
    lane.streams.pop(fact.stream, None)


def _breaker_moved(lane: LaneStanding, fact: facts.BreakerMoved, now: float) -> None:
    lane.breaker = Trouble(fact.reason, now) if fact.open else None


def _claimed(lane: LaneStanding, fact: facts.ClaimMade, now: float) -> None:
    lane.epoch = fact.epoch


def _gauged(lane: LaneStanding, fact: facts.LaneGauges, now: float) -> None:
    lane.gauges = fact
    lane.gauges_at = now


def _assigned(lane: LaneStanding, fact: facts.PartitionsAssigned, now: float) -> None:
    lane.partitions = fact.partitions


def _revoked(lane: LaneStanding, fact: facts.PartitionsRevoked, now: float) -> None:
    lane.partitions = ()


def _crashed(lane: LaneStanding, fact: facts.LaneCrashed, now: float) -> None:
    lane.state = "crashed"
    lane.stuck.clear()
    lane.crashes += 1


def _ended(lane: LaneStanding, fact: facts.CommandEnded, now: float) -> None:
    lane.outcomes[fact.outcome] += fact.count


def _dead(lane: LaneStanding, fact: facts.DeadLettered, now: float) -> None:
    lane.dead_letters[fact.reason] += 1


def _told(lane: LaneStanding, fact: facts.Pushed, now: float) -> None:
    second = int(now)
    if second not in lane.told:
        lane.told = {each: count for each, count in lane.told.items() if each > now - RATE_SECONDS} | {second: 0}
    lane.told[second] += len(fact.recipients)


def _stuck(lane: LaneStanding, fact: facts.PartitionStuck, now: float) -> None:
    trouble = Trouble(f"{fact.records} records", now - fact.seconds)
    lane.stuck[TopicPartition(fact.topic, fact.partition)] = (fact.reason, trouble)


def _freed(lane: LaneStanding, fact: facts.PartitionFreed, now: float) -> None:
    lane.stuck.pop(TopicPartition(fact.topic, fact.partition), None)


TABLE: dict[type[facts.Fact], Note] = {
    facts.LaneMoved: _moved,
    facts.LaneBlocked: _blocked,
    facts.LaneUnblocked: _unblocked,
    facts.StreamTroubled: _troubled,
    facts.StreamHealed: _healed,
    facts.BreakerMoved: _breaker_moved,
    facts.ClaimMade: _claimed,
    facts.LaneGauges: _gauged,
    facts.PartitionsAssigned: _assigned,
    facts.PartitionsRevoked: _revoked,
    facts.LaneCrashed: _crashed,
    facts.CommandEnded: _ended,
    facts.DeadLettered: _dead,
    facts.Pushed: _told,
    facts.PartitionStuck: _stuck,
    facts.PartitionFreed: _freed,
}
