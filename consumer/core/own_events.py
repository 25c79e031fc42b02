"""A shop's own event types: a schema file becomes a model that reads events as strictly as ours do.

The file is JSON Schema, or rather the part of it that says what a field is: types, what must be there, lengths, bounds,
enumerations, formats. A pydantic model is built of it, and not a validator run beside, so that everything else is as
for our own events: one strict parser, templates that know each field and its cardinality, `check` that finds a field
that there is not. What a schema says beyond that part is refused with its line and never passed over in silence.

`type` names the event (`const`), `version` its version; what stands in every event (`event_id`, `occurred_at`,
`source`, `shop`, `customer`) is as in ours, whatever the file says of it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, create_model
from pydantic_core import SchemaError

from consumer.core.document import Path, Problem, Tree, locate, read_tree
from consumer.core.templates import nearest
from schemas.envelope import Cardinality, Event, Moment, Money, Part
from schemas.events import EVENT_TYPES

FIELDS_LIMIT = 200
DEPTH_LIMIT = 8
TEXT_CHARACTERS = 4096
LIST_LIMIT = 1000
PATTERN_CHARACTERS = 256
ENUM_LIMIT = 1000

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ENVELOPE = tuple(Event.model_fields)
# What templates know beside the event.
_TAKEN = ("event", "lane", "timezone", "currency")
_SCALARS = ("string", "integer", "number", "boolean")
_FORMATS = ("date", "date-time", "money")
_NOTES = ("title", "description", "examples", "default", "$comment")
_TOP_WORDS = ("$schema", "$id", "type", "properties", "required", "additionalProperties", "x-subject", *_NOTES)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format", "enum", "const"),
    "integer": ("minimum", "maximum", "enum", "const"),
    "number": ("minimum", "maximum"),
    "boolean": (),
}
_EVERYWHERE = ("type", "x-cardinality", *_NOTES)
_VERSION_MOST = 1000


class OwnEvent(Event):
    """The base of a shop's own events. `SUBJECT` is the path of what the event is about."""

    SUBJECT: ClassVar[tuple[str, ...]] = ()

    @property
    def operation(self) -> tuple[str, str]:
        value: Any = self if self.SUBJECT else None
        for step in self.SUBJECT:
            value = getattr(value, step, None)
        return ("" if value is None else str(value)), ""


@dataclass(frozen=True, slots=True)
class SchemaText:
    """A schema file's name and text."""

    file: str
    text: str


def read_own_events(files: Sequence[SchemaText]) -> dict[str, type[Event]] | list[Problem]:
    """The models of all files by the names of their types, or everything that is wrong with them."""
    models: dict[str, type[Event]] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    for source in files:
        built = _built(source)
        if isinstance(built, list):
            problems += built
            continue
        name, model, line = built
        if name in models:
            problems.append(Problem(source.file, line, f'the event "{name}" stands twice', f"first in {origins[name]}"))
        models[name], origins[name] = model, source.file
    return sorted(set(problems)) or models


def _built(source: SchemaText) -> tuple[str, type[Event], int] | list[Problem]:
    tree = read_tree(source.text, source.file)
    if not isinstance(tree, Tree):
        return tree
    if not isinstance(tree.data, dict):
        return [Problem(source.file, 1, "a JSON Schema of an event is expected here", "type: object, properties: …")]
    building = _Building(tree)
    model = building.event()
    if model is None or building.problems:
        return sorted(set(building.problems))
    return building.name, model, locate(tree, ("properties", "type"))


