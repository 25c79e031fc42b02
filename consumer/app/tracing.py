"""Traces, put around the planner and the sink from outside: a span for each record, and one for each request.

A record's `traceparent` and `tracestate` headers (W3C Trace Context) name the span that published it. Spans carry where
a record stood and what came of it; never a key, a recipient or a text. Imported only where traces are on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Deferred,
    Delivered,
    Ignored,
    Plan,
    Planned,
    Record,
    Refused,
    Rejected,
    Unsure,
    Verdict,
    Verdicts,
)
from consumer.core.ports import Planner, Sink

# Sampled commands that wait. One that was pushed out goes without a link; that costs nobody a message.
WAITING_LIMIT = 50_000
REQUESTS_LIMIT = 1_000
# As many as the SDK keeps.
LINKS_LIMIT = 128
_HEADERS = ("traceparent", "tracestate")
_PROPAGATOR = TraceContextTextMapPropagator()

Attributes = Mapping[str, AttributeValue]
K = TypeVar("K")


@dataclass(slots=True)
class LaneTraces:
    """One lane's: the span that each waiting command came from, and the trace of each of the last requests."""

    lane: str
    tracer: Tracer
    limit: int = WAITING_LIMIT
    _origins: dict[bytes, SpanContext] = field(default_factory=dict)
    _requests: dict[str, str] = field(default_factory=dict)

    def trace_of(self, attempt: str) -> str:
        """The trace id of a request, in hex; "" where it was not sampled or is long past."""
        return self._requests.get(attempt, "")

    # --- records ------------------------------------------------------------------------------------------------------

    def processing(self, record: Record) -> Span:
        """A span under the one that published the record; a new trace where it names none."""
        where = record.position
        attributes: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": where.topic,
            "messaging.destination.partition.id": str(where.partition),
            "messaging.kafka.offset": where.offset,
            "vestnik.lane": self.lane,
        }
        parent = _PROPAGATOR.extract(_carrier(record))
        return self.tracer.start_span(f"process {where.topic}", parent, SpanKind.CONSUMER, attributes)

    def processed(self, span: Span, plan: Plan) -> None:
        """What became of it; where it is sampled, its commands are known by it from now on."""
        span.set_attributes(_told(plan))
        if isinstance(plan, Planned) and span.get_span_context().trace_flags.sampled:
            for command in plan.commands:
                self._origins.setdefault(command.id, span.get_span_context())
            _bound(self._origins, self.limit)
        span.end()

    # --- requests -----------------------------------------------------------------------------------------------------

    def requesting(self, batch: Batch, provider: str) -> Span | None:
        """A span under the first record of the batch that is traced, with links to the others; None where none is."""
        # One record may have become several of its commands.
        origins = list({origin.span_id: origin for origin in self._origins_of(batch)}.values())
        if not origins:
            return None
        attributes: Attributes = {
            "vestnik.lane": self.lane,
            "vestnik.provider": provider,
            "vestnik.attempt": batch.id,
            "vestnik.recipients": len({command.recipient for command in batch.commands}),
            "vestnik.routes": sorted({command.terms.route for command in batch.commands}),
            "vestnik.links_left_out": max(0, len(origins) - 1 - LINKS_LIMIT),
        }
        parent = set_span_in_context(NonRecordingSpan(origins[0]))
        links = [Link(origin) for origin in origins[1 : LINKS_LIMIT + 1]]
        span = self.tracer.start_span(f"push {provider}", parent, SpanKind.CLIENT, attributes, links)
        if span.get_span_context().trace_flags.sampled:
            self._requests[batch.id] = f"{span.get_span_context().trace_id:032x}"
            _bound(self._requests, REQUESTS_LIMIT)
        return span

    def answered(self, batch: Batch, span: Span, verdicts: Verdicts) -> None:
        """What came of it. Commands that were told need not be known any longer."""
        worst = max(verdicts, key=lambda verdict: _GRAVITY.index(type(verdict)))
        reason = "" if isinstance(worst, Delivered) else worst.reason
        span.set_attributes({"vestnik.verdict": type(worst).__name__.lower(), "vestnik.reason": reason})
        if isinstance(worst, Unsure | Blocked):
            span.set_status(StatusCode.ERROR, reason)
        each = verdicts * len(batch.commands) if len(verdicts) == 1 else verdicts
        for command, verdict in zip(batch.commands, each, strict=False):
            if isinstance(verdict, Delivered):
                self._origins.pop(command.id, None)

    def _origins_of(self, batch: Batch) -> Iterator[SpanContext]:
        for command in batch.commands:
            origin = self._origins.get(command.id)
            if origin is not None:
                yield origin


@dataclass(frozen=True, slots=True)
class TracedPlanner:
    """A planner whose every record is a span."""

    inner: Planner
    traces: LaneTraces

    def plan(self, record: Record) -> Plan:
        span = self.traces.processing(record)
        plan = self.inner.plan(record)
        self.traces.processed(span, plan)
        return plan


@dataclass(frozen=True, slots=True)
class TracedSink:
    """A sink whose every request is a span, where one of its records is traced."""

    inner: Sink
    traces: LaneTraces

    @property
    def provider(self) -> str:
        return self.inner.provider

    @property
    def capacity(self) -> Capacity:
        return self.inner.capacity

    @property
    def timeout_seconds(self) -> float:
        return self.inner.timeout_seconds

    @property
    def idempotent(self) -> bool:
        return self.inner.idempotent

    async def ready(self) -> Blocked | Deferred | None:
        return await self.inner.ready()

    async def send(self, batch: Batch) -> Verdicts:
        span = self.traces.requesting(batch, self.inner.provider)
        if span is None:
            return await self.inner.send(batch)
        try:
            verdicts = await self.inner.send(batch)
            self.traces.answered(batch, span, verdicts)
            return verdicts
        finally:
            # Also where the drain cut it off: then without a verdict.
            span.end()

    async def close(self) -> None:
        await self.inner.close()


# The lightest first.
_GRAVITY: tuple[type[Verdict], ...] = (Delivered, Refused, Deferred, Unsure, Blocked)


def _carrier(record: Record) -> dict[str, str]:
    """The headers of the trace; what is no ASCII is none."""
    return {name: value.decode("ascii", "replace") for name, value in record.headers if name in _HEADERS}


def _told(plan: Plan) -> Attributes:
    match plan:
        case Planned():
            count = len(plan.commands) + len(plan.ended)
            return {"vestnik.result": "planned", "vestnik.event_type": plan.event_type, "vestnik.commands": count}
        case Ignored(reason):
            return {"vestnik.result": "ignored", "vestnik.reason": reason}
        case Rejected(rejection):
            return {"vestnik.result": "rejected", "vestnik.reason": rejection.reason}


def _bound(table: dict[K, Any], limit: int) -> None:
    """The oldest go."""
    while len(table) > limit:
        del table[next(iter(table))]
