"""The table from facts to metrics: everything that Prometheus sees of the process."""

from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics import exposition as openmetrics

from consumer.app.counts import Count
from consumer.app.families import Expected, Families
from consumer.app.series import Family
from consumer.core import facts

TraceOf = Callable[[str, str], str]
"""The trace id, in hex, of a lane's attempt; "" where there is none."""


class Metrics:
    """The process's registry, fed by `see` and written out by `render`."""

    def __init__(self, expected: Expected, trace_of: TraceOf | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.families = Families(expected, self.registry)
        self._trace_of = trace_of

    def see(self, fact: facts.Fact) -> None:
        """Count a fact. A fact that has no metric is passed over."""
        if ear := self.ear(type(fact)):
            ear(fact)

    def ear(self, kind: type[facts.Fact]) -> Callable[[Any], None] | None:
        """Who counts facts of a kind; None where they have no metric."""
        if kind is facts.RequestSent and self._trace_of is not None:
            return partial(_request_traced, self.families, self._trace_of)
        update = TABLE.get(kind)
        return update and partial(update, self.families)

    def loop_lagged(self, seconds: float) -> None:
        """The event loop came back so much later than asked."""
        self.families.loop_lag.at().observe(seconds)

    def routes_reloaded(self, outcome: str, expected: Expected) -> None:
        """Routes were read anew; `expected`: what may come of those that are deployed now."""
        self.families.reloads.at(outcome).inc()
        self.families.reload_refused.at().set(outcome == "refused")
        if outcome == "loaded":
            self.families.redeploy(expected)

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def render_with_exemplars(self) -> bytes:
        """OpenMetrics, the only format that shows which trace a request belongs to."""
        return openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call,no-any-return]

    @property
    def has_exemplars(self) -> bool:
        """Whether requests are traced."""
        return self._trace_of is not None


# --- the table --------------------------------------------------------------------------------------------------------


def _records_planned(m: Families, fact: facts.RecordsPlanned) -> None:
    m.records.at(fact.lane, fact.topic, fact.result, fact.reason).inc(fact.records)
    m.events.at(fact.lane, fact.event_type, fact.result).inc(fact.records)
    m.planned.at(fact.lane).inc(fact.commands)


def _command_ended(m: Families, fact: facts.CommandEnded) -> None:
    m.ended.at(fact.lane, fact.route, fact.outcome).inc(fact.count)
    m.ended_why.at(fact.lane, fact.outcome, fact.reason).inc(fact.count)


def _pushed(m: Families, fact: facts.Pushed) -> None:
    count = len(fact.recipients)
    m.pushed.at(fact.lane, fact.route).inc(count)
    m.in_time.at(fact.lane, fact.route).inc(fact.in_time)
    m.wording.at(fact.lane, str(fact.level)).inc(count)
    m.age.at(fact.lane).observe_all(fact.ages_seconds)


def _request_sent(m: Families, fact: facts.RequestSent, trace: str = "") -> None:
    m.requests.at(fact.lane, fact.provider, fact.verdict, fact.reason).inc()
    exemplar = {"trace_id": trace} if trace else None
    m.request_duration.at(fact.lane, fact.provider).observe(fact.duration_seconds, exemplar)
    m.request_recipients.at(fact.lane, fact.provider).observe(fact.recipients)


def _request_traced(m: Families, trace_of: TraceOf, fact: facts.RequestSent) -> None:
    _request_sent(m, fact, trace_of(fact.lane, fact.attempt))


def _gate_opened(m: Families, fact: facts.GateOpened) -> None:
    m.gate_wait.at(fact.lane).observe(fact.waited_seconds)
    m.gate_wait_by.at(fact.lane, fact.cause).inc(max(0.0, fact.waited_seconds))


def _lane_moved(m: Families, fact: facts.LaneMoved) -> None:
    _one_hot(m.state, fact.lane, fact.state)
    m.epoch.at(fact.lane).set(fact.epoch)
    m.owner.at(fact.lane).set(fact.state in ("recovering", "working", "draining"))


def _one_hot(family: Family[Gauge], lane: str, name: str) -> None:
    for _, child in family.under(lane):
        child.set(0)
    family.at(lane, name).set(1)


def _lane_blocked(m: Families, fact: facts.LaneBlocked) -> None:
    m.blocked.at(fact.lane, fact.reason).set(1)
    m.blocked_total.at(fact.lane, fact.reason).inc()


def _breaker_moved(m: Families, fact: facts.BreakerMoved) -> None:
    m.breaker.at(fact.lane).set(fact.open)
    if fact.open:
        m.breaker_opened.at(fact.lane, fact.reason).inc()


def _claim_made(m: Families, fact: facts.ClaimMade) -> None:
    m.claims.at(fact.lane, "us" if fact.ours else "another").inc()
    m.epoch.at(fact.lane).set(fact.epoch)


