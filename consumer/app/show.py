"""The configuration told back: what is in force and where each value came from, and the JSON Schema for editors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from consumer.app.config import Config
from consumer.app.masking import masked
from consumer.app.setup import Setup
from consumer.core.document import Path
from consumer.core.secrets import SecretRef
from consumer.sinks.base import providers

STARS = "********"


@dataclass(frozen=True, slots=True)
class Value:
    """One setting: its place, its value as it would be written, and where it came from."""

    name: str
    value: str
    origin: str


def settings_of(setup: Setup) -> list[Value]:
    """Every setting that is in force. Secrets are stars; recipients are masked."""
    leaves = dict(_leaves(setup.config, ()))
    for lane, account in setup.accounts.items():
        del leaves["lanes", lane, "provider"]
        leaves |= dict(_leaves(account, ("lanes", lane, "provider")))
    found = [Value(".".join(map(str, path)), value, _origin(setup, path)) for path, value in leaves.items()]
    return sorted(found, key=lambda each: each.name)


def _leaves(model: BaseModel, path: Path) -> Iterator[tuple[Path, str]]:
    written = _written(model)
    for name in type(model).model_fields:
        yield from _leaf(getattr(model, name), written.get(name), (*path, name))


def _written(model: BaseModel) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json")
    return dumped


def _leaf(value: Any, written: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, SecretRef):
        yield path, f"{STARS} from {value.where}"
    elif isinstance(value, BaseModel):
        yield from _leaves(value, path)
    elif isinstance(value, Mapping) and any(isinstance(below, BaseModel) for below in value.values()):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif path[-1] == "allow_list":
        yield path, _spelt([masked(recipient) for recipient in value])
    else:
        yield path, _spelt(written)


def _spelt(written: Any) -> str:
    return written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)


def _origin(setup: Setup, path: Path) -> str:
    variable = setup.overridden.origins.get(path)
    if variable is not None:
        return f"environment {variable}"
    tree = setup.overridden.tree
    line = tree.lines.get(path)
    return f"{tree.file}:{line}" if line is not None else "default"


# --- schema -----------------------------------------------------------------------------------------------------------


class Written(GenerateJsonSchema):
    """Defaults as people write them: a duration in "12h", not in seconds."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("type") == "string" and isinstance(made.get("default"), int | float):
            inner: CoreSchema = schema["schema"]
            while "serialization" not in inner and "schema" in inner:
                inner = inner["schema"]
            function = inner.get("serialization", {}).get("function")
            made["default"] = function(made["default"])
        return made


def config_schema() -> dict[str, Any]:
    """JSON Schema of `vestnik.yaml`, with each provider's own part."""
    models: list[Any] = [("config", "validation", TypeAdapter(Config))]
    models += [(name, "validation", TypeAdapter(provider.config)) for name, provider in sorted(providers().items())]
    found, definitions = TypeAdapter.json_schemas(models, schema_generator=Written)
    whole = found["config", "validation"]
    defs = definitions["$defs"]
    defs["LaneConfig"]["properties"]["provider"] = {
        "description": "type, and what that provider needs",
        "oneOf": [found[name, "validation"] for name in sorted(providers())],
    }
    root = defs.get(whole["$ref"].rpartition("/")[2], whole) if "$ref" in whole else whole
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "title": "vestnik.yaml", "$defs": defs}
