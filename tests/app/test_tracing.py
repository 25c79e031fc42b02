"""Traces as a collector would get them: a span a record, a span a request, links, and nothing of anybody in them."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from consumer.app import trace_export
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.trace_export import Traces, open_traces
from consumer.app.tracing import LINKS_LIMIT, LaneTraces, TracedPlanner, TracedSink
from consumer.core import facts
from consumer.core.model import (
    Batch,
    Blocked,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Ignored,
    Message,
    Parcel,
    Plan,
    Planned,
    Position,
    Record,
    Rejected,
    Rejection,
    Terms,
    Unsure,
    Verdicts,
)
from consumer.core.ports import Planner, Sink

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
NOT_SAMPLED = PARENT[:-1] + "0"
CUSTOMER = "79161234567"
TEXT = Message("Заказ М-428 ждёт вас", "ПВЗ на Ленина, 1")


class Office:
    """A lane with its traces and what they exported."""

    def __init__(self, limit: int = 1000) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = open_traces(["app-push"], "1", SimpleSpanProcessor(self.exporter))
        self.lane = LaneTraces("app-push", self.traces.lanes["app-push"].tracer, limit)
        self.verdicts: Verdicts = (Delivered(),)
        self.plans: dict[int, Plan] = {}
        self.planner: Planner = TracedPlanner(self, self.lane)
        self.sink: Sink = TracedSink(Provider(self), self.lane)

    def plan(self, record: Record) -> Plan:
        number = record.position.offset
        return self.plans.get(number, Planned("order.paid", (command(number),)))

    def read(self, offset: int, *headers: tuple[str, bytes]) -> ReadableSpan:
        """Plan a record; its span."""
        self.planner.plan(Record(Position("shop.orders", 3, offset), 1.0, CUSTOMER.encode(), b"{}", headers))
        return self.spans[-1]

    def send(self, *numbers: int) -> None:
        parcel = Parcel(TEXT, 0, tuple(command(number) for number in numbers))
        asyncio.run(self.sink.send(Batch("1.7", 1, (parcel,))))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()


class Provider:
    """A sink that says what its office wants."""

    provider, capacity, timeout_seconds, idempotent = "imshop", Capacity(1, 1000), 30.0, False

    def __init__(self, office: Office) -> None:
        self.office = office

    async def ready(self) -> Blocked | Deferred | None:
        return None

    async def send(self, batch: Batch) -> Verdicts:
        assert batch.commands
        return self.office.verdicts

    async def close(self) -> None:
        self.office.verdicts = ()


class Silent(Provider):
    """Never answers."""

    async def send(self, batch: Batch) -> Verdicts:
        await asyncio.Event().wait()
        raise AssertionError(batch)


def command(number: int) -> Command:
    terms = Terms("order-paid")
    return Command(number.to_bytes(12, "big"), b"dgst", terms, f"{CUSTOMER}-{number}", (TEXT,), None, 1, 1.0, 9.0)


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def traceparent(number: int) -> tuple[str, bytes]:
    return "traceparent", f"00-{number:032x}-{number:016x}-01".encode()


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.traces.close()


def test_a_record_is_a_span_under_the_one_that_published_it(office: Office) -> None:
    span = office.read(17, ("traceparent", PARENT.encode()))
    assert (span.name, span.kind.name) == ("process shop.orders", "CONSUMER")
    assert span.parent is not None
    assert (trace_of(span), span.parent.span_id) == (TRACE, SPAN)
    assert span.attributes is not None
    wanted = {
        "messaging.system": "kafka",
        "messaging.destination.name": "shop.orders",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 17,
        "vestnik.lane": "app-push",
        "vestnik.result": "planned",
        "vestnik.commands": 1,
    }
    assert wanted.items() <= dict(span.attributes).items()


@pytest.mark.parametrize("headers", [(), (("traceparent", b"\xff\x00 nonsense"),)], ids=["none", "nonsense"])
def test_a_record_without_a_trace_begins_one(office: Office, headers: tuple[tuple[str, bytes], ...]) -> None:
    span = office.read(1, *headers)
    assert span.parent is None
    assert trace_of(span) != 0


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        (Ignored("no_route"), ("ignored", "no_route")),
        (Rejected(Rejection("x", "not_json")), ("rejected", "not_json")),
    ],
    ids=["ignored", "rejected"],
)
def test_a_span_says_what_became_of_a_record(office: Office, plan: Plan, result: tuple[str, str]) -> None:
    office.plans[1] = plan
    told = dict(office.read(1).attributes or {})
    assert (told["vestnik.result"], told["vestnik.reason"]) == result


def test_a_request_is_in_the_trace_of_its_one_record(office: Office) -> None:
    processed = office.read(1, ("traceparent", PARENT.encode()))
    office.send(1)
    request = office.spans[-1]
    assert (request.name, request.kind.name) == ("push imshop", "CLIENT")
    assert request.parent is not None
    assert processed.context is not None
    assert (trace_of(request), request.parent.span_id) == (TRACE, processed.context.span_id)
    assert not request.links
    assert dict(request.attributes or {})["vestnik.verdict"] == "delivered"


def test_a_request_for_several_records_is_linked_with_them_all(office: Office) -> None:
    spans = [office.read(number, traceparent(number)) for number in (1, 2, 3)]
    office.send(1, 2, 3)
    request = office.spans[-1]
    assert trace_of(request) == 1
    assert [link.context.trace_id for link in request.links] == [2, 3]
    assert [link.context for link in request.links] == [span.context for span in spans[1:]]
    assert dict(request.attributes or {})["vestnik.recipients"] == 3


def test_links_are_bounded_and_the_rest_is_counted(office: Office) -> None:
    everybody = range(1, LINKS_LIMIT + 12)
    for number in everybody:
        office.read(number, traceparent(number))
    office.send(*everybody)
    request = office.spans[-1]
    assert len(request.links) == LINKS_LIMIT
    assert dict(request.attributes or {})["vestnik.links_left_out"] == 10


def test_what_is_not_sampled_costs_no_span_of_a_request(office: Office) -> None:
    office.planner.plan(Record(Position("shop.orders", 0, 1), 1.0, headers=(("traceparent", NOT_SAMPLED.encode()),)))
    office.send(1)
    assert office.spans == ()
    assert office.lane.trace_of("1.7") == ""


def test_who_waits_again_is_known_and_who_was_told_is_not(office: Office) -> None:
    office.read(1)
    office.verdicts = (Deferred("limit"),)
    office.send(1)
    office.verdicts = (Delivered(),)
    office.send(1)
    before = len(office.spans)
    office.send(1)
    assert [dict(span.attributes or {}).get("vestnik.verdict") for span in office.spans[1:]] == [
        "deferred",
        "delivered",
    ]
    assert len(office.spans) == before


@pytest.mark.parametrize("verdict", [Unsure("timeout"), Blocked("key_refused", "HTTP 401")], ids=["unsure", "blocked"])
def test_a_request_that_fails_is_an_error_with_its_reason(office: Office, verdict: Unsure | Blocked) -> None:
    office.verdicts = (verdict,)
    office.read(1)
    office.send(1)
    status = office.spans[-1].status
    assert (status.status_code.name, status.description) == ("ERROR", verdict.reason)


def test_the_worst_of_a_verdict_for_each_is_told(office: Office) -> None:
    office.verdicts = (Delivered(), Deferred("limit"))
    office.read(1)
    office.read(2)
    office.send(1, 2)
    assert dict(office.spans[-1].attributes or {})["vestnik.verdict"] == "deferred"


def test_a_request_that_is_cut_off_ends_its_span(office: Office) -> None:
    office.read(1)

    async def cut_off() -> None:
        batch = Batch("1.7", 1, (Parcel(TEXT, 0, (command(1),)),))
        task = asyncio.ensure_future(TracedSink(Silent(office), office.lane).send(batch))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cut_off())
    assert office.spans[-1].name == "push imshop"


def test_nothing_of_a_person_is_in_a_span(office: Office) -> None:
    office.read(1, ("traceparent", PARENT.encode()))
    office.send(1)
    told = "".join(span.to_json() for span in office.spans)
    assert len(office.spans) == 2
    assert all(word not in told for word in (CUSTOMER, TEXT.title, TEXT.text, json.dumps(TEXT.title)[1:-1]))


def test_what_waits_is_bounded() -> None:
    office = Office(limit=3)
    for number in range(10):
        office.read(number)
    office.send(0)
    assert office.spans[-1].name == "process shop.orders"
    office.send(9)
    assert office.spans[-1].name == "push imshop"
    office.traces.close()


def test_the_sink_is_as_it_was(office: Office) -> None:
    sink = office.sink
    assert (sink.provider, sink.capacity, sink.timeout_seconds, sink.idempotent) == (
        "imshop",
        (1, 1000, (), None),
        30.0,
        False,
    )
    assert asyncio.run(sink.ready()) is None
    asyncio.run(sink.close())
    assert office.verdicts == ()


# --- exemplars --------------------------------------------------------------------------------------------------------


def metrics(traces: Traces | None) -> Metrics:
    lane = LaneNames("app-push", "imshop", "live", ("order-paid",))
    return Metrics(Expected((lane,), ("shop.orders",), "1", "d"), None if traces is None else traces.trace_of)


def test_a_request_in_the_histogram_names_its_trace(office: Office) -> None:
    office.traces = Traces(office.traces.provider, {"app-push": office.lane})
    office.read(1, ("traceparent", PARENT.encode()))
    office.send(1)
    told = metrics(office.traces)
    told.see(facts.RequestSent("app-push", "imshop", "1.7", "delivered", "", 1, 0.2))
    told.see(facts.RequestSent("app-push", "imshop", "1.8", "delivered", "", 1, 3.0))
    told.see(facts.RequestSent("elsewhere", "imshop", "1.7", "delivered", "", 1, 3.0))
    exemplars = [line for line in told.render_with_exemplars().decode().splitlines() if "# {" in line]
    assert len(exemplars) == 1
    assert 'le="0.25"' in exemplars[0]
    assert f'# {{trace_id="{TRACE:032x}"}} 0.2' in exemplars[0]
    assert b"# {" not in told.render()


def test_without_traces_there_are_no_exemplars() -> None:
    assert not metrics(None).has_exemplars


# --- the libraries ----------------------------------------------------------------------------------------------------


def test_nothing_of_it_is_imported_where_traces_are_off() -> None:
    code = "import consumer.app.service, sys; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


def test_whether_the_libraries_are_there_is_asked_without_importing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trace_export.can_export()
    monkeypatch.setattr(trace_export, "_NEEDED", ("opentelemetry.nowhere", "nothing.at.all"))
    assert not trace_export.can_export()


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch, office: Office) -> None:
    monkeypatch.setattr(trace_export, "CLOSE_SECONDS", 0.01)
    released = threading.Event()
    monkeypatch.setattr(office.traces.provider, "shutdown", released.wait)
    office.traces.close()
    released.set()
