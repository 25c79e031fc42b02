"""CloudEvents 1.0 as Kafka carries them: attributes in headers (binary mode), or one JSON document (structured mode).

The rules are those of the CloudEvents specification 1.0.2, its JSON event format and its Kafka protocol binding
(https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents). Stricter than it: a header that stands twice is refused,
since nobody knows which of the two is meant.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from consumer.core.decode import Undecodable, document_of
from consumer.core.envelopes import Contents, Document, identifier, misfit, without_prefix, word

Headers = tuple[tuple[str, bytes], ...]
Attributes = Mapping[str, str]

_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_STRUCTURED = "application/cloudevents+json"
_ANY_STRUCTURED = "application/cloudevents"
_REQUIRED = ("specversion", "id", "source", "type")
_NEVER_EMPTY = (*_REQUIRED, "subject", "dataschema", "datacontenttype")
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
_JSON_TYPE = re.compile(r"(application|text)/([a-z0-9.-]+\+)?json(\s*;.*)?", re.IGNORECASE | re.DOTALL)
_RFC_3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def is_structured(headers: Headers) -> bool:
    """Whether the record says that its value is a whole CloudEvent, or several, in whatever encoding."""
    return any(name.lower() == _CONTENT_TYPE and _says_structured(value) for name, value in headers)


def _says_structured(content_type: bytes) -> bool:
    return content_type.lower().startswith(_ANY_STRUCTURED.encode())


def is_binary(headers: Headers) -> bool:
    """Whether attributes stand in the headers."""
    return any(name[:3].lower() == _PREFIX for name, _ in headers)


# --- binary mode ------------------------------------------------------------------------------------------------------


def attributes_of(headers: Headers) -> Attributes | Undecodable:
    """The attributes that headers say, sound ones; or what is wrong with them."""
    attributes: dict[str, str] = {}
    for header, value in headers:
        name = header.lower()
        if name.startswith(_PREFIX):
            name = name[len(_PREFIX) :]
        elif name == _CONTENT_TYPE:
            name = "datacontenttype"
        else:
            continue
        if name in attributes:
            return misfit(f"CloudEvents: the attribute {_shown(name)} stands twice in the headers")
        try:
            attributes[name] = value.decode("utf-8")
        except UnicodeDecodeError:
            return misfit(f"CloudEvents: the attribute {_shown(name)} is not UTF-8")
    return _flaw(attributes) or attributes


def _flaw(attributes: Attributes) -> Undecodable | None:
    for name in _REQUIRED:
        if name not in attributes:
            return misfit(f"CloudEvents: the attribute {name} is missing")
    for name in attributes:
        if not _ATTRIBUTE_NAME.fullmatch(name) or name in ("data", "data_base64"):
            return misfit(f"CloudEvents: {_shown(name)} cannot be the name of an attribute")
        if name in _NEVER_EMPTY and not attributes[name]:
            return misfit(f"CloudEvents: the attribute {name} is empty")
    if attributes["specversion"] != "1.0":
        return misfit("CloudEvents: specversion is another one than 1.0")
    if "time" in attributes and not _RFC_3339.fullmatch(attributes["time"]):
        return misfit("CloudEvents: time is none of RFC 3339, as in 2026-09-01T10:15:00+03:00")
    return None


def _shown(name: str) -> str:
    """A name that came from outside, short and in one line."""
    return repr(name[:40])


def binary_contents(headers: Headers, value: bytes, bytes_limit: int, prefix: str) -> Contents | Undecodable:
    """A CloudEvent whose attributes are in the headers and whose data is the value."""
    attributes = attributes_of(headers)
    if isinstance(attributes, Undecodable):
        return attributes
    return _with_data(attributes, document_of(value, bytes_limit), prefix)


# --- structured mode --------------------------------------------------------------------------------------------------


def refused_structure(headers: Headers) -> Undecodable | None:
    """Why a value cannot be read although it says that it is a CloudEvent: it is a batch, or no JSON."""
    for name, value in headers:
        if name.lower() == _CONTENT_TYPE and _says_structured(value):
            kind = value.split(b";")[0].strip().lower()
            if kind != _STRUCTURED.encode():
                return misfit("CloudEvents: of the structured encodings only application/cloudevents+json is read")
    return None


def is_envelope(document: object) -> bool:
    """Whether a document looks like a CloudEvent, so that it is read as one even if no header says so."""
    return isinstance(document, dict) and "specversion" in document and "type" in document


def structured_contents(document: Any, bytes_limit: int, prefix: str) -> Contents | Undecodable:
    """A CloudEvent in JSON format."""
    if not isinstance(document, dict):
        return misfit("CloudEvents: the document is no object")
    attributes = {name: value for name, value in document.items() if not name.startswith("data_") and name != "data"}
    flaw = _odd_values(attributes.items()) or _flaw(_texts(attributes))
    if flaw is not None:
        return flaw
    return _with_data(_texts(attributes), _data(document, bytes_limit), prefix)


def _odd_values(attributes: Iterable[tuple[str, Any]]) -> Undecodable | None:
    """The types of the JSON format: texts, 32-bit integers and booleans; null is absent."""
    for name, value in attributes:
        known = name in _NEVER_EMPTY or name == "time"
        if isinstance(value, dict | list | float) or (known and not isinstance(value, str | None)):
            return misfit(f"CloudEvents: the attribute {_shown(name)} has a value of a type that it cannot have")
    return None


def _texts(attributes: Mapping[str, Any]) -> Attributes:
    return {
        name: value if isinstance(value, str) else str(value) for name, value in attributes.items() if value is not None
    }


def _data(document: Document, bytes_limit: int) -> Any:
    encoded = document.get("data_base64")
    if encoded is None:
        return document.get("data")
    if document.get("data") is not None:
        return misfit("CloudEvents: there are both data and data_base64")
    try:
        data = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return misfit("CloudEvents: data_base64 is no base64")
    return document_of(data, bytes_limit)


# --- both -------------------------------------------------------------------------------------------------------------


def _with_data(attributes: Attributes, data: Any, prefix: str) -> Contents | Undecodable:
    if isinstance(data, Undecodable):
        return data
    if not _JSON_TYPE.fullmatch(attributes.get("datacontenttype", "application/json")):
        return misfit("CloudEvents: datacontenttype is not JSON")
    if not isinstance(data, dict):
        return misfit("CloudEvents: the data is no JSON object")
    said = {
        "type": without_prefix(attributes["type"], prefix),
        "event_id": identifier(attributes["id"]),
        "source": word(attributes["source"]),
    }
    said |= {ours: attributes[theirs] for theirs, ours in _OPTIONAL.items() if theirs in attributes}
    return Contents(data, said)


_OPTIONAL = {"time": "occurred_at", "shop": "shop"}
