"""Another system's event becomes ours: a mapping file, compiled once, asked for each record."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from consumer.core.decode import Undecodable
from consumer.core.envelopes import FIRST_VERSION, Document
from consumer.core.mapping_file import FieldRule, MappingFile, TypeRule
from consumer.core.model import Ignored, Record
from consumer.core.normalisers import As, Manner, normalised
from schemas.dead_letter import DeadReason

UNMAPPED = "unmapped"
ROOTS = ("body", "headers", "key", "topic", "time")
_TEXT_CHARACTERS = 4096

Scope = Mapping[str, Any]
Find = Callable[[Scope], Any]


class _UnfitError(Exception):
    """A value that a rule can do nothing with: the field and why."""


def find_of(source: str) -> Find:
    """The expression, compiled. Raises JMESPathError or RecursionError where it is none."""
    parsed = jmespath.compile(source)
    path = _plain_path(parsed.parsed)
    if path is not None:
        return lambda scope: reduce(_member, path, scope)
    return parsed.search


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _plain_path(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names with points between, which most expressions are; they need no interpreter."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_plain_path(child) for child in node["children"]]
    return None if None in parts else tuple(name for part in parts for name in part or ())


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of our event, compiled. `path` is where it stands in it."""

    name: str
    path: tuple[str, ...]
    find: Find
    table: Mapping[str, str] | None
    otherwise: str | None
    how: As | None
    manner: Manner

    @classmethod
    def of(cls, name: str, rule: FieldRule) -> "_Field":
        fixed = rule.value
        find: Find = (lambda _: fixed) if rule.from_ is None else find_of(rule.from_)
        manner = Manner(ZoneInfo(rule.zone) if rule.zone else None, rule.pattern, rule.digits)
        return cls(name, tuple(name.split(".")), find, rule.table, rule.otherwise, rule.as_, manner)

    def value(self, scope: Scope) -> Any:
        """What stands there in our event; None to leave it out."""
        found = _found(self.name, self.find, scope)
        if found is None:
            return None
        if self.table is not None:
            found = self.table.get(_key(found), self.otherwise)
        if self.how is not None and found is not None:
            found = normalised(found, self.how, self.manner)
            if found is None:
                raise _UnfitError(f"{self.name}: what is found cannot be written as {self.how.value}")
        _check(self.name, found)
        return found


def _found(name: str, find: Find, scope: Scope) -> Any:
    try:
        return find(scope)
    except (JMESPathError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _UnfitError(f"{name}: its expression fails ({type(error).__name__})") from error


def _check(name: str, found: Any) -> None:
    """A field is one value, or a short list of numbers; never a part of theirs, however large."""
    if isinstance(found, dict) or (isinstance(found, list) and not all(isinstance(each, int) for each in found)):
        raise _UnfitError(f"{name}: what is found is no single value")
    if isinstance(found, str) and len(found) > _TEXT_CHARACTERS:
        raise _UnfitError(f"{name}: more than {_TEXT_CHARACTERS} characters")


def _key(found: Any) -> str:
    """Their word, as a table has it."""
    return found if isinstance(found, str) else str(found).lower() if isinstance(found, bool) else str(found)


class Translator:
    """A mapping, ready. Makes an event's document of a foreign one: Undecodable where it does not fit, Ignored where
    it is nothing to us. Pure."""

    def __init__(self, mapping: MappingFile) -> None:
        self._where = None if mapping.where is None else find_of(mapping.where)
        self._type = mapping.type
        self._word = find_of(mapping.type.from_) if isinstance(mapping.type, TypeRule) else None
        self._fields = [_Field.of(name, rule) for name, rule in mapping.rules.items()]

    def __call__(self, body: Any, record: Record) -> Document | Undecodable | Ignored:
        scope = _scope(body, record)
        try:
            if self._where is not None and not _found("where", self._where, scope):
                return Ignored(UNMAPPED)
            name = self._name(scope)
            return Ignored(UNMAPPED) if name is None else self._event(name, scope)
        except _UnfitError as unfit:
            return Undecodable(DeadReason.MAPPING, str(unfit))

    def _name(self, scope: Scope) -> str | None:
        if self._word is None or isinstance(self._type, str):
            return str(self._type)
        found = _found("type", self._word, scope)
        name = None if found is None else self._type.table.get(_key(found))
        if name is None and self._type.otherwise == "refuse":
            raise _UnfitError("type: their word is not in the table")
        return name

    def _event(self, name: str, scope: Scope) -> Document:
        event: Document = {"type": name, "version": FIRST_VERSION}
        for field in self._fields:
            value = field.value(scope)
            if value is not None:
                _put(event, field.path, value)
        return event


def _put(event: Document, path: tuple[str, ...], value: Any) -> None:
    part = event
    for step in path[:-1]:
        part = part.setdefault(step, {})
    part[path[-1]] = value


def _scope(body: Any, record: Record) -> Scope:
    """What expressions see."""
    return {
        "body": body,
        "headers": {name.lower(): value.decode("utf-8", "replace") for name, value in record.headers},
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "topic": record.position.topic,
        "time": _when(record.timestamp),
    }


def _when(timestamp: float) -> str | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def functions_of(source: str) -> Iterator[str]:
    """The functions that an expression names and that there are not. Raises as `find_of`."""
    yield from (name for name in _functions(jmespath.compile(source).parsed) if name not in FUNCTIONS)


FUNCTIONS: Mapping[str, object] = Functions.FUNCTION_TABLE


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield str(node["value"])
    for child in node["children"]:
        # A slice has numbers for its children.
        if isinstance(child, dict):
            yield from _functions(child)


def roots_of(source: str) -> Iterator[str]:
    """The names that an expression begins with, wherever it looks at the whole. Raises as `find_of`."""
    yield from _roots(jmespath.compile(source).parsed)


# Behind these nodes' first child the view is another one.
_NARROWING = ("subexpression", "pipe", "projection", "value_projection", "filter_projection", "index_expression")


def _roots(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "field":
        yield str(node["value"])
    children = node["children"][:1] if node["type"] in _NARROWING else node["children"]
    for child in children if node["type"] != "expref" else ():
        yield from _roots(child)
