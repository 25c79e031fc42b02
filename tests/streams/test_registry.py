"""A registry is asked once for each schema, and whatever it answers becomes a schema, a reason or trouble."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from consumer.core.decode import Undecodable
from consumer.core.model import Trouble
from consumer.streams import registry as room
from consumer.streams.registry import Registry, RegistrySettings
from tests.streams.registries import (
    EVENT_SCHEMA,
    FakeRegistry,
    Mood,
    answering,
    avro,
    hanging,
    registry,
    registry_server,
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    async with registry_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "UNKNOWN_PAUSE_SECONDS", 0.0)


async def test_a_schema_is_asked_for_once(fake: FakeRegistry) -> None:
    fake.put(7, "string", schemaType="AVRO")
    fake.put(8, {}, schemaType="JSON")
    found = registry(fake)
    assert await found.learn([7, 8, 7]) is None
    assert await found.learn([7, 8]) is None
    assert fake.asked == ["/schemas/ids/7", "/schemas/ids/8"]
    assert found.schemas[7](b"\x02a") == b'"a"'
    assert found.schemas[8](b"{}") == b"{}"


async def test_what_a_schema_refers_to_is_asked_for_too(fake: FakeRegistry) -> None:
    text = {"type": "record", "name": "Text", "fields": [{"name": "said", "type": "string"}]}
    note = {"type": "record", "name": "Note", "fields": [{"name": "text", "type": "Text"}]}
    whole = {"type": "record", "name": "Whole", "fields": [{"name": "note", "type": "Note"}]}
    fake.put(7, whole, references=[{"name": "Note", "subject": "notes/a", "version": 2}])
    below = [{"name": "Text", "subject": "texts", "version": 1}]
    fake.subjects = {
        ("notes/a", "2"): {"schema": json.dumps(note), "references": below},
        ("texts", "1"): {"schema": json.dumps(text)},
    }
    found = registry(fake)
    assert await found.learn([7]) is None
    assert found.schemas[7](b"\x02a") == b'{"note":{"text":{"said":"a"}}}'


async def test_a_schema_that_there_is_not_is_asked_for_thrice_and_then_known_to_be_none(fake: FakeRegistry) -> None:
    found = registry(fake)
    assert await found.learn([7]) is None
    assert 7 not in found.schemas
    assert len(fake.asked) == 3
    assert await found.learn([7, 7]) is None
    assert len(fake.asked) == 3


async def test_many_unknown_schemas_are_not_waited_for_one_by_one(fake: FakeRegistry) -> None:
    found = registry(fake)
    assert await found.learn(range(20)) is None
    assert len(fake.asked) == 3 + 19


async def test_the_list_of_unknown_schemas_has_a_bound(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SCHEMAS_LIMIT", 2)
    fake.put(1, "string")
    fake.put(2, "string")
    found = registry(fake)
    assert await found.learn([7, 8, 9]) is None
    assert await found.learn([1, 2]) is None
    assert await found.learn([3]) == Trouble("registry_nonsense", "more than 2 different schemas")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"schemaType": "PROTOBUF"}, "a type that is not read here"),
        (
            {"references": None, "schemaType": "AVRO", "schema": '{"type": "array", "items": "null"}'},
            "not read here: a list whose entries",
        ),
    ],
)
async def test_a_schema_that_is_not_read_here_is_a_reason_for_each_record(
    fake: FakeRegistry, more: dict[str, Any], words: str
) -> None:
    fake.schemas[7] = {"schema": '"string"', **more}
    found = registry(fake)
    assert await found.learn([7]) is None
    end = found.schemas[7](b"x")
    assert isinstance(end, Undecodable)
    assert words in end.detail


TROUBLED: dict[str, tuple[Mood, str]] = {
    "a page": (answering(200, "<html>", "text/html"), "registry_nonsense"),
    "not found by a proxy": (answering(404, "not here", "text/plain"), "registry_nonsense"),
    "another code": (answering(404, '{"error_code": 40401}'), "registry_nonsense"),
    "a list": (answering(200, "[]"), "registry_nonsense"),
    "no schema": (answering(200, "{}"), "registry_nonsense"),
    "a number": (answering(200, '{"schema": 7}'), "registry_nonsense"),
    "no Avro": (answering(200, '{"schema": "{}"}'), "registry_nonsense"),
    "deep": (answering(200, "[" * 100_000), "registry_nonsense"),
    "too large": (answering(200, '{"schema": "' + "x" * (1024 * 1024) + '"}'), "registry_nonsense"),
    "elsewhere": (answering(302, ""), "registry_nonsense"),
    "odd references": (answering(200, '{"schema": "int", "references": [{}]}'), "registry_nonsense"),
    "denied": (answering(401, "{}"), "registry_denied"),
    "forbidden": (answering(403, "{}"), "registry_denied"),
    "broken": (answering(500, "{}"), "registry_unreachable"),
    "busy": (answering(429, "{}"), "registry_unreachable"),
}


@pytest.mark.parametrize("name", TROUBLED)
async def test_whatever_makes_no_sense_is_trouble_and_nothing_is_learnt(fake: FakeRegistry, name: str) -> None:
    fake.mood, reason = TROUBLED[name]
    found = registry(fake)
    trouble = await found.learn([7])
    assert isinstance(trouble, Trouble)
    assert trouble.reason == reason
    assert 7 not in found.schemas


async def test_a_reference_to_nothing_and_a_circle_are_nonsense(fake: FakeRegistry) -> None:
    fake.put(7, "Text", references=[{"name": "Text", "subject": "texts", "version": 1}])
    assert (await registry(fake).learn([7]) or Trouble("")).reason == "registry_nonsense"
    circle = [{"name": "Text", "subject": "texts", "version": 1}]
    fake.subjects[("texts", "1")] = {"schema": '"Text"', "references": circle}
    assert (await registry(fake).learn([7]) or Trouble("")).reason == "registry_nonsense"


async def test_references_without_end_are_nonsense(fake: FakeRegistry) -> None:
    for number in range(40):
        more = [{"name": "x", "subject": "s", "version": number + 1}]
        fake.subjects[("s", str(number))] = {"schema": '"int"', "references": more}
    fake.put(7, "int", references=[{"name": "x", "subject": "s", "version": 0}])
    trouble = await registry(fake).learn([7])
    assert trouble == Trouble("registry_nonsense", "more than 32 references")


async def test_a_registry_that_is_down_is_trouble_for_some_seconds_and_then_asked_again(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(7, EVENT_SCHEMA)
    found = registry(fake)
    await fake.down()
    trouble = await found.learn([7])
    assert trouble is not None
    assert trouble.reason == "registry_unreachable"
    await fake.up()
    assert await found.learn([7]) == trouble
    assert fake.asked == []
    monkeypatch.setattr(found, "_failed", None)
    assert await found.learn([7]) is None


async def test_a_registry_that_hangs_has_a_deadline(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "TOTAL_SECONDS", 0.2)
    fake.mood = hanging
    trouble = await registry(fake).learn([7])
    assert trouble is not None
    assert trouble.reason == "registry_unreachable"


async def test_the_registry_is_told_who_we_are(fake: FakeRegistry) -> None:
    fake.put(7, "string")
    assert await registry(fake, username="lane", password=lambda: "geheim").learn([7]) is None
    assert fake.authorization == ["Basic bGFuZTpnZWhlaW0="]
    unread = registry(fake, username="lane", password=lambda: Trouble("other", "no file"))
    assert await unread.learn([8]) == Trouble("registry_denied", "no file")


async def test_a_ca_that_cannot_be_read_is_trouble() -> None:
    found = Registry(RegistrySettings("https://127.0.0.1:1", ca_file="/nowhere/ca.pem"))
    assert await found.learn([7]) == Trouble("registry_unreachable", "the CA's file cannot be read")


async def test_lanes_that_ask_at_once_ask_together(fake: FakeRegistry) -> None:
    fake.put(7, EVENT_SCHEMA)
    found = registry(fake)
    assert await asyncio.gather(*(found.learn([7]) for _ in range(5))) == [None] * 5
    assert len(fake.asked) == 1
    assert isinstance(found.schemas[7](avro("string", "x")), Undecodable)
