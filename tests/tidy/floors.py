"""Who may import whom: floors, siblings, third parties, private names and circles."""

from collections.abc import Iterator, Mapping, Sequence

from tests.tidy.source import Source, room_of

BELOW: Mapping[str, frozenset[str]] = {
    "schemas": frozenset(),
    "consumer": frozenset(),
    "consumer.catalogue": frozenset({"schemas", "consumer.core"}),
    "consumer.core": frozenset({"schemas"}),
    "consumer.sinks": frozenset({"schemas", "consumer", "consumer.core"}),
    "consumer.streams": frozenset({"schemas", "consumer", "consumer.core"}),
    "consumer.engine": frozenset({"schemas", "consumer", "consumer.core"}),
    "consumer.simulate": frozenset({"schemas", "consumer", "consumer.core", "consumer.streams", "consumer.engine"}),
}

# These two wire the house together, so they may know everyone.
KNOW_EVERYONE = frozenset({"consumer.app", "consumer.demo"})

# A library that stands for a part of the outside world belongs to the rooms that deal with that part.
OWNED: Mapping[str, frozenset[str]] = {
    "aiohttp": frozenset({"consumer.sinks", "consumer.streams", "consumer.app", "consumer.demo"}),
    "aiokafka": frozenset({"consumer.streams"}),
    "confluent_kafka": frozenset({"consumer.demo"}),
    "prometheus_client": frozenset({"consumer.app", "consumer.demo"}),
    "structlog": frozenset({"consumer.app"}),
    "rich": frozenset({"consumer.app", "consumer.demo", "consumer.simulate"}),
    "typer": frozenset({"consumer.app", "consumer.demo", "consumer.simulate"}),
}

# The two lowest floors say what they use at all.
ALLOWED: Mapping[str, frozenset[str]] = {
    "schemas": frozenset({"pydantic", "pydantic_core", "annotated_types"}),
    "consumer.core": frozenset(
        {"pydantic", "pydantic_core", "annotated_types", "yaml", "jinja2", "markupsafe", "babel", "jmespath"}
    ),
}


def floors(source: Source) -> Iterator[str]:
    """A room imports only from floors below; rooms on one floor are strangers."""
    if not source.is_product or source.room in KNOW_EVERYONE:
        return
    for line, module, _ in source.imports:
        room = room_of(module)
        ours = room.split(".", 1)[0] in ("consumer", "schemas", "tests", "scripts")
        if ours and room != source.room and room not in BELOW.get(source.room, frozenset()):
            yield f"{source.path}:{line}: {source.room} must not know {room}"


def product_knows_no_tests(source: Source) -> Iterator[str]:
    """What ships does not import what tests it."""
    for line, module, _ in source.imports:
        if source.is_product and room_of(module) in ("tests", "scripts"):
            yield f"{source.path}:{line}: {module} does not ship"


def third_parties(source: Source) -> Iterator[str]:
    """A library that stands for the outside world is imported only by the rooms that deal with it."""
    if not source.is_product:
        return
    for line, module, _ in source.imports:
        library = module.split(".", 1)[0]
        if source.room not in OWNED.get(library, frozenset({source.room})):
            yield f"{source.path}:{line}: {library} belongs to {', '.join(sorted(OWNED[library]))}"


def private_names(source: Source) -> Iterator[str]:
    """What begins with an underscore stays in its module."""
    if not source.is_product:
        return
    for line, module, name in source.imports:
        private = name.startswith("_") and not name.startswith("__")
        if private and room_of(module).split(".", 1)[0] in ("consumer", "schemas"):
            yield f"{source.path}:{line}: {module}.{name} is private"


def circles(sources: Sequence[Source]) -> Iterator[str]:
    """No module imports itself by way of others."""
    known = {source.module for source in sources}
    edges = {source.module: {target for target in _targets(source) if target in known} for source in sources}
    finished: set[str] = set()
    for start in sorted(edges):
        yield from _walk(start, edges, [], finished)


def _targets(source: Source) -> Iterator[str]:
    for _, module, name in source.run_time_imports:
        yield f"{module}.{name}"
        # `from package import module` is an edge to the module; its package's own file is run first and knows nobody.
        yield module


def _walk(module: str, edges: Mapping[str, set[str]], path: list[str], finished: set[str]) -> Iterator[str]:
    if module in path:
        yield "a circle of imports: " + " > ".join([*path[path.index(module) :], module])
        return
    if module in finished:
        return
    for target in sorted(edges[module] - {module}):
        yield from _walk(target, edges, [*path, module], finished)
    finished.add(module)
