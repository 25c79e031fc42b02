"""What a former schema took the present one takes too, or a chain of upcasters leads from it to the present."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.core.event_types import SHIPPED
from schemas.envelope import Event
from schemas.events import EVENT_TYPES
from schemas.upcasters import UPCASTERS, current_version
from tests.core.planning import bonus, order

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "previous"
LIMIT = 256 * 1024
FORMER = [(int(path.parent.name), path.stem) for path in sorted(FOLDER.glob("*/*.json"))]
# Words that make a schema narrower when they come, or when their value grows (or shrinks).
_GROWING = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_SHRINKING = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_FIXED = ("pattern", "format")

Schema = dict[str, Any]


def former(version: int, name: str) -> Schema:
    found: Schema = json.loads((FOLDER / str(version) / f"{name}.json").read_text("utf-8"))
    return found


def breaks(old: Schema, new: Schema) -> list[str]:
    """What the new schema refuses of what the old one took, each with its place."""
    return list(_breaks((old, old), (new, new), "event"))


def _resolved(part: Schema, root: Schema) -> Schema:
    while "$ref" in part:
        part = root["$defs"][part["$ref"].rpartition("/")[2]]
    return part


def _options(part: Schema, root: Schema) -> list[Schema]:
    part = _resolved(part, root)
    return [_resolved(each, root) for each in part["anyOf"]] if "anyOf" in part else [part]


def _breaks(old: tuple[Schema, Schema], new: tuple[Schema, Schema], place: str) -> Iterator[str]:
    """Each pair is a part and the whole that its references lead into."""
    for option in _options(*old):
        ways = [list(_narrower((option, old[1]), (each, new[1]), place)) for each in _options(*new)]
        if all(ways):
            yield from min(ways, key=len)


def _narrower(old: tuple[Schema, Schema], new: tuple[Schema, Schema], place: str) -> Iterator[str]:
    before, after = old[0], new[0]
    if before.get("type") != after.get("type"):
        yield f"{place}: type {before.get('type')} is {after.get('type')}"
        return
    for word in _GROWING + _SHRINKING:
        was, now = before.get(word), after.get(word)
        grows = word in _GROWING
        if now is not None and (was is None or (now > was if grows else now < was)):
            yield f"{place}: {word} {was} is {now}"
    yield from (f"{place}: another {word}" for word in _FIXED if after.get(word) not in (None, before.get(word)))
    took = {json.dumps(each) for each in before.get("enum", [before["const"]] if "const" in before else [])}
    takes = {json.dumps(each) for each in after.get("enum", [after["const"]] if "const" in after else [])}
    if takes and not (took and took <= takes):
        yield f"{place}: fewer values"
    demanded = set(after.get("required", ())) - set(before.get("required", ()))
    yield from (f"{place}.{name}: must be there" for name in sorted(demanded))
    for name, part in after.get("properties", {}).items():
        if name in before.get("properties", {}):
            yield from _breaks((before["properties"][name], old[1]), (part, new[1]), f"{place}.{name}")
    if "items" in before and "items" in after:
        yield from _breaks((before["items"], old[1]), (after["items"], new[1]), f"{place}[]")


@pytest.mark.parametrize(("version", "name"), FORMER)
def test_a_former_schemas_events_are_still_events(version: int, name: str) -> None:
    assert name in EVENT_TYPES, "an event that was published once is read for ever"
    current = current_version(EVENT_TYPES[name])
    if version == current:
        assert breaks(former(version, name), EVENT_TYPES[name].model_json_schema()) == []
    else:
        assert all((name, step) in UPCASTERS for step in range(version, current))


def test_the_schemas_of_every_version_are_kept() -> None:
    wanted = {
        (version, name) for name, model in EVENT_TYPES.items() for version in range(1, current_version(model) + 1)
    }
    assert set(FORMER) >= wanted


@pytest.mark.parametrize(("version", "name"), FORMER)
def test_an_event_of_a_former_version_is_read_as_the_present_one(version: int, name: str) -> None:
    made = (order if name.startswith("order.") else bonus)(type=name, version=version)
    found = SHIPPED.decode(json.dumps(made).encode(), LIMIT)
    assert isinstance(found, Event), found
    assert found.version == current_version(type(found))


def _order() -> Schema:
    return EVENT_TYPES["order.paid"].model_json_schema()


def _changed(*path: str, **words: Any) -> Schema:
    schema = copy.deepcopy(_order())
    part = schema
    for step in path:
        part = part[step]
    part.update(words)
    return schema


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (_changed("$defs", "Order", required=["id", "total"]), "event.order.total: must be there"),
        (_changed("$defs", "Order", "properties", "id", maxLength=10), "event.order.id: maxLength 128 is 10"),
        (_changed("$defs", "Order", "properties", "id", minLength=2), "event.order.id: minLength 1 is 2"),
        (_changed("$defs", "Order", "properties", "id", type="integer"), "event.order.id: type string is integer"),
        (_changed("$defs", "Order", "properties", "id", pattern="^[0-9]+$"), "event.order.id: another pattern"),
        (_changed("$defs", "Order", "properties", "id", enum=["a"]), "event.order.id: fewer values"),
        (_changed("properties", "type", const="order.payed"), "event.type: fewer values"),
        (_changed("$defs", "Order", "properties", "status", anyOf=[{"type": "null"}]), "event.order.status: type"),
    ],
)
def test_a_change_that_would_refuse_former_events_is_found(changed: Schema, words: str) -> None:
    assert any(line.startswith(words) for line in breaks(_order(), changed)), breaks(_order(), changed)


def test_a_change_that_takes_more_is_none() -> None:
    assert breaks(_order(), _changed("properties", gift={"type": "boolean"})) == []
    assert breaks(_order(), _changed("$defs", "Order", "properties", "id", maxLength=500)) == []
    assert breaks(_order(), _order()) == []
