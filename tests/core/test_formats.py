"""Every envelope gives back the event that was put into it, and what is wrong with an envelope has a stable reason."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.decode import Undecodable, decode
from consumer.core.envelopes import identifier, word
from consumer.core.formats import PLAIN, Format, Formats, SourceFormat
from consumer.core.model import Ignored, Record
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from tests.core import formats as made
from tests.core.formats import bare, change, events, record
from tests.core.planning import order, planned, planner

LIMIT = 256 * 1024
TOPIC = "shop.orders"
WAYS: dict[str, tuple[Format, Callable[[dict[str, Any]], Record]]] = {
    "plain": (Format.JSON, record),
    "structured": (Format.CLOUDEVENTS, made.structured),
    "structured_in_base64": (Format.CLOUDEVENTS, made.structured_in_base64),
    "binary": (Format.CLOUDEVENTS, made.binary),
    "change": (Format.DEBEZIUM, change),
    "routed": (Format.DEBEZIUM, made.routed),
    "routed_text": (Format.DEBEZIUM, made.routed_text),
    "framed": (Format.CONFLUENT, made.framed),
}


def of(format_: Format, **more: Any) -> Formats:
    return Formats({TOPIC: SourceFormat(format_, **more)})


def dead(formats: Formats, bad: Record) -> tuple[DeadReason, str]:
    found = formats.read(bad, LIMIT).event
    assert isinstance(found, Undecodable), found
    return found.reason, found.detail


@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_events_come_out_of_each_format_as_they_went_in(way: str) -> None:
    format_, wrap = WAYS[way]
    said = of(format_)
    for event in events(1000, seed=8):
        wanted = decode(json.dumps(event).encode(), LIMIT)
        assert isinstance(wanted, Event)
        wrapped = wrap(event)
        assert said.read(wrapped, LIMIT).event == wanted
        if way != "routed":  # the header `id` is anybody's: only who is told that it is the router's takes it
            assert PLAIN.read(wrapped, LIMIT).event == wanted


@pytest.mark.parametrize("way", WAYS)
def test_a_route_makes_the_same_of_an_event_in_each_format(way: str) -> None:
    event = order(event_id="e-1")
    wrapped = WAYS[way][1](event)
    plain, wrapped_plan = planned(planner().plan(record(event))), planner().plan(wrapped)
    if way == "routed":
        return
    commands = planned(wrapped_plan).commands
    assert [each.id for each in commands] == [each.id for each in plain.commands]
    assert [each.wordings for each in commands] == [each.wordings for each in plain.commands]


def test_a_row_that_is_read_again_by_a_snapshot_is_the_same_event() -> None:
    first = change(order())
    document = json.loads(first.value or b"")
    document["payload"] |= {"op": "r", "ts_ms": 1_799_000_000_000}
    one, again = (PLAIN.read(each, LIMIT).record.value for each in (first, record(document)))
    assert one == again


def test_what_the_data_says_itself_stands_over_what_the_envelope_says() -> None:
    envelope = made.attributes(order()) | {"id": "ce-1", "shop": "other", "data": bare(order()) | {"event_id": "own"}}
    found = PLAIN.read(record(envelope), LIMIT).event
    assert isinstance(found, Event)
    assert (found.event_id, found.shop) == ("own", "ducky")


def test_a_prefix_is_taken_off_the_types_that_envelopes_say() -> None:
    event = order() | {"type": "com.example.order.paid"}
    formats = of(Format.AUTO, prefix="com.example.")
    for wrap in (made.structured, made.binary, change):
        found = formats.read(wrap(event), LIMIT).event
        assert isinstance(found, Event)
        assert found.type == "order.paid"


def test_a_row_without_a_time_of_its_own_happened_when_the_database_says() -> None:
    document = json.loads(change(order()).value or b"")
    row = document["payload"]["after"]
    row["payload"] = bare(order())
    found = PLAIN.read(record(document), LIMIT).event
    assert isinstance(found, Event)
    assert found.occurred_at.isoformat() == "2026-09-01T07:15:00.123000+00:00"
    for part in (document["payload"]["source"], document["payload"]):
        del part["ts_ms"]
    reason, detail = dead(PLAIN, record(document))
    assert (reason, detail) == (DeadReason.SCHEMA, "occurred_at: missing")


def test_a_row_may_leave_out_what_its_payload_says() -> None:
    document = json.loads(change(order()).value or b"")
    document["payload"]["after"] = {"id": None, "type": 5, "payload": json.dumps(order())}
    assert isinstance(PLAIN.read(record(document), LIMIT).event, Event)


def test_the_router_may_say_the_type_in_a_header() -> None:
    event = {name: value for name, value in order().items() if name not in ("type", "event_id")}
    headers = (("id", b""), ("eventType", b"shop.order.paid"), ("other", b"x"))
    found = of(Format.DEBEZIUM, prefix="shop.").read(record(event, headers), LIMIT).event
    assert isinstance(found, Event)
    assert (found.type, found.event_id) == ("order.paid", None)


def test_another_systems_event_is_translated_in_every_format() -> None:
    seen: list[Any] = []

    def translate(body: dict[str, Any], foreign: Record) -> Any:
        seen.append(body)
        return order() if body["state"] == "paid" else Ignored("unmapped")

    for format_, value in (
        (Format.JSON, {"state": "paid"}),
        (Format.AUTO, {"state": "paid"}),
        (Format.AUTO, {"state": "paid", "payload": 1}),
        (Format.AUTO, {"schema": None, "payload": {"state": "paid"}}),
    ):
        assert isinstance(of(format_, translate=translate).read(record(value), LIMIT).event, Event)
    assert [each["state"] for each in seen] == ["paid"] * 4
    assert of(Format.AUTO, translate=translate).read(record({"state": "new"}), LIMIT).event == Ignored("unmapped")
    assert dead(of(Format.JSON, translate=translate), record(b"7")) == (
        DeadReason.FORMAT,
        "the document is no JSON object",
    )
    assert dead(of(Format.JSON, translate=translate), record(b"{"))[0] is DeadReason.INVALID_JSON


def test_a_long_id_or_source_of_an_envelope_becomes_one_that_an_event_may_have() -> None:
    assert identifier("a b") != identifier("a  b")
    assert len(identifier("x" * 200)) == 32
    assert identifier("4711") == "4711"
    assert word("//oms") == "//oms"
    long = "https://shop.example/" + "x" * 60
    assert len(word(long)) == 64
    assert word(long) != word(long + "y")
    assert word(long).startswith("https://shop.example/")


def test_rows_that_are_cleared_away_and_empty_values_are_nothing() -> None:
    for op in ("d", "t"):
        gone = {"before": {"id": 1}, "after": None, "source": {}, "op": op}
        assert PLAIN.read(record(gone), LIMIT).event == Ignored("tombstone")
    assert PLAIN.read(record({"schema": None, "payload": None}), LIMIT).event == Ignored("tombstone")
    assert PLAIN.read(record(None, (("ce_id", b"1"),)), LIMIT).event == Ignored("tombstone")


def test_an_event_that_only_mentions_an_envelopes_words_is_plain() -> None:
    event = order(order__gift={"specversion": "1.0", "payload": {"op": "c"}}, payload="x")
    found = PLAIN.read(record(event), LIMIT)
    assert isinstance(found.event, Event)
    assert found.record.value == record(event).value


def test_an_event_stands_plainly_in_its_record_where_no_envelope_is_about_it() -> None:
    assert PLAIN.is_plain(record(order()))
    assert PLAIN.is_plain(record(None))
    assert not PLAIN.is_plain(made.binary(order()))


def test_an_envelope_cannot_make_an_event_larger_than_events_may_be() -> None:
    wrapped = made.binary(order())
    found = PLAIN.read(wrapped, len(wrapped.value or b"")).event
    assert isinstance(found, Undecodable)
    assert found.reason is DeadReason.OVERSIZE


def test_debezium_inside_of_confluent_is_found() -> None:
    inner = change(order()).value or b""
    found = PLAIN.read(record(b"\0\0\0\0\x01" + inner), LIMIT).event
    assert isinstance(found, Event)


def _cloud(**changes: Any) -> dict[str, Any]:
    whole = made.attributes(order()) | {"data": bare(order())} | changes
    return {name: value for name, value in whole.items() if value is not ...}


def _headers(**changes: bytes) -> tuple[tuple[str, bytes], ...]:
    said = {f"ce_{name}": value.encode() for name, value in made.attributes(order()).items()}
    said |= {f"ce_{name}": value for name, value in changes.items()}
    return tuple((name, value) for name, value in said.items() if value != b"absent")


def _change(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"before": None, "after": {"payload": {}}, "source": {}, "op": "c"}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


DATA = json.dumps(bare(order())).encode()
STRUCTURED = (("content-type", b"application/cloudevents+json"),)
POISON: dict[str, tuple[Format, Record, DeadReason, str]] = {
    "cloudevent_without_id": (Format.AUTO, record(_cloud(id=...)), DeadReason.FORMAT, "id is missing"),
    "cloudevent_empty_source": (Format.AUTO, record(_cloud(source="")), DeadReason.FORMAT, "source is empty"),
    "cloudevent_other_version": (Format.AUTO, record(_cloud(specversion="0.3")), DeadReason.FORMAT, "than 1.0"),
    "cloudevent_number_as_version": (Format.AUTO, record(_cloud(specversion=1.0)), DeadReason.FORMAT, "of a type"),
    "cloudevent_odd_time": (Format.AUTO, record(_cloud(time="yesterday")), DeadReason.FORMAT, "RFC 3339"),
    "cloudevent_object_attribute": (Format.AUTO, record(_cloud(trace={"a": 1})), DeadReason.FORMAT, "of a type"),
    "cloudevent_odd_name": (Format.AUTO, record(_cloud(traceParent="x")), DeadReason.FORMAT, "name of an attribute"),
    "cloudevent_text_data": (Format.AUTO, record(_cloud(data="hi")), DeadReason.FORMAT, "no JSON object"),
    "cloudevent_no_data": (Format.AUTO, record(_cloud(data=...)), DeadReason.FORMAT, "no JSON object"),
    "cloudevent_xml": (Format.AUTO, record(_cloud(datacontenttype="text/xml")), DeadReason.FORMAT, "is not JSON"),
    "cloudevent_twice_data": (Format.AUTO, record(_cloud(data_base64="e30=")), DeadReason.FORMAT, "both data"),
    "cloudevent_no_base64": (Format.AUTO, record(_cloud(data=..., data_base64="*")), DeadReason.FORMAT, "no base64"),
    "cloudevent_number_base64": (Format.AUTO, record(_cloud(data=..., data_base64=7)), DeadReason.FORMAT, "no base64"),
    "cloudevent_broken_base64": (
        Format.AUTO,
        record(_cloud(data=..., data_base64=base64.b64encode(b"{").decode())),
        DeadReason.INVALID_JSON,
        "character",
    ),
    "cloudevent_batch": (
        Format.AUTO,
        record([_cloud()], (("content-type", b"application/cloudevents-batch+json"),)),
        DeadReason.FORMAT,
        "only application/cloudevents+json",
    ),
    "cloudevent_list": (Format.CLOUDEVENTS, record([]), DeadReason.FORMAT, "no object"),
    "cloudevent_cut": (Format.AUTO, record(b'{"specversion": ', STRUCTURED), DeadReason.INVALID_JSON, "character"),
    "cloudevent_bad_event": (Format.AUTO, record(_cloud(data={})), DeadReason.SCHEMA, "order: missing"),
    "header_missing": (Format.AUTO, record(DATA, _headers(id=b"absent")), DeadReason.FORMAT, "id is missing"),
    "header_twice": (
        Format.AUTO,
        record(DATA, (*_headers(), ("CE_ID", b"2"))),
        DeadReason.FORMAT,
        "'id' stands twice",
    ),
    "header_not_utf8": (Format.AUTO, record(DATA, _headers(subject=b"\xff")), DeadReason.FORMAT, "is not UTF-8"),
    "header_data_not_json": (Format.AUTO, record(b"hi", _headers()), DeadReason.INVALID_JSON, "character"),
    "header_data_duplicate_key": (
        Format.AUTO,
        record(b'{"order": {}, "order": {}}', _headers()),
        DeadReason.DUPLICATE_KEY,
        "twice",
    ),
    "debezium_update": (Format.AUTO, record(_change(op="u")), DeadReason.FORMAT, "was changed"),
    "debezium_no_row": (Format.AUTO, record(_change(after=None)), DeadReason.FORMAT, "no payload"),
    "debezium_number": (Format.AUTO, record(_change(after={"payload": 7})), DeadReason.FORMAT, "no JSON object"),
    "debezium_text": (Format.AUTO, record(_change(after={"payload": "{"})), DeadReason.INVALID_JSON, "character"),
    "debezium_nothing": (Format.DEBEZIUM, record([1]), DeadReason.FORMAT, "no JSON object"),
    "debezium_cut": (Format.DEBEZIUM, record(b"{"), DeadReason.INVALID_JSON, "character"),
    "debezium_deep_in_a_text": (Format.AUTO, record('{"a":' + "[" * 40 + "]" * 40), DeadReason.DEPTH, "deeper"),
    "confluent_unframed": (Format.CONFLUENT, record(order()), DeadReason.FORMAT, "no zero"),
    "confluent_short": (Format.AUTO, record(b"\0\0"), DeadReason.FORMAT, "no zero"),
    "confluent_avro_alone": (Format.AUTO, record(b"\0\0\0\0\x01\x02ab"), DeadReason.FORMAT, "no schema registry"),
    "confluent_cut": (Format.AUTO, record(b'\0\0\0\0\x01{"type'), DeadReason.INVALID_JSON, "character"),
    "surrogate": (
        Format.AUTO,
        record(json.dumps(_cloud(data={"order": {"id": "\ud800"}})).encode()),
        DeadReason.INVALID_JSON,
        "",
    ),
    "large": (Format.AUTO, record(b" " * (LIMIT + 1), STRUCTURED), DeadReason.OVERSIZE, "more than"),
    "infinite": (Format.AUTO, record(b'{"specversion": NaN, "type": "x"}'), DeadReason.NUMBER, "NaN"),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_envelope_has_its_reason(name: str) -> None:
    format_, bad, reason, words = POISON[name]
    found = dead(of(format_), bad)
    assert found[0] is reason
    assert words in found[1]
    assert found == dead(of(format_), bad)


SCHEMAS = {
    5: lambda payload: payload or Undecodable(DeadReason.FORMAT, "empty"),
}


def test_a_schema_that_the_registry_does_not_know_is_a_dead_letter() -> None:
    formats = of(Format.CONFLUENT, schemas=SCHEMAS)
    assert dead(formats, made.framed(order())) == (DeadReason.UNKNOWN_SCHEMA, "the registry has no schema 7")
    assert dead(formats, record(b"\0\0\0\0\x05")) == (DeadReason.FORMAT, "empty")


@pytest.mark.parametrize(
    ("format_", "bytes_", "headers", "wanted"),
    [
        (Format.AUTO, b"\0\0\0\0\x07{}", (), 7),
        (Format.CONFLUENT, b"\0\0\0\0\x07{}", (), 7),
        (Format.AUTO, b"\0\0\0\0\x05{}", (), None),
        (Format.AUTO, b"{}", (), None),
        (Format.AUTO, None, (), None),
        (Format.JSON, b"\0\0\0\0\x07{}", (), None),
        (Format.AUTO, b"\0\0\0\0\x07{}", (("ce_id", b"1"),), None),
    ],
)
def test_the_registry_is_asked_only_for_what_a_record_needs(
    format_: Format, bytes_: bytes | None, headers: tuple[tuple[str, bytes], ...], wanted: int | None
) -> None:
    assert of(format_, schemas=SCHEMAS).wanted_schema(record(bytes_, headers)) == wanted
    assert of(format_).wanted_schema(record(bytes_, headers)) is None


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300),
    st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "content-type", "x"]), st.binary(max_size=30))),
    st.sampled_from(Format),
)
def test_any_bytes_in_any_format_end_in_one_of_the_three(
    value: bytes, headers: list[tuple[str, bytes]], format_: Format
) -> None:
    found = of(format_).read(record(value, tuple(headers)), LIMIT)
    assert isinstance(found.event, Event | Undecodable | Ignored)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["specversion", "type", "id", "source", "data", "schema", "payload", "op", "after", "ts_ms", "x"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_JSON, st.sampled_from(Format))
def test_any_document_in_any_format_ends_in_one_of_the_three(document: Any, format_: Format) -> None:
    assert isinstance(of(format_).read(record(document), LIMIT).event, Event | Undecodable | Ignored)
