"""Writes the contract with publishers as an AsyncAPI 3 document, `schemas/asyncapi.yaml`: run it with `python -m`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from schemas.bonus import BONUS_EVENTS
from schemas.envelope import Event
from schemas.order import ORDER_EVENTS

VERSION = "1.0.0"
FILE = Path(__file__).resolve().parent.parent / "schemas" / "asyncapi.yaml"
_HEAD = "# Made by `python -m scripts.asyncapi`; a test keeps it fresh.\n"
_CHANNELS = (
    ("orders", "shop.orders", "Events of orders, from their creation to a refund.", ORDER_EVENTS),
    ("bonuses", "shop.bonuses", "Events of bonus accounts.", BONUS_EVENTS),
)


def document() -> str:
    """The document as YAML."""
    return _HEAD + yaml.safe_dump(_document(), sort_keys=False, allow_unicode=True, width=120)


def _document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events that Vestnik reads",
            "version": VERSION,
            "description": "What a shop publishes so that its customers are told. The key of each record is the "
            "customer's id, so that the events of one customer stay in order. Unknown fields are passed over.",
            "license": {"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(address, about, models) for name, address, about, models in _CHANNELS},
        "operations": {f"read-{name}": _operation(name, models) for name, _, _, models in _CHANNELS},
        "components": {
            "messages": {_type(model): _message(model) for *_, models in _CHANNELS for model in models},
            "schemas": dict(_schemas()),
        },
    }


def _type(model: type[Event]) -> str:
    return str(model.model_fields["type"].annotation.__args__[0])  # type: ignore[union-attr]


def _channel(address: str, about: str, models: tuple[type[Event], ...]) -> dict[str, Any]:
    messages = {_type(model): {"$ref": f"#/components/messages/{_type(model)}"} for model in models}
    return {"address": address, "description": about, "messages": messages}


def _operation(channel: str, models: tuple[type[Event], ...]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{_type(model)}"} for model in models]
    return {"action": "receive", "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}


def _message(model: type[Event]) -> dict[str, Any]:
    name = _type(model)
    return {
        "name": name,
        "title": name.replace(".", " ").replace("_", " "),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _schemas() -> Iterator[tuple[str, Any]]:
    """Every model once; what pydantic keeps beside a model stands beside it here too."""
    told: dict[str, Any] = {}
    for *_, models in _CHANNELS:
        for model in models:
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            told |= schema.pop("$defs", {}) | {model.__name__: schema}
    # Texts alone, so that YAML needs no anchors for parts that several share.
    yield from sorted(json.loads(json.dumps(told)).items())


if __name__ == "__main__":
    FILE.write_text(document(), "utf-8")
