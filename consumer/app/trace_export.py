"""The SDK behind the traces. Where spans go and how many are kept, the OTEL_* variables of the environment say."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from consumer.app.tracing import LaneTraces
    from consumer.engine.settings import LaneParts

# What was not exported by then is not worth a pod's grace period.
CLOSE_SECONDS = 3.0
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def can_export() -> bool:
    """Whether the extra `traces` is installed."""
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of a process: `attach` puts them around a lane, `close` sends what is left."""

    provider: "TracerProvider"
    lanes: "Mapping[str, LaneTraces]"

    def attach(self, lane: str, parts: "LaneParts") -> "LaneParts":
        """The lane's parts, with its planner and its sink traced."""
        from consumer.app.tracing import TracedPlanner, TracedSink  # noqa: PLC0415

        traces = self.lanes[lane]
        return replace(parts, planner=TracedPlanner(parts.planner, traces), sink=TracedSink(parts.sink, traces))

    def trace_of(self, lane: str, attempt: str) -> str:
        """The trace id of a lane's request, in hex; "" where there is none."""
        traces = self.lanes.get(lane)
        return "" if traces is None else traces.trace_of(attempt)

    def close(self) -> None:
        """Send what is left, for three seconds at most, whatever the collector does."""
        closing = Thread(target=self.provider.shutdown, name="closing traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def open_traces(lanes: Iterable[str], version: str, processor: "SpanProcessor | None" = None) -> Traces:
    """Begin to trace. Without a `processor` spans go to a collector by OTLP over HTTP, a batch every few seconds from a
    thread of their own; a collector that is away loses spans and holds nothing up."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    from consumer.app.tracing import LaneTraces  # noqa: PLC0415

    service = os.environ.get("OTEL_SERVICE_NAME", "vestnik")
    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor or _to_collector())
    tracer = provider.get_tracer("vestnik", version)
    return Traces(provider, {lane: LaneTraces(lane, tracer) for lane in lanes})


def _to_collector() -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    return BatchSpanProcessor(OTLPSpanExporter())