def _journal_read_back(m: Families, fact: facts.JournalReadBack) -> None:
    m.read_back.at(fact.lane).set(fact.seconds)
    m.read_back_records.at(fact.lane).set(fact.records)
    m.read_back_unreadable.at(fact.lane).set(fact.unreadable)
    m.doubts.at(fact.lane).set(fact.in_doubt)


def _offsets_committed(m: Families, fact: facts.OffsetsCommitted) -> None:
    m.commits.at(fact.lane, "done").inc()
    m.commit_duration.at(fact.lane).observe(fact.seconds)


def _partitions_assigned(m: Families, fact: facts.PartitionsAssigned) -> None:
    m.rebalances.at(fact.lane).inc()
    m.partitions.at(fact.lane).set(len(fact.partitions))


def _stream_troubled(m: Families, fact: facts.StreamTroubled) -> None:
    m.troubled.at(fact.lane, fact.stream).set(1)
    m.troubles.at(fact.lane, fact.stream, fact.reason).inc()


def _token_kept(m: Families, fact: facts.TokenKept) -> None:
    m.token_obtained.at(fact.lane, fact.provider).set(fact.obtained_at)
    m.token_expires.at(fact.lane, fact.provider).set(fact.expires_at)
    m.refresh_token_expires.at(fact.lane, fact.provider).set(fact.refresh_expires_at)


def _partition_stuck(m: Families, fact: facts.PartitionStuck) -> None:
    m.partition_stuck.at(fact.lane, fact.topic, str(fact.partition)).set(1)


def _partition_freed(m: Families, fact: facts.PartitionFreed) -> None:
    m.partition_stuck.at(fact.lane, fact.topic, str(fact.partition)).set(0)


def _lane_gauges(m: Families, fact: facts.LaneGauges) -> None:
    for name, family in m.gauges.items():
        family.at(fact.lane).set(getattr(fact, name))
    _one_hot(m.holds, fact.lane, fact.holds)


def _up(family: Callable[[Families], Family[Count]], *names: str) -> Callable[[Families, Any], None]:
    """Count one for the fact's lane and these of its fields."""
    return lambda m, fact: family(m).at(fact.lane, *(str(getattr(fact, name)) for name in names)).inc()


def _add(family: Callable[[Families], Family[Count]], *names: str) -> Callable[[Families, Any], None]:
    """Count the fact's `count` for its lane and these of its fields."""
    return lambda m, fact: family(m).at(fact.lane, *(str(getattr(fact, name)) for name in names)).inc(fact.count)


TABLE: dict[type[facts.Fact], Callable[[Families, Any], None]] = {
    facts.RecordsPlanned: _records_planned,
    facts.RecordRepeated: _up(lambda m: m.repeated, "route", "state"),
    facts.CommandEnded: _command_ended,
    facts.CommandsParked: _add(lambda m: m.parked, "reason"),
    facts.CommandsRestored: _add(lambda m: m.restored),
    facts.CommandsReleased: _add(lambda m: m.released),
    facts.Pushed: _pushed,
    facts.RequestSent: _request_sent,
    facts.RequestWithdrawn: _up(lambda m: m.withdrawn, "reason"),
    facts.GateOpened: _gate_opened,
    facts.GateMoved: lambda m, fact: m.gauges["gap_seconds"].at(fact.lane).set(fact.gap_seconds),
    facts.BreakerMoved: _breaker_moved,
    facts.LaneMoved: _lane_moved,
    facts.LaneBlocked: _lane_blocked,
    facts.LaneUnblocked: lambda m, fact: m.blocked.at(fact.lane, fact.reason).set(0),
    facts.ClaimMade: _claim_made,
    facts.JournalReadBack: _journal_read_back,
    facts.DeadLettered: _up(lambda m: m.dead, "reason"),
    facts.OffsetsCommitted: _offsets_committed,
    facts.CommitFailed: lambda m, fact: m.commits.at(fact.lane, "failed").inc(),
    facts.PartitionsAssigned: _partitions_assigned,
    facts.PartitionsRevoked: lambda m, fact: m.partitions.at(fact.lane).set(0),
    facts.StreamTroubled: _stream_troubled,
    facts.StreamHealed: lambda m, fact: m.troubled.at(fact.lane, fact.stream).set(0),
    facts.StreamRebuilt: _up(lambda m: m.rebuilds, "stream"),
    facts.OffsetsSkipped: _add(lambda m: m.offsets_skipped, "topic"),
    facts.TokenRefreshed: _up(lambda m: m.refreshes, "provider", "result"),
    facts.TokenKept: _token_kept,
    facts.LongTextsSent: _add(lambda m: m.long_texts, "provider", "part"),
    facts.RequestsNarrowed: _up(lambda m: m.narrowed, "provider", "reason"),
    facts.LaneCrashed: _up(lambda m: m.crashes),
    facts.LaneStuck: _up(lambda m: m.stuck, "reason"),
    facts.PartitionStuck: _partition_stuck,
    facts.PartitionFreed: _partition_freed,
    facts.LaneGauges: _lane_gauges,
}
