"""The promises, each checked against what the provider, the broker and the group saw."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from consumer.core.model import Quota
from tests.world.evidence import (
    EPOCH,
    GRAIN_SECONDS,
    Blames,
    Evidence,
    Sent,
    by_attempt,
    interrupted,
    requests_of,
)
from tests.world.provider import Request
from tests.world.routes import Expected
from tests.world.wishes import caps, consents, keys, listed, nights, paused, suppressed
from tests.world.witness import Attempt, End

EXIT_SECONDS = 25.5
SEND_AFTER_STOP_SECONDS = 0.1
POLL_SLACK = 150
KILLS, DEATHS = "kills_the_process", 3
# A lane's clock is behind the broker's by the way of its claim's ack.
STALE_SECONDS = 1.0


def check(evidence: Evidence) -> list[Sent]:
    """Blame what was broken; the requests that are residuals are returned."""
    sent = list(requests_of(evidence))
    rules = (_look, _window, _repeats, _threads, _ends, _unsure_landings, _letters, _stops, _bounds)
    for blame in (*rules, listed, paused, nights, caps, consents, keys):
        for rule, detail in blame(evidence, sent):
            evidence.witness.blame(rule, detail)
    return [each for each in sent if each.residual]


def _look(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Nothing is sent under a newer claim, nor what has ended, nor after its deadline: as the journal stood up to the
    attempt."""
    witness = evidence.witness
    for each in sent:
        if each.attempt.verdict == "withdrawn":
            yield "withdrawn", f"{each.attempt.id} was sent, and landed as withdrawn"
        for claim in witness.claims:
            if claim.epoch > each.epoch and claim.offset < each.offset:
                yield "I9 claim", f"{each.attempt.id} was sent although epoch {claim.epoch} had been claimed before it"
        for id_ in each.attempt.commands:
            end = witness.ends.get(id_)
            if end is not None and end.offset < each.offset:
                yield "look ended", f"{each.attempt.id} carries {id_}, which had ended as {end.outcome}"
        yield from _stale(evidence, each)


def _stale(evidence: Evidence, each: Sent) -> Blames:
    now = EPOCH + each.request.sent_at
    for command in each.request.batch.commands:
        wanted = evidence.shop.expected.get(command.id.hex())
        slack = STALE_SECONDS + evidence.skew_seconds
        if wanted is not None and not each.residual and now > wanted.deadline + slack:
            late = now - wanted.deadline
            yield "I8 stale", f"{each.attempt.id} left {late:.2f} s after the deadline of {command.id.hex()}"


# --- the quota --------------------------------------------------------------------------------------------------------