@dataclass(slots=True)
class _Building:
    """One schema on its way to a model; what is wrong is gathered on the way."""

    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    fields: int = 0
    name: str = ""

    def say(self, path: Path, what: str, mend: str = "") -> None:
        self.problems.append(Problem(self.tree.file, locate(self.tree, path), what, mend))

    def event(self) -> type[Event] | None:
        schema = self.tree.data
        self._known_words(schema, (), _TOP_WORDS)
        properties = self._properties(schema, ())
        self.name = self._named(properties)
        version = self._version(properties)
        own = {name: part for name, part in properties.items() if name not in _ENVELOPE}
        for name in own:
            if name in _TAKEN or hasattr(Event, name):
                self.say(("properties", name), f'"{name}" has a meaning of its own here', "give the field another name")
        fields = self._fields(own, self._required(schema, (), [*properties, *_ENVELOPE]), ("properties",))
        if self.problems:
            return None
        return self._model(fields, version, own)

    def _model(self, fields: dict[str, Any], version: int, own: Mapping[str, Any]) -> type[Event]:
        kind: Any = Annotated[Literal[self.name], Cardinality.ONE_OF_N]
        number: Any = Annotated[int, Cardinality.ONE_OF_N]
        whole = {"type": (kind, ...), "version": (number, Field(ge=version, le=version)), **fields}
        said = next(
            (text for word in ("title", "description") if isinstance(text := self.tree.data.get(word), str)), ""
        )
        model: type[OwnEvent] = create_model(_class_name(self.name), __base__=OwnEvent, __doc__=said, **whole)
        model.SUBJECT = self._subject(own)
        model.PARTS = tuple(name for name, part in own.items() if part.get("type") == "object")
        return model

    # --- what the file says of itself ---------------------------------------------------------------------------------

    def _named(self, properties: Mapping[str, Any]) -> str:
        said = properties.get("type")
        name = said.get("const") if isinstance(said, dict) else None
        path: Path = ("properties", "type")
        if not isinstance(name, str):
            self.say(path, "the event has no name", "properties: {type: {const: cart.abandoned}}")
            return ""
        if not _TYPE_NAME.fullmatch(name) or len(name) > 64:
            self.say(
                path, f'"{name}" cannot be the name of an event', "two words or more with points, as cart.abandoned"
            )
        elif name in EVENT_TYPES:
            self.say(path, f'the event "{name}" is one of ours', "give yours another name")
        return name

    def _version(self, properties: Mapping[str, Any]) -> int:
        said = properties.get("version", {"const": 1})
        number = said.get("const") if isinstance(said, dict) else None
        if type(number) is not int or not 1 <= number <= _VERSION_MOST:
            self.say(("properties", "version"), "the version is a number from 1 on", "version: {const: 1}")
            return 1
        return number

    def _subject(self, own: Mapping[str, Any]) -> tuple[str, ...]:
        said = self.tree.data.get("x-subject")
        if said is None:
            return ()
        path = tuple(said.split(".")) if isinstance(said, str) else ()
        part: Any = {"properties": own}
        for step in path:
            part = part.get("properties", {}).get(step) if isinstance(part, dict) else None
        kind = _kinds(part.get("type")) if isinstance(part, dict) else ([], False)
        if kind[0] not in (["string"], ["integer"]):
            self.say(("x-subject",), "x-subject names no field with an id", "e.g. x-subject: cart.id")
        return path

    # --- fields -------------------------------------------------------------------------------------------------------

    def _known_words(self, schema: Mapping[str, Any], path: Path, known: Sequence[str]) -> None:
        for word in schema:
            if word not in known:
                self.say((*path, word), f'"{word}" is not read here', nearest(word, list(known)))

    def _properties(self, schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
        if schema.get("type") != "object":
            self.say((*path, "type"), "an event is an object", "type: object")
        found = schema.get("properties")
        if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
            self.say((*path, "properties"), "an object has properties, and each of them is a schema")
            return {}
        if schema.get("additionalProperties") is False:
            what = "fields that are not named are passed over in every event, and cannot be forbidden"
            self.say((*path, "additionalProperties"), what, "leave additionalProperties out")
        return found

    def _required(self, schema: Mapping[str, Any], path: Path, known: Sequence[str]) -> frozenset[str]:
        said = schema.get("required", [])
        if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
            self.say((*path, "required"), "required is a list of names")
            return frozenset()
        for index, name in enumerate(said):
            if name not in known:
                self.say((*path, "required", index), f'there is no field "{name}"', nearest(name, list(known)))
        return frozenset(said)

    def _fields(self, properties: Mapping[str, Any], required: frozenset[str], path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, schema in properties.items():
            here = (*path, name)
            self.fields += 1
            if self.fields == FIELDS_LIMIT + 1:
                self.say(here, f"more than {FIELDS_LIMIT} fields")
            if not _FIELD_NAME.fullmatch(name) or hasattr(Part, name):
                self.say(here, f'"{name}" cannot be the name of a field', "use small letters, digits and underscores")
                continue
            annotation = self._annotation(schema, here)
            mark = self._cardinality(schema, here)
            # As in our own events null is the same as absent, but where the field must be there.
            nullable = name not in required or _kinds(schema.get("type"))[1]
            whole: Any = annotation | None if nullable else annotation
            marked: Any = whole if mark is None else Annotated[whole, mark]
            made[name] = (marked, ... if name in required else None)
        return made

    def _annotation(self, schema: Mapping[str, Any], path: Path) -> Any:
        names, _ = _kinds(schema.get("type"))
        if len(names) != 1 or names[0] not in _WORDS:
            mend = f"type: one of {', '.join(_WORDS)}, or a list of one of them and null"
            self.say((*path, "type"), f'"{path[-1]}" has no type that is read here', mend)
            return Any
        self._known_words(schema, path, (*_EVERYWHERE, *_WORDS[names[0]]))
        match names[0]:
            case "object":
                made = self._object(schema, path)
            case "array":
                made = self._array(schema, path)
            case "string":
                made = self._string(schema, path)
            case "boolean":
                made = bool
            case _:
                made = self._number(schema, path, int if names[0] == "integer" else float)
        return made

    def _object(self, schema: Mapping[str, Any], path: Path) -> Any:
        if len(path) > 2 * DEPTH_LIMIT:
            self.say(path, f"nested deeper than {DEPTH_LIMIT}")
            return Any
        properties = self._properties(schema, path)
        fields = self._fields(properties, self._required(schema, path, list(properties)), (*path, "properties"))
        return Any if self.problems else create_model(_class_name(str(path[-1])), __base__=Part, **fields)

    def _array(self, schema: Mapping[str, Any], path: Path) -> Any:
        items = schema.get("items")
        if not isinstance(items, dict) or _kinds(items.get("type")) not in [([name], False) for name in _SCALARS]:
            self.say((*path, "items"), "a list has items of one plain type", "items: {type: string}")
            return Any
        most = self._bound(schema, path, "maxItems", LIST_LIMIT)
        inner: Any = self._annotation(items, (*path, "items"))
        return Annotated[tuple[inner, ...], Field(max_length=most)]

    def _string(self, schema: Mapping[str, Any], path: Path) -> Any:
        said = schema.get("format")
        if said is not None:
            if said not in _FORMATS:
                self.say((*path, "format"), f'there is no format "{said}" here', f"there are {', '.join(_FORMATS)}")
            return {"date": date, "date-time": Moment, "money": Money}.get(str(said), str)
        choices = self._choices(schema, path, str)
        if choices is not None:
            return choices
        least, most = schema.get("minLength"), self._bound(schema, path, "maxLength", TEXT_CHARACTERS)
        if least is not None and (type(least) is not int or not 0 <= least <= most):
            self.say((*path, "minLength"), "minLength is a number, and not above maxLength")
            least = None
        pattern = schema.get("pattern")
        if pattern is not None and (not isinstance(pattern, str) or len(pattern) > PATTERN_CHARACTERS):
            self.say((*path, "pattern"), f"a pattern is a text of at most {PATTERN_CHARACTERS} characters")
            pattern = None
        if pattern is not None and not _is_pattern(pattern):
            self.say((*path, "pattern"), "the pattern is none", "a regular expression without looking ahead or back")
            pattern = None
        return Annotated[str, Field(min_length=least, max_length=most, pattern=pattern)]

    def _number(self, schema: Mapping[str, Any], path: Path, kind: type) -> Any:
        choices = self._choices(schema, path, int) if kind is int else None
        if choices is not None:
            return choices
        least, most = self._number_bound(schema, path, "minimum"), self._number_bound(schema, path, "maximum")
        if least is not None and most is not None and least > most:
            self.say((*path, "minimum"), "minimum is above maximum, so that no number fits")
        return Annotated[kind, Field(ge=least, le=most)]

    def _number_bound(self, schema: Mapping[str, Any], path: Path, word: str) -> float | None:
        bound = schema.get(word)
        if bound is None or (isinstance(bound, int | float) and not isinstance(bound, bool)):
            return bound
        self.say((*path, word), f"{word} is a number")
        return None

    def _choices(self, schema: Mapping[str, Any], path: Path, kind: type) -> Any:
        """What an enumeration or a constant allows; None where there is neither."""
        if "const" not in schema and "enum" not in schema:
            return None
        word = "const" if "const" in schema else "enum"
        values: Any = [schema["const"]] if word == "const" else schema["enum"]
        sound = (
            isinstance(values, list) and 0 < len(values) <= ENUM_LIMIT and all(type(each) is kind for each in values)
        )
        if not sound:
            what = "texts" if kind is str else "whole numbers"
            self.say((*path, word), f"{word} has {what} in it, at most {ENUM_LIMIT}, as the field's type says")
            return Any
        return Literal[tuple(values)]

    def _bound(self, schema: Mapping[str, Any], path: Path, word: str, most: int) -> int:
        bound = schema.get(word, most)
        if type(bound) is not int or not 0 < bound <= most:
            self.say((*path, word), f"{word} is a number from 1 to {most}")
            return most
        return bound

    def _cardinality(self, schema: Mapping[str, Any], path: Path) -> Cardinality | None:
        """What the file says, else what the type lets expect; a part has none."""
        said = schema.get("x-cardinality")
        known = [each.value for each in Cardinality]
        if said is not None and said not in known:
            self.say((*path, "x-cardinality"), "x-cardinality is not known", f"it is one of {', '.join(known)}")
            return None
        if said is not None:
            return Cardinality(said)
        names, _ = _kinds(schema.get("type"))
        if names == ["object"]:
            return None
        few = names == ["boolean"] or "enum" in schema or "const" in schema
        return Cardinality.ONE_OF_N if few else Cardinality.UNIQUE


def _kinds(said: Any) -> tuple[list[str], bool]:
    """The types that a schema names, null apart."""
    names = said if isinstance(said, list) else [said]
    return [str(name) for name in names if name != "null"], "null" in names


def _is_pattern(pattern: str) -> bool:
    try:
        TypeAdapter(Annotated[str, Field(pattern=pattern)])
    except SchemaError:
        return False
    return True


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[._]", name)) or "Event"


def examples_of(source: SchemaText) -> Iterator[tuple[int, bytes]]:
    """The events that a sound schema file gives as examples, each with its line."""
    tree = read_tree(source.text, source.file)
    if not isinstance(tree, Tree) or not isinstance(tree.data, dict):
        return
    found = tree.data.get("examples")
    for index, example in enumerate(found if isinstance(found, list) else ()):
        yield locate(tree, ("examples", index)), json.dumps(example).encode()
