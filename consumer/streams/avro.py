"""Avro written with one schema, as the JSON text that it is equal to; schemas that could harm the reader are refused.

The decoder is fastavro (`pip install 'vestnik[avro]'`). It reads what a schema says without asking how deep that goes
or how often: a type inside of itself takes the C stack away, and an array of nothings is as long as its first number
says. So types inside of themselves, and lists whose entries take no byte, are not read at all.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

from consumer.core.decode import Undecodable
from consumer.core.envelopes import Unpack, misfit
from schemas.dead_letter import DeadReason

DEPTH_LIMIT = 32
NAME_CHARACTERS = 256

_COMPLEX = ("record", "error", "enum", "fixed", "array", "map")
# Whatever bytes may make the decoder raise; tried with a fuzzer.
_TORN = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, TypeError, ValueError)

Parsed = dict[str, Any] | list[Any] | str


class UnfitError(Exception):
    """A schema with which nothing is read here, and why."""


def installed() -> bool:
    """Whether the extra is there."""
    try:
        import fastavro  # noqa: F401, PLC0415 - an optional dependency: `vestnik[avro]`
    except ImportError:  # pragma: no cover - the environment of the tests has every extra
        return False
    return True


def avro_unpack(schema: Parsed, references: Sequence[Parsed]) -> Unpack:
    """What makes JSON texts of bytes that were written with the schema. `references`: what it names, each behind what
    it names itself. Raises UnfitError for a schema that is not read here, ValueError for what is no schema."""
    from fastavro import schemaless_reader  # noqa: PLC0415
    from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415

    _Walk().through([*references, schema])
    named: dict[str, Any] = {}
    try:
        for reference in references:
            parse_schema(reference, named_schemas=named)
        parsed = parse_schema(schema, named_schemas=named)
    except (SchemaParseException, UnknownType, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no Avro schema: {type(error).__name__}") from error

    def unpack(payload: bytes) -> bytes | Undecodable:
        stream = BytesIO(payload)
        try:
            found = schemaless_reader(stream, parsed, None)
        except _TORN as error:
            return misfit(f"Avro: the bytes do not fit their schema ({type(error).__name__})")
        if stream.read(1):
            return misfit("Avro: there are bytes behind what the schema says")
        return _text(found)

    return unpack


def _text(found: Any) -> bytes | Undecodable:
    try:
        text = json.dumps(found, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return Undecodable(DeadReason.NUMBER, "Avro: a number that JSON does not have")
    except TypeError:
        return misfit("Avro: bytes stand where an event has none")
    return text.encode("utf-8", "surrogatepass")


def _plain(value: object) -> str:
    """Logical types as our events have them."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


class _Walk:
    """One walk through a schema and what it refers to. `_least` is the fewest bytes that a named type takes."""

    def __init__(self) -> None:
        self._least: dict[str, int] = {}
        self._open: set[str] = set()

    def through(self, schemas: Iterable[Parsed]) -> None:
        for schema in schemas:
            self._bytes(schema, "", 0)

    def _bytes(self, schema: object, namespace: str, depth: int) -> int:
        """The fewest bytes that a value of the schema takes."""
        if depth > DEPTH_LIMIT:
            raise UnfitError(f"nested deeper than {DEPTH_LIMIT}")
        if isinstance(schema, list):
            for branch in schema:
                self._bytes(branch, namespace, depth + 1)
            return 1
        if isinstance(schema, str):
            return self._of_name(schema, namespace)
        if not isinstance(schema, dict):
            raise ValueError("no Avro schema: neither a name, a list nor an object")  # noqa: TRY004
        kind = schema.get("type")
        if kind not in _COMPLEX:
            return self._bytes(kind, namespace, depth + 1)
        return self._of_complex(str(kind), schema, namespace, depth)

    def _of_name(self, name: str, namespace: str) -> int:
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        for known in (full, name):
            if known in self._open:
                raise UnfitError(f'the type "{known[:NAME_CHARACTERS]}" is inside of itself')
            if known in self._least:
                return self._least[known]
        # A primitive; what is neither is told by the parser.
        return {"null": 0, "float": 4, "double": 8}.get(name, 1)

    def _of_complex(self, kind: str, schema: Mapping[str, Any], namespace: str, depth: int) -> int:
        if kind in ("array", "map"):
            least = self._bytes(schema.get("items" if kind == "array" else "values"), namespace, depth + 1)
            if kind == "array" and least == 0:
                raise UnfitError("a list whose entries take no byte has no end")
            return 1
        full, namespace = _full_name(schema, namespace)
        if kind in ("enum", "fixed"):
            _check_names(schema.get("symbols", ()))
            size = schema.get("size", 0) if kind == "fixed" else 1
            self._least[full] = size if isinstance(size, int) else 0
            return self._least[full]
        return self._of_record(full, schema, namespace, depth)

    def _of_record(self, full: str, schema: Mapping[str, Any], namespace: str, depth: int) -> int:
        fields = schema.get("fields")
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
            raise ValueError("no Avro schema: a record without fields")
        _check_names(field.get("name", "") for field in fields)
        self._open.add(full)
        least = sum(self._bytes(field.get("type"), namespace, depth + 1) for field in fields)
        self._open.discard(full)
        self._least[full] = least
        return least


def _full_name(schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    name = str(schema.get("name", ""))
    if "." in name:
        return name, name.rpartition(".")[0]
    own = str(schema.get("namespace", namespace))
    return (f"{own}.{name}" if own else name), own


def _check_names(names: Iterable[object]) -> None:
    """A name of one byte in the data may be much longer in the text."""
    if any(len(str(name)) > NAME_CHARACTERS for name in names):
        raise UnfitError(f"a name has more than {NAME_CHARACTERS} characters")
