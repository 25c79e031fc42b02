"""JSON Schema of a route file for editors: events, lanes and the fields of each event are offered while one writes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, TypeAdapter

from consumer.app.show import Written
from consumer.core.fields import SURROUNDINGS, kinds, parts_of
from consumer.core.routes import Route
from schemas.envelope import Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# How an author would write a field of a kind in a text, the most usual first.
_FILTERS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (datetime, ("day", "date", "time", "relative_day")),
    (date, ("day", "date", "relative_day")),
    (Decimal, ("money", "number")),
    (int, ("plural('one', 'few', 'many')", "number")),
)
_PEOPLE = ("_id", "_ids", ".id", ".phone")
_TEXTS = ("title", "text", "link", "image")


def routes_schema(models: Mapping[str, type[Event]], lanes: Sequence[str] = ()) -> dict[str, Any]:
    """JSON Schema of a route file where there are these events and, if any are named, these lanes."""
    made = TypeAdapter(list[Route]).json_schema(schema_generator=Written)
    route = made["$defs"]["Route"]
    route["properties"]["on"] = {
        "description": route["properties"]["on"].get("description", ""),
        "anyOf": [{"enum": sorted(models)}, {"type": "array", "minItems": 1, "items": {"enum": sorted(models)}}],
    }
    if lanes:
        route["properties"]["lane"] = _offered(sorted(lanes))
    route["allOf"] = []
    for number, (names, types) in enumerate(_alike(models)):
        made["$defs"][f"Wording{number}"] = {"properties": dict.fromkeys(_TEXTS, _offered(list(_written(names))))}
        route["allOf"].append({"if": _is_on(types), "then": {"properties": _offers(names, number)}})
    return {"$schema": DIALECT, "title": "routes", **made}


def _offered(values: Sequence[str]) -> dict[str, Any]:
    """Any text, of which an editor offers these."""
    return {"anyOf": [{"type": ["string", "null"]}, {"enum": list(values)}]}


def _is_on(types: Sequence[str]) -> dict[str, Any]:
    one = {"enum": list(types)}
    return {"required": ["on"], "properties": {"on": {"anyOf": [one, {"type": "array", "items": one}]}}}


def _offers(names: Mapping[str, type], number: int) -> dict[str, Any]:
    wording = {"$ref": f"#/$defs/Wording{number}"}
    ladder = {"items": wording}
    paths = [name if name.startswith("event.") else f"event.{name}" for name in names]
    return {
        "when": _offered([path for path, kind in zip(paths, names.values(), strict=True) if issubclass(kind, bool)]),
        "to": _offered(["event.customer", *(path for path in paths if path.endswith(_PEOPLE))]),
        "thread": _offered([path for path in paths if path.endswith(("_id", ".id"))]),
        "wordings": {"if": {"type": "array"}, "then": ladder, "else": {"additionalProperties": ladder}},
    }


def _written(names: Mapping[str, type]) -> Iterator[str]:
    """Each field as it stands in a text."""
    for name, kind in names.items():
        filters = next((each for above, each in _FILTERS if issubclass(kind, above)), ())
        if not issubclass(kind, bool | tuple):
            yield from (f"{{{{ {name} | {each} }}}}" for each in filters) if filters else (f"{{{{ {name} }}}}",)
    yield from (f"{{{{ {part}.{key} }}}}" for part, keys in SURROUNDINGS.items() for key in keys)


# --- fields of events -------------------------------------------------------------------------------------------------


def _alike(models: Mapping[str, type[Event]]) -> Iterator[tuple[Mapping[str, type], list[str]]]:
    """The fields of events, and the types that have just these."""
    found: dict[tuple[tuple[str, type], ...], list[str]] = {}
    for name, model in sorted(models.items()):
        found.setdefault(tuple(field_names(model).items()), []).append(name)
    return ((dict(fields), types) for fields, types in found.items())


def field_names(model: type[Event]) -> dict[str, type]:
    """Every field of an event as a template names it, with its type: order.delivery.title, event.occurred_at."""
    parts = parts_of(model)
    leaves = ((path if path[0] in parts else ("event", *path), kind) for path, kind in _leaves(model, ()))
    return {".".join(path): kind for path, kind in leaves}


def _leaves(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type]]:
    for name, info in model.model_fields.items():
        for kind in kinds(info.annotation):
            if issubclass(kind, BaseModel):
                yield from _leaves(kind, (*above, name))
            else:
                yield (*above, name), kind
