"""The AsyncAPI document says what the models say, and is one."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic_asyncapi.v3 import AsyncAPI

from schemas.events import EVENT_TYPES
from scripts.asyncapi import FILE, document

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "consumer" / "catalogue" / "examples").glob("*.json"))
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))


def test_it_is_fresh() -> None:
    """`make references` writes it."""
    assert FILE.read_text("utf-8") == document()


def test_it_is_asyncapi_3_and_names_every_event() -> None:
    read = AsyncAPI.model_validate(DOCUMENT)
    assert read.components is not None
    assert set(read.components.messages or {}) == set(EVENT_TYPES)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert isinstance(found, dict), reference


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_of_the_catalogue_is_a_message_of_it(path: Path) -> None:
    event = json.loads(path.read_text("utf-8"))
    message = DOCUMENT["components"]["messages"][event["type"]]
    schema = {"$ref": message["payload"]["$ref"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(event)
