"""The promises, each checked against what the provider, the broker and the group saw."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from consumer.core.model import Quota
from tests.world.plan import Design
from tests.world.pods import DRAIN_SECONDS, Pod, Span, Town
from tests.world.provider import Request
from tests.world.shop import Expected, Shop
from tests.world.witness import Attempt, End, Witness

EPOCH = 1_700_000_000.0
GRAIN_SECONDS = 0.002
EXIT_SECONDS = 25.5
SEND_AFTER_STOP_SECONDS = 0.1
POLL_SLACK = 150
# A lane's clock is behind the broker's by the way of its claim's ack.
STALE_SECONDS = 1.0
# An attempt may have been on its way to the journal when something went wrong.
BEFORE_SECONDS = 1.0


@dataclass(frozen=True)
class Evidence:
    """All that is known when a world is over."""

    plan: Design
    shop: Shop
    witness: Witness
    requests: Sequence[Request]
    town: Town
    spans: Sequence[Span]
    clock_steps: Sequence[float]

    @property
    def skew_seconds(self) -> float:
        """How far two readings of the broker's clock may be wrong about the time between them."""
        steps = (0.0, *self.clock_steps)
        return max(steps) - min(steps)

    def pod_of(self, attempt: Attempt) -> Pod | None:
        """The process that claimed the attempt's epoch."""
        members = {claim.epoch: claim.member for claim in self.witness.claims}
        member = members.get(attempt.epoch)
        return next((pod for pod in self.town.pods if pod.name == member), None)


@dataclass(frozen=True)
class Sent:
    """A request beside its attempt in the journal. `residual`: its process stood still between its last look and the
    socket, which nothing can prevent."""

    request: Request
    attempt: Attempt
    offset: int
    residual: bool


def check(evidence: Evidence) -> list[Sent]:
    """Blame what was broken; the requests that are residuals are returned."""
    sent = list(_sent(evidence))
    for blame in (_look, _window, _repeats, _threads, _ends, _unsure_landings, _letters, _stops, _bounds):
        for rule, detail in blame(evidence, sent):
            evidence.witness.blame(rule, detail)
    return [each for each in sent if each.residual]


Blames = Iterator[tuple[str, str]]


def _sent(evidence: Evidence) -> Iterator[Sent]:
    """Every request that arrived or may have, with its attempt: which must have been durable before it left."""
    seen: Counter[str] = Counter()
    for request in evidence.requests:
        seen[request.batch.id] += 1
        attempt = evidence.witness.attempts.get(request.batch.id)
        copies = [] if attempt is None else [copy for copy in attempt.copies if copy[1] <= request.sent_at]
        if attempt is None or not copies:
            evidence.witness.blame("attempt first", f"{request.batch.id} was sent before its attempt was durable")
            continue
        if seen[request.batch.id] > 1:
            evidence.witness.blame("attempt once", f"{request.batch.id} was sent twice")
        offset, written_at = copies[-1]
        spans = evidence.town.of(request.life).spans
        residual = any(span.what == "frozen" and span.touches(written_at, request.sent_at) for span in spans)
        yield Sent(request, attempt, offset, residual)


def _look(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """Nothing is sent under a newer claim, nor what has ended, nor after its deadline: as the journal stood up to the
    attempt."""
    witness = evidence.witness
    for each in sent:
        if each.attempt.verdict == "withdrawn":
            yield "withdrawn", f"{each.attempt.id} was sent, and landed as withdrawn"
        for claim in witness.claims:
            if claim.epoch > each.attempt.epoch and claim.offset < each.offset:
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
            if not _interrupted(evidence, each.attempt, each.request):
                yield "I4 reason", f"{id_} was told again although {each.attempt.id} was neither lost nor ambiguous"


def _interrupted(evidence: Evidence, attempt: Attempt, request: Request | None) -> bool:
    """Whether the attempt's end could not be known: the answer, its process or the way to the journal was lost."""
    patience = min(evidence.plan.timeout_seconds, DRAIN_SECONDS)
    if request is not None:
        if request.answer == "unsure" or request.answered_at is None:
            return True
        if request.answered_at - request.sent_at > patience - GRAIN_SECONDS:
            return True
    pod = evidence.pod_of(attempt)
    own = pod.spans if pod is not None else []
    until = math.inf if attempt.landed_at is None else attempt.landed_at
    stuck = [Span(*times) for times in pod.link.stuck] if pod is not None else []
    return any(span.touches(attempt.written_at - BEFORE_SECONDS, until) for span in (*own, *evidence.spans, *stuck))


def _unsure_landings(evidence: Evidence, sent: Sequence[Sent]) -> Blames:
    """A landing that says unsure has a reason too, and so has an end as unknown."""
    requests = {each.attempt.id: each.request for each in sent}
    claimed = {claim.epoch: claim.at for claim in evidence.witness.claims}
    doubts: Counter[str] = Counter()
    for attempt in evidence.witness.attempts.values():
        if attempt.verdict == "unsure" and not attempt.void:
            doubts.update(attempt.commands)
            since = claimed.get(attempt.landed_by, -math.inf)
            if attempt.reason == "owner_lost" and (attempt.landed_at or 0.0) < since + evidence.plan.timeout_seconds:
                yield "late landings", f"{attempt.id} was given up before its own landing could come"
            if not _interrupted(evidence, attempt, requests.get(attempt.id)):
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
        elif not _fits(wanted, end, truth, evidence.skew_seconds):
            yield f"I3 {end.outcome}", f"{wanted.id} ({wanted.route}) ended so at {end.at:.2f}, which cannot be"


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
    places = [(record.position.partition, record.position.offset) for record in wanted.records]
    return all(place in evidence.witness.trimmed for place in places)


def _fits(wanted: Expected, end: End, truth: Truth, skew_seconds: float) -> bool:
    match end.outcome:
        case "delivered":
            return (end.attempt or "", wanted.id) in truth.accepted
        case "expired":
            return EPOCH + end.at >= wanted.earliest_deadline - GRAIN_SECONDS - skew_seconds
        case "superseded":
            return wanted.thread is not None and truth.newest[wanted.thread] > wanted.rank
        case "refused":
            return wanted.id in truth.refused
        case "unknown":
            return True  # looked at with the doubts
        case _:
            return False


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
