"""The events that routes can be for, the routes that use each, and the fields of one, with values from examples."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from consumer.app.examples import sample_path
from consumer.app.setup import read_text, route_files
from consumer.app.sources import own_examples, read_types
from consumer.catalogue import catalogue_files
from consumer.core.document import Problem, Tree, read_tree
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.fields import kinds, parts_of
from consumer.core.routes import LoadedRoute, read_routes
from schemas.meanings import MEANINGS

EXAMPLE_BYTES = 1024 * 1024
# The first that a kind is; a moment is a date too, a choice a whole number.
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "yes or no"),
    (datetime, "moment"),
    (date, "date"),
    (Decimal, "amount"),
    (int, "whole number"),
    (float, "number"),
    (str, "text"),
    (tuple, "list"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """The events that a folder knows, its routes as far as they can be read, and what is wrong with its own events."""

    types: EventTypes = SHIPPED
    routes: tuple[LoadedRoute, ...] = ()
    examples: Sequence[Any] = ()
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One type of event: what it means, and the routes that are for it; `off` are those that are not enabled."""

    type: str
    meaning: str
    routes: list[str]
    off: list[str]
    own: bool


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field as a text names it. `example` is of the first example that has one, as JSON has it; `allowed` is
    empty where any value of the type is."""

    path: str
    type: str
    may_be_empty: bool
    example: Any = None
    allowed: list[Any] = field(default_factory=list)
    description: str = ""


def known_events(config: Path | None) -> Known | list[Problem]:
    """What a configuration knows, though its lanes or routes have mistakes; without one, what Vestnik brings."""
    shipped = [json.loads(text) for name, text in catalogue_files().items() if name.startswith("examples/")]
    if config is None:
        return Known(examples=shipped)
    text = read_text(config)
    tree = [text] if isinstance(text, Problem) else read_tree(text, str(config))
    if not isinstance(tree, Tree):
        return tree
    types, problems = read_types(tree, config.parent)
    reading = read_routes(route_files(tree, config.parent).texts, types)
    routes = (*reading.sound.routes, *reading.flawed)
    own = own_examples(tree, config.parent)
    return Known(types, routes, [*_examples_of(routes), *own, *shipped], problems)


def _examples_of(routes: Sequence[LoadedRoute]) -> Iterator[Any]:
    """The documents that routes name as examples; what cannot be read, `vestnik check` tells."""
    paths = {sample_path(loaded, each.event): None for loaded in routes for each in loaded.route.examples}
    for path in paths:
        try:
            if path.stat().st_size <= EXAMPLE_BYTES:
                yield json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue


def event_rows(known: Known) -> list[EventRow]:
    """Every type, those of Vestnik first, in the order of an order's life."""
    return [event_row(known, name) for name in known.types.models]


def event_row(known: Known, name: str) -> EventRow:
    """One type that is known."""
    own = name in known.types.own
    said = (known.types.models[name].__doc__ or "") if own else MEANINGS[name]
    using = [loaded.route for loaded in known.routes if name in loaded.route.types]
    on = [route.id for route in using if route.enabled]
    return EventRow(name, " ".join(said.split()), on, [route.id for route in using if not route.enabled], own)


def field_rows(known: Known, name: str) -> list[FieldRow]:
    """The fields of one type that is known: first what every event has, then the parts."""
    model = known.types.models[name]
    parts = parts_of(model)
    samples = [each for each in known.examples if isinstance(each, dict) and each.get("type") == name]
    return [_named(row, parts, samples) for row in _rows(model, (), may_be_empty=False)]


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: tuple[str, ...]
    annotation: Any
    may_be_empty: bool
    description: str


def _rows(model: type[BaseModel], above: tuple[str, ...], *, may_be_empty: bool) -> Iterator[_Leaf]:
    for name, info in model.model_fields.items():
        path = (*above, name)
        empty = may_be_empty or not info.is_required() or type(None) in _options(info.annotation)
        part = next((kind for kind in kinds(info.annotation) if issubclass(kind, BaseModel)), None)
        if part is not None:
            yield from _rows(part, path, may_be_empty=empty)
        else:
            yield _Leaf(path, info.annotation, empty, info.description or "")


def _named(leaf: _Leaf, parts: Sequence[str], samples: Sequence[Any]) -> FieldRow:
    path = leaf.path if leaf.path[0] in parts else ("event", *leaf.path)
    values = (_value(sample, leaf.path) for sample in samples)
    example = next((value for value in values if value not in (None, "", [])), None)
    allowed = [value for option in _options(leaf.annotation) for value in _choices(option)]
    return FieldRow(
        ".".join(path), _kind(leaf.annotation, allowed), leaf.may_be_empty, example, allowed, leaf.description
    )


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _options(annotation: Any) -> tuple[Any, ...]:
    """The parts of `A | None`, and what stands within marks."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(option for each in get_args(annotation) for option in _options(each))
    return (annotation,)


def _choices(option: Any) -> tuple[Any, ...]:
    return get_args(option) if get_origin(option) is Literal else ()


def _kind(annotation: Any, allowed: Sequence[Any]) -> str:
    found = next(kinds(annotation), type(allowed[0]) if allowed else str)
    return next(word for kind, word in _KINDS if issubclass(found, kind))
