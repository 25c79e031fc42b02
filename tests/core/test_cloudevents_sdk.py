"""Our reading of CloudEvents' headers agrees with that of the CloudEvents SDK, on whatever headers."""

import json
from datetime import datetime
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary, to_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.cloudevents import attributes_of
from consumer.core.decode import Undecodable
from consumer.core.formats import PLAIN
from schemas.envelope import Event
from tests.core.formats import bare, events, record


def _offset(moment: datetime) -> float:
    offset = moment.utcoffset()
    return 1.0 if offset is None else offset.total_seconds()


_TIMES = st.datetimes(timezones=st.timezones()).filter(lambda at: _offset(at) % 60 == 0)
_WRITTEN = _TIMES.map(lambda at: at.isoformat(timespec="seconds"))
# What ISO 8601 allows and RFC 3339 does not (no seconds, no offset's colon) is another matter: the SDK takes it.
_STRANGE = st.sampled_from(["yesterday", "2026-13-01T00:00:00Z", "2026-09-01T10:15:00", "", "2026-09-01T25:00:00Z"])
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NAMES = st.sampled_from(
    ["subject", "dataschema", "traceparent", "shop", "partitionkey2", "odd_name", "UPPER", "data", "ж"]
)
_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.sampled_from(["1.0", "1.0", "1.0", "1.0", "0.2", ""]),
        "id": _TEXT,
        "source": _TEXT,
        "type": st.sampled_from(["order.paid", "com.example.order.paid", ""]),
        "time": _WRITTEN | _WRITTEN | _STRANGE,
    },
)
_NEEDED = ("specversion", "id", "source", "type")


def _said(attributes: dict[str, str], extensions: dict[str, str], content_type: str | None) -> dict[str, bytes]:
    said = {f"ce_{name}": value.encode() for name, value in (attributes | extensions).items()}
    return said if content_type is None else said | {"content-type": content_type.encode()}


def _theirs(headers: dict[str, bytes]) -> dict[str, Any] | None:
    """The attributes as the SDK reads them; None where it refuses. It makes up an id, a time and a version."""
    if any(f"ce_{name}" not in {each.lower() for each in headers} for name in _NEEDED):
        return None
    try:
        event = from_binary(KafkaMessage(headers=headers, key=None, value=b"{}"), JSONFormat(), CloudEvent)
    except (CloudEventValidationError, ValueError):
        return None
    return {name: value for name, value in event.get_attributes().items() if f"ce_{name}" in _lower(headers)} | (
        {"datacontenttype": event.get_datacontenttype()} if "content-type" in headers else {}
    )


def _lower(headers: dict[str, bytes]) -> set[str]:
    return {name.lower() for name in headers}


def _ours(headers: dict[str, bytes]) -> dict[str, Any] | None:
    found = attributes_of(tuple(headers.items()))
    if isinstance(found, Undecodable):
        return None
    return {name: datetime.fromisoformat(value) if name == "time" else value for name, value in found.items()}


@settings(max_examples=1000, deadline=None)
@given(_ATTRIBUTES, st.dictionaries(_NAMES, _TEXT, max_size=3), st.none() | st.sampled_from(["application/json", ""]))
def test_the_header_parser_agrees_with_the_sdk(
    attributes: dict[str, str], extensions: dict[str, str], content_type: str | None
) -> None:
    headers = _said(attributes, extensions, content_type)
    assert _ours(headers) == _theirs(headers)


@settings(max_examples=300, deadline=None)
@given(_TEXT.filter(bool), _TEXT.filter(bool), _WRITTEN, st.dictionaries(st.sampled_from(["shop", "a1"]), _TEXT))
def test_sound_headers_are_read_alike(id_: str, source: str, time: str, extensions: dict[str, str]) -> None:
    attributes = {"specversion": "1.0", "id": id_, "source": source, "type": "order.paid", "time": time}
    headers = _said(attributes, extensions, "application/json")
    theirs = _theirs(headers)
    assert theirs is not None
    assert _ours(headers) == theirs


def test_what_the_sdk_writes_in_either_mode_is_read_as_the_event_that_it_was() -> None:
    for event in events(200, seed=11):
        attributes: dict[str, Any] = {
            "id": event["event_id"],
            "source": event["source"],
            "type": event["type"],
            "time": datetime.fromisoformat(event["occurred_at"]),
            "datacontenttype": "application/json",
        }
        wanted = PLAIN.read(record(event), 10**6).event
        written = CloudEvent(attributes, bare(event))
        for message in (to_binary(written, JSONFormat()), to_structured(written, JSONFormat())):
            found = PLAIN.read(record(message.value, tuple(message.headers.items())), 10**6).event
            assert isinstance(found, Event)
            assert found == wanted, json.dumps(event)
