"""What the configuration says of its sources, read from its files: own event types, mappings, the schema registry."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.app.config import Config
from consumer.app.secrets import SecretReader
from consumer.core.decode import Undecodable
from consumer.core.document import Path as Place
from consumer.core.document import Problem, Tree, locate
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.formats import Format, Formats, SourceFormat, Translate
from consumer.core.mapping_check import LoadedMapping, MappingText, examples_of, read_mapping
from consumer.core.model import Ignored, Record, Trouble
from consumer.core.own_events import SchemaText, read_own_events
from consumer.core.own_events import examples_of as own_examples_of
from consumer.core.secrets import SecretRef
from consumer.core.templates import nearest

if TYPE_CHECKING:
    from consumer.core.ports import Source
    from consumer.streams.registry import Registry

EXAMPLE_BYTES = 1024 * 1024
FILE_BYTES = 256 * 1024
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Sources:
    """The sources of a configuration without mistakes. `translators` are by topic."""

    config: Config | None = None
    types: EventTypes = SHIPPED
    translators: Mapping[str, Translate] = field(default_factory=dict)
    base: Path = Path()
    read_secret: SecretReader | None = field(default=None, repr=False)

    @cached_property
    def registry(self) -> "Registry | None":
        """The schema registry, one for all lanes; None where none is configured."""
        if self.config is None or self.config.registry is None:
            return None
        # Here, for `check` and `preview` ask nobody and the import is slow.
        from consumer.streams.registry import Registry, RegistrySettings  # noqa: PLC0415

        said = self.config.registry
        ca_file = None if said.ca is None else str(self.base / said.ca)
        return Registry(RegistrySettings(said.url, said.user, self._password(said.password), ca_file))

    def _password(self, ref: SecretRef | None) -> "ReadSecret | None":
        reader = self.read_secret
        return None if ref is None or reader is None else lambda: reader(ref)

    @cached_property
    def formats(self) -> Formats:
        """How the records of every source become events."""
        if self.config is None:
            return Formats(types=self.types)
        schemas = None if self.registry is None else self.registry.schemas
        made = {}
        for topic in self.config.topics.sources:
            said = self.config.sources.get(topic)
            kind, prefix = (Format.AUTO, "") if said is None else (said.format, said.type_prefix)
            made[topic] = SourceFormat(kind, prefix, schemas, self.translators.get(topic))
        return Formats(made, self.types)

    def prepared(self, source: "Source", backfill: str) -> "Source":
        """The source behind the registry, where there is one: a record waits for its schema."""
        if self.registry is None:
            return source
        from consumer.core.backfill import original_of  # noqa: PLC0415
        from consumer.streams.prepared import PreparedSource  # noqa: PLC0415

        def wanted(record: Record) -> int | None:
            return self.formats.wanted_schema(original_of(record, backfill))

        return PreparedSource(source, wanted, self.registry)

    async def learn(self, records: Sequence[Record]) -> Trouble | None:
        """Ask the registry for what these records, as they first stood, need; for commands, which have no lane."""
        if self.registry is None:
            return None
        numbers = [number for record in records if (number := self.formats.wanted_schema(record)) is not None]
        return await self.registry.learn(numbers) if numbers else None


if TYPE_CHECKING:
    from consumer.streams.settings import ReadPassword as ReadSecret


# --- reading the files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """A configuration's own event types and mappings as far as they are right, and every mistake in them."""

    types: EventTypes
    translators: Mapping[str, Translate]
    problems: list[Problem]


def read_types(tree: Tree, base: Path) -> tuple[EventTypes, list[Problem]]:
    """The events that there are. What is no list of names is told by the configuration's model."""
    texts, problems = _schema_texts(tree, base)
    models = read_own_events(texts)
    if isinstance(models, list):
        return SHIPPED, [*problems, *models]
    types = EventTypes(models)
    return types, [*problems, *_example_problems(texts, types)]


def own_examples(tree: Tree, base: Path) -> list[Any]:
    """The documents that a configuration's own schema files give as examples."""
    texts, _ = _schema_texts(tree, base)
    return [json.loads(value) for source in texts for _, value in own_examples_of(source)]


