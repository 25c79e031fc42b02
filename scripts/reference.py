"""Writes docs/reference/ from the models that read the configuration and the routes: `python -m scripts.reference`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from consumer.app.config import Config
from consumer.core.document import Problem, read_document
from consumer.core.routes import Route
from consumer.core.units import spell_bytes, spell_seconds
from consumer.sinks.base import Provider, SinkConfig, providers
from scripts.command_line import command_line

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- made by `python -m scripts.reference`; a test keeps it fresh -->"

Schema = Mapping[str, Any]


def documents() -> dict[str, str]:
    """The text of each file in docs/reference/, by its name."""
    return {
        "configuration.md": _page("Every key of the configuration", sections("vestnik.yaml", Config)),
        "providers.md": _page("Every key of a lane's `provider`", _providers()),
        "routes.md": _page("Every key of a route", sections("A route", Route)),
        "../command-line.md": _page("Every command", iter([command_line()])),
    }


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, "utf-8")


def _page(title: str, sections: Iterator[str]) -> str:
    return "\n\n".join([f"# {title}", MADE, *sections]) + "\n"


def _providers() -> Iterator[str]:
    told: set[str] = set()
    for name, provider in sorted(providers().items()):
        own, *models = sections(name, provider.config)
        yield "\n\n".join([own, *_abilities(provider), *_answers(provider)])
        yield from (section for section in models if section not in told)
        told.update(models)


def _abilities(provider: Provider[Any]) -> Iterator[str]:
    """An example, and what an account like that may do."""
    example = {"type": provider.name, **provider.example}
    limits = provider.limits(read_example(provider))
    quota, capacity, ceiling = limits.quota, limits.capacity, limits.ceiling
    kind = " (a leaky bucket)" if quota and quota.bucket else ""
    rows = [
        ("messages in a request", str(capacity.parcels)),
        ("recipients of each message", f"{capacity.recipients:,}"),
        ("requests", f"{quota.requests} in {spell_seconds(quota.per_seconds)}{kind}" if quota else "no limit known"),
        ("requests at a time", str(limits.in_flight)),
        ("people told", f"{ceiling.recipients:,} in {spell_seconds(ceiling.per_seconds)}" if ceiling else "no limit"),
        ("a request that is sent twice", "is executed once" if provider.idempotent else "may tell people twice"),
    ]
    yield "```yaml\n" + yaml.safe_dump(example, allow_unicode=True, sort_keys=False, width=110) + "```"
    yield "What such an account may do, where the lane does not say otherwise:"
    yield "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def read_example(provider: Provider[Any]) -> SinkConfig:
    """The provider's own example of a configuration."""
    text = yaml.safe_dump({"type": provider.name, **provider.example}, allow_unicode=True)
    read: SinkConfig | list[Problem] = read_document(text, f"{provider.name}.yaml", provider.config)
    if isinstance(read, list):
        raise TypeError("; ".join(map(str, read)))
    return read


def _answers(provider: Provider[Any]) -> Iterator[str]:
    if provider.answers:
        rows = [f"| {answer} | {verdict} |" for answer, verdict in provider.answers]
        yield "\n".join(["| answer | verdict |", "|---|---|", *rows])


def sections(title: str, model: type[BaseModel]) -> Iterator[str]:
    """The model's own table, then one for each model that it mentions, in the order in which they come."""
    whole = model.model_json_schema()
    schema = _with_enums(whole, whole.get("$defs", {}))
    yield _section(title, schema)
    for name in _mentioned(schema, schema.get("$defs", {})):
        yield _section(_spoken(name), schema["$defs"][name])


def _with_enums(node: Any, models: Mapping[str, Schema]) -> Any:
    """The schema with every closed list of words written where it is used."""
    if isinstance(node, list):
        return [_with_enums(value, models) for value in node]
    if not isinstance(node, dict):
        return node
    target = models.get(_target(node), {}) if "$ref" in node else {}
    if "enum" in target:
        return {"enum": target["enum"]} | {key: value for key, value in node.items() if key != "$ref"}
    return {key: _with_enums(value, models) for key, value in node.items()}


def _mentioned(schema: Schema, models: Mapping[str, Schema]) -> list[str]:
    found: list[str] = []
    waiting = [*_names(schema.get("properties", {}))]
    while waiting:
        name = waiting.pop(0)
        if name not in found and "properties" in models[name]:
            found.append(name)
            waiting = [*_names(models[name].get("properties", {})), *waiting]
    return found


def _names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield _target(node)
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def _target(node: Schema) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _spoken(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Config").removesuffix("Ref")).lower()


def _section(title: str, schema: Schema) -> str:
    needed = schema.get("required", [])
    rows = [_row(key, field, needed=key in needed) for key, field in schema.get("properties", {}).items()]
    head = ["| key | value | when left out | what it says |", "|---|---|---|---|"]
    said = " ".join(str(schema.get("description", "")).split())
    return "\n\n".join(part for part in (f"## {title}", said, "\n".join([*head, *rows])) if part)


def _row(key: str, field: Schema, *, needed: bool) -> str:
    default = "must be there" if needed else _default(field)
    said = " ".join(str(field.get("description", "")).split())
    return f"| `{key}` | {_kind(field)} | {default} | {said} |".replace("|  |", "| |").replace("|  |", "| |")


def _default(field: Schema) -> str:
    value = field.get("default")
    if isinstance(value, dict | list) or value is None or value == "":
        return ""
    return f"`{_spelled(value, field)}`"


def _spelled(value: object, field: Schema) -> str:
    unit = _unit(field)
    if unit == "duration" and isinstance(value, float | int):
        return spell_seconds(value)
    if unit == "size" and isinstance(value, int):
        return spell_bytes(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unit(field: Schema) -> str:
    examples = field.get("examples", [])
    return "duration" if "1h30m" in examples else "size" if "64KiB" in examples else ""


def _kind(field: Schema) -> str:
    """The kind of a value in words."""
    if unit := _unit(field):
        return unit
    if "$ref" in field:
        return _spoken(_target(field))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    return _composed(field)


def _composed(field: Schema) -> str:
    options = field.get("anyOf") or field.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_kind(option) for option in options if option.get("type") != "null"))
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"{_kind(field['additionalProperties'])} by name"
    kind = str(field.get("type", "anything"))
    return _KINDS.get(kind, kind)


_KINDS = {"string": "text", "boolean": "yes or no", "object": "keys of its own", "integer": "whole number"}


if __name__ == "__main__":
    write(FOLDER)
