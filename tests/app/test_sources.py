"""What the configuration says of its sources reaches the lanes: the registry stands before them, files are read."""

from pathlib import Path

import pytest

from consumer.app.setup import Setup, load_setup
from consumer.app.sources import Sources
from consumer.core.model import Position, Record
from consumer.streams.memory import MemoryBroker, MemorySource
from consumer.streams.prepared import PreparedSource
from tests.app.support import CONFIG, ENVIRON, problems_of, setup_of, write
from tests.streams.registries import EVENT_SCHEMA, framed, registry_server

REGISTRY = "registry: {{url: '{url}', user: lane, password: {{env: IMSHOP_KEY}}}}\n"


def _source() -> MemorySource:
    return MemorySource(MemoryBroker(lambda: 0.0), "vestnik.app-push", ["shop.orders"])


def _record(value: bytes) -> Record:
    return Record(Position("shop.orders", 0, 0), 0.0, None, value)


def test_without_a_registry_a_source_stands_alone(tmp_path: Path) -> None:
    sources, source = setup_of(tmp_path).sources, _source()
    assert sources.prepared(source, "") is source
    assert Sources().registry is None
    assert Sources().formats.read(_record(b"{"), 100).event is not None


async def test_with_a_registry_a_record_waits_for_its_schema_whoever_reads_it(tmp_path: Path) -> None:
    async with registry_server() as fake:
        fake.put(7, EVENT_SCHEMA)
        sources = setup_of(tmp_path, CONFIG + REGISTRY.format(url=fake.url)).sources
        assert isinstance(sources.prepared(_source(), ""), PreparedSource)
        record = _record(framed(7, b""))
        assert sources.formats.wanted_schema(record) == 7
        assert await sources.learn([record, _record(b"{}")]) is None
        assert sources.formats.wanted_schema(record) is None
        assert fake.authorization == ["Basic bGFuZTpjYW5hcnktb2YtaW1zaG9w"]
        assert await sources.learn([record]) is None
    assert await setup_of(tmp_path).sources.learn([record]) is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("registry: {url: 'http://registry:8081'}\n", "plain http"),
        ("registry: {url: 'https://registry', user: x}\n", "a user goes with a password"),
        ("registry: {url: 'https://registry', password: {env: X}}\n", "a user goes with a password"),
        ("sources: {shop.orders: {mapping: mappings/none.yaml}}\n", 'there is no mapping "mappings/none.yaml"'),
        ("sources: {shop.other: {format: json}}\n", '"shop.other" is not one of topics.sources'),
        ("own_events: [none]\n", '"none" is neither a schema file nor a folder with any'),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, more: str, words: str) -> None:
    assert any(words in line for line in problems_of(tmp_path, CONFIG + more))


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG + "own_events: events\nsources: {shop.orders: {mapping: large.yaml}}\n")
    events = tmp_path / "events"
    events.mkdir()
    (events / "bytes.yaml").write_bytes(b"\xff\xfe")
    (events / "large.json").write_text(" " * 300_000)
    (events / "notes.txt").write_text("not read")
    (tmp_path / "large.yaml").write_text("#" * 300_000)
    found = load_setup(path, ENVIRON)
    assert not isinstance(found, Setup)
    said = "\n".join(map(str, found))
    assert "bytes.yaml:1: this is not a text in UTF-8" in said
    assert "large.json:1: larger than 262144 bytes" in said
    assert "large.yaml larger than 262144 bytes" in said
    assert "notes.txt" not in said