def _schema_texts(tree: Tree, base: Path) -> tuple[list[SchemaText], list[Problem]]:
    """The schema files that `own_events` names, and what kept others from being read."""
    said = tree.data.get("own_events", []) if isinstance(tree.data, dict) else []
    names = [name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)]
    texts: list[SchemaText] = []
    problems: list[Problem] = []
    for index, name in enumerate(names):
        found = list(_files(base / name))
        if not found:
            what = f'"{name}" is neither a schema file nor a folder with any'
            problems.append(Problem(tree.file, locate(tree, ("own_events", index)), what))
        for file in found:
            text = _text(file)
            if isinstance(text, Problem):
                problems.append(text)
            else:
                texts.append(SchemaText(str(file), text))
    return texts, problems


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        found = (each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
        # Kubernetes mounts a ConfigMap's files twice, once in a folder whose name begins with a dot.
        yield from sorted(each for each in found if not any(p.startswith(".") for p in each.relative_to(path).parts))


def _text(file: Path) -> str | Problem:
    try:
        if file.stat().st_size > FILE_BYTES:
            return Problem(str(file), 1, f"larger than {FILE_BYTES} bytes")
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        return Problem(str(file), 1, "this is not a text in UTF-8")
    except OSError as error:
        return Problem(str(file), 1, f"cannot be read: {error.strerror}")


def _example_problems(texts: Sequence[SchemaText], types: EventTypes) -> Iterator[Problem]:
    """Examples in schema files that are no events of theirs."""
    for source in texts:
        for line, value in own_examples_of(source):
            made = types.decode(value, EXAMPLE_BYTES)
            if isinstance(made, Undecodable | Ignored):
                detail = made.detail if isinstance(made, Undecodable) else made.reason
                yield Problem(source.file, line, f"this example is no such event: {detail}")


def read_mappings(tree: Tree, config: Config, types: EventTypes, base: Path) -> SourceFiles:
    """The mappings that sources name."""
    translators: dict[str, Translate] = {}
    problems: list[Problem] = []
    for topic, said in config.sources.items():
        if said.mapping is None:
            continue
        read = _mapping(said.mapping, base)
        if isinstance(read, str):
            place: Place = ("sources", topic, "mapping")
            problems.append(Problem(tree.file, locate(tree, place), read, _shipped_advice(said.mapping)))
            continue
        loaded = read_mapping(read, types)
        if isinstance(loaded, LoadedMapping):
            translators[topic] = loaded.translate
        else:
            problems += loaded
    return SourceFiles(types, translators, problems)


def _mapping(name: str, base: Path) -> MappingText | str:
    """A mapping's file by its path or, without a point in it, by the name under which Vestnik brings it."""
    path = base / name if _is_path(name) else _shipped() / f"{name}.yaml"
    if not path.is_file():
        return f'there is no mapping "{name}"'
    text = _text(path)
    if isinstance(text, Problem):
        return f"{path} {text.what}"
    found = {}
    for example in examples_of(text):
        beside = path.parent / example
        if beside.is_file() and beside.stat().st_size <= EXAMPLE_BYTES:
            found[example] = beside.read_bytes()
    return MappingText(str(path), text, found)


def _is_path(name: str) -> bool:
    return "." in name or "/" in name


def _shipped() -> Path:
    return Path(str(files("consumer.catalogue"))) / "mappings"


def shipped_mappings() -> list[str]:
    """The names of the mappings that Vestnik brings."""
    return sorted(each.stem for each in _shipped().glob("*.yaml"))


def _shipped_advice(name: str) -> str:
    return "" if _is_path(name) else nearest(name, shipped_mappings())


def source_problems(tree: Tree, config: Config) -> Iterator[Problem]:
    """Sources that are none, and a registry without what reads its schemas."""
    for topic in config.sources:
        if topic not in config.topics.sources:
            what, mend = f'"{topic}" is not one of topics.sources', nearest(topic, list(config.topics.sources))
            yield Problem(tree.file, locate(tree, ("sources", topic)), what, mend)
    if config.registry is not None:
        from consumer.streams.avro import installed  # noqa: PLC0415

        if not installed():
            what = "a schema registry needs what reads Avro"
            yield Problem(tree.file, locate(tree, ("registry",)), what, "pip install 'vestnik[avro]'")
