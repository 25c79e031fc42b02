"""The report of a run, counted from what the run left behind and never from what the consumer says of itself.

How each number comes about:
- *duplicates*: each text that a fake showed for a request is paired with one attempt of the journal that has the same
  recipients and words. A recipient of it who was told all of its commands before, or a request that no attempt accounts
  for, counts as a duplicate.
- *lost*: a record is safe on a lane when the lane has not committed past it, or was right to ignore it, or when each
  of its commands has an outcome in the journal (and, where that is `delivered`, the fake has shown it to somebody) and
  each part that had to be rejected stands in the dead letters. What is not safe on every lane is lost.
- *delivery_seconds*: from the first publishing of an event to the request that showed it, in real seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from consumer.core.model import Ignored, Plan, Planned, Position, Quota, Rejected
from consumer.demo.evidence import (
    AttemptSeen,
    Evidence,
    LaneEvidence,
    Letter,
    ParcelSeen,
    Telling,
    attempts_of,
    commands_of,
    outcomes_of,
)


class Percentiles(BaseModel):
    """Seconds; None when nothing was delivered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50: float | None
    p95: float | None
    p99: float | None


class Report(BaseModel):
    """What people and `--report` are told. `planned` counts commands over all lanes: planned = outcomes + waiting,
    unless something was lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: int
    poisoned: int
    planned: int
    outcomes: dict[str, int]
    waiting: int
    requests: dict[str, int]
    recipients: dict[str, int]
    worst_window: dict[str, int]
    quota: dict[str, int]
    lost: int
    duplicates: int
    dead_letters: int
    seconds_to_first_push: float | None
    delivery_seconds: Percentiles


@dataclass(frozen=True, slots=True)
class Findings:
    """The report, and what is wrong with the run in plain sentences; none when all promises were kept."""

    report: Report
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Shown:
    """What people saw on a lane: when each command was first shown, and how many were told again."""

    at: dict[str, float] = field(default_factory=dict)
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class _LaneCount:
    outcomes: Mapping[str, str]
    planned: Collection[str]
    shown: _Shown
    lost: frozenset[Position]
    delays: Sequence[float]


def examine(evidence: Evidence) -> Findings:
    """Count the run and say what is wrong with it."""
    counts = {name: _count(name, lane, evidence) for name, lane in evidence.lanes.items()}
    report = _report(evidence, counts)
    return Findings(report, tuple(_faults(report, evidence)))


# --- one lane ---------------------------------------------------------------------------------------------------------


def _count(name: str, lane: LaneEvidence, evidence: Evidence) -> _LaneCount:
    outcomes = outcomes_of(lane.journal)
    shown = _shown(attempts_of(lane.journal).values(), lane.tellings)
    letters = [letter for letter in evidence.letters if letter.lane == name]
    planned = {command for sent in evidence.sent for command in commands_of(lane.plans.get(sent.position))}
    lost = frozenset(
        sent.position for sent in evidence.sent if not _safe(sent.position, lane, outcomes, shown.at, letters)
    )
    return _LaneCount(outcomes, planned, shown, lost, _delays(lane, evidence, shown))


# What a request came from has landed so, or not at all; an attempt with another verdict was turned away or never made.
_MADE = ("delivered", "mixed", "unsure", "")


def _shown(attempts: Iterable[AttemptSeen], tellings: Iterable[Telling]) -> _Shown:
    """Pair what was shown with what the attempts were to show, and see who was told again."""
    by_recipients: defaultdict[frozenset[str], list[ParcelSeen]] = defaultdict(list)
    for attempt in attempts:
        for parcel in attempt.parcels.values():
            by_recipients[parcel.recipients].append(parcel)
    shown = _Shown()
    for telling in sorted(tellings):
        candidates = by_recipients[frozenset(telling.recipients)]
        alike = [parcel for parcel in candidates if _words(parcel.text) in _words(telling.words)]
        if not alike:
            shown.duplicates += len(set(telling.recipients))
            continue
        match = min(alike, key=lambda parcel: _doubt(parcel, shown))
        candidates.remove(match)
        _show(match, telling.at, shown)
    return shown


def _doubt(parcel: ParcelSeen, shown: _Shown) -> tuple[bool, bool]:
    """How little this is what the request was for: an attempt that was never made comes last, and one whose commands
    were all shown already may have died before its request, so it comes after one that brings news."""
    return parcel.attempt.verdict not in _MADE, all(command in shown.at for _, command in parcel.commands)


def _show(parcel: ParcelSeen, at: float, shown: _Shown) -> None:
    commands: defaultdict[str, list[str]] = defaultdict(list)
    for recipient, command in parcel.commands:
        commands[recipient].append(command)
    for ids in commands.values():
        shown.duplicates += all(command in shown.at for command in ids)
        for command in ids:
            shown.at.setdefault(command, at)


def _words(text: str) -> str:
    """Providers turn new lines into spaces."""
    return " ".join(text.split())


def _safe(
    position: Position,
    lane: LaneEvidence,
    outcomes: Mapping[str, str],
    shown: Mapping[str, float],
    letters: Sequence[Letter],
) -> bool:
    if position.offset >= (lane.committed.get(position.topic_partition) or 0):
        return True
    match lane.plans.get(position):
        case Ignored():
            return True
        case Rejected(rejection):
            return any(letter.position == position or letter.id == rejection.id for letter in letters)
        case Planned() as plan:
            return _settled(plan, outcomes, shown) and _parts_dead(plan, position, letters)
        case None:
            return False


def _settled(plan: Plan, outcomes: Mapping[str, str], shown: Mapping[str, float]) -> bool:
    """Each command has its outcome, and what counts as delivered was seen by the provider."""
    ends = [(command, outcomes.get(command)) for command in commands_of(plan)]
    return all(end is not None and (end != "delivered" or command in shown) for command, end in ends)


def _parts_dead(plan: Planned, position: Position, letters: Sequence[Letter]) -> bool:
    """Each route's part that failed has its letter: of this record, or of a copy that was read before."""
    ids = {letter.id for letter in letters}
    routes = {letter.route for letter in letters if letter.position == position}
    return all(rejection.id in ids or rejection.route in routes for rejection in plan.rejections)


