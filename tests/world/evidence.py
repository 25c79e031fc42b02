"""What is known when a world is over, and what follows from it for each request that was made."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.world.plan import Design
from tests.world.pods import DRAIN_SECONDS, Pod, Span, Town
from tests.world.provider import Provider, Request
from tests.world.shop import Shop
from tests.world.witness import Attempt, Witness

EPOCH = 1_700_000_000.0
GRAIN_SECONDS = 0.002
# An attempt may have been on its way to the journal when something went wrong.
BEFORE_SECONDS = 1.0
# A table is read by a healthy process in this time.
READ_SECONDS = 2.0

# A rule's name, and what was seen.
Blames = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Word:
    """What people said: whom not to tell, or that nobody is told (`who` is empty); from when to when."""

    who: str
    since: float
    until: float = math.inf


@dataclass(frozen=True)
class Evidence:
    """All that is known when a world is over."""

    plan: Design
    shop: Shop
    witness: Witness
    provider: Provider
    town: Town
    spans: Sequence[Span]
    clock_steps: Sequence[float]
    words: Sequence[Word]

    @property
    def skew_seconds(self) -> float:
        """How far two readings of the broker's clock may be wrong about the time between them."""
        steps = (0.0, *self.clock_steps)
        return max(steps) - min(steps)

    @cached_property
    def _owners(self) -> dict[int, Pod]:
        pods = {pod.name: pod for pod in self.town.pods}
        return {claim.epoch: pods[claim.member] for claim in self.witness.claims if claim.member in pods}

    def pod_of(self, attempt: Attempt) -> Pod | None:
        """The process that claimed the attempt's epoch."""
        return self._owners.get(attempt.epoch)

    def knows(self, pod: Pod, since: float) -> float:
        """By when the process has read what was said at that moment, at the latest: nothing is read while it, its wire
        or the broker stands still."""
        spans = (*pod.spans, *self.spans)
        at = since
        while late := [span.until for span in spans if span.since <= at + READ_SECONDS and span.until > at]:
            at = max(late)
        return at + READ_SECONDS


@dataclass(frozen=True)
class Sent:
    """A request beside its attempt in the journal: `offset` and `epoch` are those of the record that let it go out.
    `residual`: its process stood still between its last look and the socket, which nothing can prevent."""

    request: Request
    attempt: Attempt
    offset: int
    epoch: int
    residual: bool

    @property
    def at(self) -> float:
        return self.request.sent_at


def requests_of(evidence: Evidence) -> Iterator[Sent]:
    """Every request that arrived or may have, with the record that let it go out: which must have been durable before.
    A provider that knows requests by their keys gets one again, under a record of its own."""
    seen: Counter[str] = Counter()
    for request in evidence.provider.requests:
        name = request.batch.id
        seen[name] += 1
        attempt = evidence.witness.attempts.get(name)
        leaves = (
            [] if attempt is None else [leave for leave in attempt.leaves(seen[name]) if leave.at <= request.sent_at]
        )
        if attempt is None or not leaves:
            how = "sent twice" if attempt is not None and seen[name] > 1 else "sent before its attempt was durable"
            evidence.witness.blame("attempt once" if "twice" in how else "attempt first", f"{name} was {how}")
            continue
        leave = leaves[-1]
        spans = evidence.town.of(request.life).spans
        residual = any(span.what == "frozen" and span.touches(leave.at, request.sent_at) for span in spans)
        yield Sent(request, attempt, leave.offset, leave.epoch, residual)


def by_attempt(sent: Sequence[Sent]) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = defaultdict(list)
    for each in sent:
        found[each.attempt.id].append(each.request)
    return found


def interrupted(evidence: Evidence, attempt: Attempt, requests: Sequence[Request]) -> bool:
    """Whether the attempt's end could not be known: the answer, its process or the way to the journal was lost."""
    if any(_unanswered(evidence, request) for request in requests):
        return True
    pod = evidence.pod_of(attempt)
    own = pod.spans if pod is not None else []
    until = math.inf if attempt.landed_at is None else attempt.landed_at
    stuck = [Span(*times) for times in pod.link.stuck] if pod is not None else []
    return any(span.touches(attempt.written_at - BEFORE_SECONDS, until) for span in (*own, *evidence.spans, *stuck))


def _unanswered(evidence: Evidence, request: Request) -> bool:
    if request.answer == "unsure" or request.answered_at is None:
        return True
    patience = min(evidence.plan.timeout_seconds, DRAIN_SECONDS)
    return request.answered_at - request.sent_at > patience - GRAIN_SECONDS