def _window(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """At the provider, over any window, across processes. A stepped clock breaks it between owners only."""
    quota = evidence.plan.quota
    if quota is None:
        return
    arrivals = [each for each in sent if each.request.arrived_at is not None and not each.residual]
    tenures: dict[str, list[float]] = defaultdict(list)
    for each in arrivals:
        name = each.request.life.name if evidence.skew_seconds else "all"
        tenures[name].append(each.request.arrived_at or 0.0)
    for name, times in tenures.items():
        over = _bucket_over if quota.bucket else _window_over
        found = over(sorted(times), quota, evidence.plan.in_flight)
        if found is not None:
            yield "I7 quota", f"{found} ({name})"


def _window_over(times: Sequence[float], quota: Quota, _in_flight: int) -> str | None:
    for first, last in zip(times, times[quota.requests :], strict=False):
        if last - first < quota.per_seconds:
            return f"{quota.requests + 1} requests in {last - first:.3f} s from {first:.3f} on"
    return None


def _bucket_over(times: Sequence[float], quota: Quota, in_flight: int) -> str | None:
    """What is in flight may arrive together, so the provider's bucket is deeper by that."""
    level, at = 0.0, -math.inf
    for time in times:
        level = max(0.0, level - (time - at) / quota.gap_seconds) + 1
        at = time
        if level > quota.requests + in_flight + GRAIN_SECONDS:
            return f"the bucket holds {level:.1f} of {quota.requests} at {time:.3f}"
    return None


# --- repeats ----------------------------------------------------------------------------------------------------------


def _repeats(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Nobody is told twice without a reason that we can name, and never for routes that stop."""
    requests = by_attempt(sent)
    accepts: dict[str, list[Sent]] = defaultdict(list)
    for each in sorted(sent, key=lambda each: each.request.arrived_at or math.inf):
        for raw in each.request.accepted:
            accepts[raw.hex()].append(each)
    for id_, told in accepts.items():
        wanted = evidence.shop.expected.get(id_)
        if wanted is None:
            yield "strangers", f"{id_} was told, and no event asks for it"
            continue
        if len(told) > (1 if wanted.stop else 2):
            yield "I5 stop" if wanted.stop else "I4 repeats", f"{id_} ({wanted.route}) was told {len(told)} times"
        for each in sorted(told, key=lambda each: each.offset)[:-1]:
            if not interrupted(evidence, each.attempt, requests[each.attempt.id]):
                yield "I4 reason", f"{id_} was told again although {each.attempt.id} was neither lost nor ambiguous"


def _unsure_landings(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """A landing that says unsure has a reason too, and so has an end as unknown."""
    requests = by_attempt(sent)
    claimed = {claim.epoch: claim.at for claim in evidence.witness.claims}
    doubts: Counter[str] = Counter()
    for attempt in evidence.witness.attempts.values():
        if attempt.verdict == "unsure" and not attempt.void:
            doubts.update(attempt.commands)
            since = claimed.get(attempt.landed_by, -math.inf)
            if attempt.reason == "owner_lost" and (attempt.landed_at or 0.0) < since + evidence.plan.timeout_seconds:
                yield "late landings", f"{attempt.id} was given up before its own landing could come"
            if not interrupted(evidence, attempt, requests.get(attempt.id, ())):
                yield "unsure", f"{attempt.id} landed as {attempt.verdict} ({attempt.reason}) without a reason"
    for id_, end in evidence.witness.ends.items():
        wanted = evidence.shop.expected.get(id_)
        if end.outcome == "unknown" and wanted is not None and doubts[id_] < (1 if wanted.stop else 2):
            yield "unknown", f"{id_} ({wanted.route}) ended as unknown after {doubts[id_]} doubts"


# --- threads ----------------------------------------------------------------------------------------------------------


def _threads(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """A thread never goes backwards: neither in the order of attempts nor at the provider."""
    attempted: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for each in sorted(sent, key=lambda each: each.attempt.copies[0][0]):
        for thread, rank in zip(each.attempt.threads, each.attempt.ranks, strict=True):
            if thread is not None:
                attempted[thread].append((rank, each.attempt.id))
    for ranks in attempted.values():
        for (before, first), (after, second) in pairwise(ranks):
            if after < before:
                yield "I6 attempts", f"rank {after} was attempted in {second} after rank {before} in {first}"
    yield from _held_back(evidence)
    yield from _accepts_in_order(evidence, sent)


def _held_back(evidence: Evidence) -> Blames:
    """What is newer waits while an older one of its thread is in flight or in doubt."""
    aloft: dict[str, list[tuple[int, Attempt]]] = defaultdict(list)
    valid = [attempt for attempt in evidence.witness.attempts.values() if attempt.copies and not attempt.void]
    for attempt in sorted(valid, key=lambda attempt: attempt.copies[0][0]):
        at = attempt.copies[0][0]
        for thread, rank in zip(attempt.threads, attempt.ranks, strict=True):
            if thread is None:
                continue
            for older, other in aloft[thread]:
                if older < rank and other is not attempt and (other.landed_offset or math.inf) > at:
                    yield "I6 held", f"{attempt.id} has rank {rank} while {other.id} with rank {older} had not landed"
            aloft[thread].append((rank, attempt))


def _accepts_in_order(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    highest: dict[tuple[str, str], tuple[int, str]] = {}
    arrived = [each for each in sent if each.request.arrived_at is not None]
    for each in sorted(arrived, key=lambda each: each.request.arrived_at or 0.0):
        late = (each.request.arrived_at or 0.0) - each.request.sent_at > evidence.plan.timeout_seconds
        for command in each.request.first_accepts:
            wanted = evidence.shop.expected.get(command.id.hex())
            if wanted is None or wanted.thread is None:
                continue
            rank, attempt = highest.get(wanted.thread, (-1, ""))
            if wanted.rank < rank and not late and not each.residual:
                yield (
                    "I6 thread",
                    f"{wanted.thread} heard rank {wanted.rank} in {each.attempt.id} after {rank} in {attempt}",
                )
            highest[wanted.thread] = max((wanted.rank, each.attempt.id), (rank, attempt))


# --- ends -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """What the provider and the shop know of commands: told in which attempt, refused for sure, the newest of each
    thread."""

    accepted: frozenset[tuple[str, str]]
    refused: frozenset[str]
    newest: Mapping[tuple[str, str], int]


def _truth(evidence: Evidence, sent: Sequence[Sent]) -> Truth:
    newest: dict[tuple[str, str], int] = {}
    for wanted in evidence.shop.expected.values():
        if wanted.thread is not None:
            newest[wanted.thread] = max(newest.get(wanted.thread, -1), wanted.rank)
    refused = {id_.hex() for each in sent for id_ in _refused_for_sure(each.request)}
    accepted = frozenset((each.attempt.id, id_.hex()) for each in sent for id_ in each.request.accepted)
    return Truth(accepted, frozenset(refused | _unresolved(sent)), newest)


def _ends(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Every command has an outcome, and the one that fits."""
    truth = _truth(evidence, sent)
    for wanted in evidence.shop.expected.values():
        end = evidence.witness.ends.get(wanted.id)
        if end is None:
            if evidence.witness.settled and not _gone(evidence, wanted):
                yield "lost", f"{wanted.id} ({wanted.route}) never ended"
        elif not _fits(wanted, end, truth, evidence):
            how = f"ended so ({end.reason}) at {end.at:.2f}, which cannot be"
            yield f"I3 {end.outcome}", f"{wanted.id} ({wanted.route}) {how}"


def _refused_for_sure(request: Request) -> frozenset[bytes]:
    """Those that were refused by name, or alone: one recipient may have several commands."""
    alone = len({command.recipient for command in request.batch.commands}) == 1
    return request.refused if request.by_name or alone else frozenset()


def _unresolved(sent: Sequence[Sent]) -> set[str]:
    """Those who were refused together again and again, so that nobody could find out whom it meant."""
    times = Counter(id_.hex() for each in sent for id_ in each.request.refused)
    return {id_ for id_, count in times.items() if count > 2}


def _gone(evidence: Evidence, wanted: Expected) -> bool:
    """Retention took every record that asked for it."""
    return all(asking.position in evidence.witness.trimmed for asking in wanted.askings)


def _fits(wanted: Expected, end: End, truth: Truth, evidence: Evidence) -> bool:
    grain = GRAIN_SECONDS + evidence.skew_seconds
    fitting: dict[str, Callable[[], bool]] = {
        "delivered": lambda: (end.attempt or "", wanted.id) in truth.accepted,
        "expired": lambda: EPOCH + end.at >= wanted.earliest_deadline - grain,
        "superseded": lambda: wanted.thread is not None and truth.newest[wanted.thread] > wanted.rank,
        "refused": lambda: wanted.id in truth.refused or (end.reason == KILLS and _deaths(evidence, end) >= DEATHS),
        "suppressed": lambda: suppressed(evidence, wanted, end),
        "unknown": lambda: True,  # looked at with the doubts
    }
    return fitting[end.outcome]()


def _deaths(evidence: Evidence, end: End) -> int:
    """How many owners have had the attempt on the wire."""
    attempt = evidence.witness.attempts[end.attempt or ""]
    return len({attempt.epoch, *(leave.epoch for leave in attempt.repeats)})


def _letters(evidence: Evidence, _sent: Sequence[Sent]) -> Blames:
    """Every poisoned record has its letters, and no other record has any."""
    witness = evidence.witness
    for place, asked in evidence.shop.asked.items():
        written = witness.letters.get(place, 0)
        if written < asked.letters and witness.settled and place not in witness.trimmed:
            yield "letters", f"{place} has {written} of {asked.letters} dead letters"
        if written and not asked.letters:
            yield "letters", f"{place} has a dead letter, and nothing is wrong with it"


# --- processes --------------------------------------------------------------------------------------------------------


def _stops(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """I20: SIGTERM drains within its budget, and nothing new leaves."""
    for pod in evidence.town.pods:
        if pod.stopped_at is None:
            continue
        frozen = [span for span in pod.spans if span.what == "frozen" and span.until >= pod.stopped_at]
        ended = math.inf if pod.ended_at is None else pod.ended_at
        if ended - pod.stopped_at > EXIT_SECONDS and not frozen:
            yield "I20 exit", f"{pod.name} took {ended - pod.stopped_at:.1f} s to stop"
    for each in sent:
        stopped = evidence.town.of(each.request.life).stopped_at
        if stopped is not None and each.request.sent_at > stopped + SEND_AFTER_STOP_SECONDS and not each.residual:
            yield "I20 sends", f"{each.attempt.id} left {each.request.sent_at - stopped:.2f} s after SIGTERM"


def _bounds(evidence: Evidence, _sent: Sequence[Sent]) -> Blames:
    """I10: what waits stays within the bound and one poll."""
    limit = evidence.plan.bounds.commands + POLL_SLACK
    if evidence.witness.most_waiting > limit:
        yield "I10 bound", f"{evidence.witness.most_waiting} waited, and the bound is {evidence.plan.bounds.commands}"