def _delays(lane: LaneEvidence, evidence: Evidence, shown: _Shown) -> list[float]:
    first: dict[str, float] = {}
    for sent in evidence.sent:
        for command in commands_of(lane.plans.get(sent.position)):
            first[command] = min(sent.at, first.get(command, sent.at))
    return [at - first[command] for command, at in shown.at.items() if command in first]


# --- the whole --------------------------------------------------------------------------------------------------------


def _report(evidence: Evidence, counts: Mapping[str, _LaneCount]) -> Report:
    lanes = evidence.lanes
    ends = Counter(outcome for count in counts.values() for outcome in count.outcomes.values())
    return Report(
        published=len(evidence.sent),
        poisoned=sum(1 for sent in evidence.sent if sent.poison),
        planned=sum(len(count.planned) for count in counts.values()),
        outcomes=dict(sorted(ends.items())),
        waiting=_waiting(evidence, counts),
        requests={name: lane.requests for name, lane in lanes.items()},
        recipients={name: sum(len(set(t.recipients)) for t in lane.tellings) for name, lane in lanes.items()},
        worst_window={name: lane.worst_window for name, lane in lanes.items()},
        quota={name: most_requests(lane.quota) for name, lane in lanes.items()},
        lost=len(frozenset().union(*(count.lost for count in counts.values()))),
        duplicates=sum(count.shown.duplicates for count in counts.values()),
        dead_letters=len({letter.id for letter in evidence.letters}),
        seconds_to_first_push=_first_push(evidence),
        delivery_seconds=_percentiles([delay for count in counts.values() for delay in count.delays]),
    )


def most_requests(quota: Quota) -> int:
    """The most requests that may arrive within `quota.per_seconds`. A leaky bucket that is empty takes a whole depth
    at once, and as much again while it drains."""
    return quota.requests * 2 if quota.bucket else quota.requests


def _waiting(evidence: Evidence, counts: Mapping[str, _LaneCount]) -> int:
    """Commands without an outcome of records that are not lost."""
    waiting = 0
    for name, count in counts.items():
        plans = evidence.lanes[name].plans
        held = {
            command
            for sent in evidence.sent
            if sent.position not in count.lost
            for command in commands_of(plans.get(sent.position))
        }
        waiting += len(held - count.outcomes.keys())
    return waiting


def _first_push(evidence: Evidence) -> float | None:
    times = [telling.at for lane in evidence.lanes.values() for telling in lane.tellings]
    return round(min(times) - evidence.started, 3) if times else None


def _percentiles(delays: Iterable[float]) -> Percentiles:
    """Nearest rank: the smallest value that so many in a hundred do not exceed."""
    ordered = sorted(delays)

    def rank(percent: int) -> float | None:
        return round(ordered[max(0, -(-percent * len(ordered) // 100) - 1)], 3) if ordered else None

    return Percentiles(p50=rank(50), p95=rank(95), p99=rank(99))


def _faults(report: Report, evidence: Evidence) -> Iterable[str]:
    if report.lost:
        yield f"{report.lost} of {report.published} records were lost"
    if report.duplicates:
        yield f"{report.duplicates} pushes were sent twice, or without an attempt in the journal"
    for lane, worst in report.worst_window.items():
        if worst > report.quota[lane]:
            yield f"{lane}: {worst} requests in one window, {report.quota[lane]} are allowed"
    dead = {letter.position for letter in evidence.letters}
    missing = [sent for sent in evidence.sent if sent.poison and sent.position not in dead]
    if missing:
        kinds = ", ".join(sorted({sent.poison for sent in missing}))
        yield f"{len(missing)} of {report.poisoned} poisoned records are not in the dead letters: {kinds}"
    if report.planned != sum(report.outcomes.values()) + report.waiting and not report.lost:
        yield f"{report.planned} commands were planned, but outcomes and waiting do not add up to that"
