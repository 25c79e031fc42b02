"""The original of a dead letter for people: as it is, or without anything that tells who it is about."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from consumer.app.masking import clipped, masked
from consumer.core.redrive import Letter

SHAPE_CHARACTERS = 400
# Of a customer only these say nothing about who it is.
_OPEN = frozenset({"locale", "timezone", "consents", "push", "marketing"})
_PERSONAL = re.compile(
    r"phone|mail|name|addr|street|city|birth|comment|customer|client|user|recipient|passport|card|token|install"
)
_MAIL = re.compile(r"[^\s@\"']+@[^\s@\"']+")
_LETTER = re.compile(r"[^\W\d_]")


def shown_key(key: bytes | None, *, reveal: bool) -> str | None:
    """The key, which is the customer's id."""
    if key is None:
        return None
    text = key.decode("utf-8", "backslashreplace")
    return text if reveal else masked(text)


def shown_headers(headers: Iterable[tuple[str, bytes]], *, reveal: bool) -> list[tuple[str, str]]:
    """The original's headers: anything may stand in them."""
    return [
        (name, (value or b"").decode("utf-8", "backslashreplace") if reveal else _scrubbed(value or b""))
        for name, value in headers
    ]


def _scrubbed(value: bytes) -> str:
    return _MAIL.sub("**", clipped(value.decode("utf-8", "backslashreplace")))


def shown_value(value: bytes | None, *, reveal: bool) -> str:
    """The value for people. Unless revealed: JSON without what is personal; of anything else its shape alone, with x
    for each letter and 0 for each digit."""
    if value is None:
        return ""
    if reveal:
        return value.decode("utf-8", "backslashreplace")
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return _shape(value)
    try:
        return json.dumps(_masked(document, "", personal=False), ensure_ascii=False, indent=2)
    except RecursionError:
        return _shape(value)


def _shape(value: bytes) -> str:
    text = value[: 4 * SHAPE_CHARACTERS].decode("utf-8", "backslashreplace")
    shape = re.sub(r"\d", "0", _LETTER.sub("x", text))
    return shape if len(shape) <= SHAPE_CHARACTERS else shape[:SHAPE_CHARACTERS] + "…"


def _masked(value: Any, name: str, *, personal: bool) -> Any:
    """Everything below something personal is, but for what is known to be open."""
    personal = (personal or bool(_PERSONAL.search(name.lower()))) and name not in _OPEN
    if isinstance(value, Mapping):
        # A key may be somebody too: an object by phones.
        return {clipped(key): _masked(below, key, personal=personal) for key, below in value.items()}
    if isinstance(value, list):
        return [_masked(below, name, personal=personal) for below in value]
    if value is None or isinstance(value, bool):
        return value
    if personal:
        return masked(str(value))
    return _MAIL.sub("**", clipped(value)) if isinstance(value, str) else _number(value)


def _number(value: Any) -> Any:
    """A long number may be a phone."""
    return value if len(str(value)) < 7 or isinstance(value, float) else masked(str(value))


# --- export -----------------------------------------------------------------------------------------------------------


def exported(letter: Letter) -> dict[str, Any]:
    """The letter as one line: the original byte for byte, in base64 where it is no UTF-8, and what Vestnik said."""
    head, original = letter.head, letter.original
    return {
        "id": head.id,
        "lane": head.lane,
        "reason": str(head.reason),
        "detail": head.detail,
        "route": head.route,
        "command": head.command,
        "redrives": head.redrives,
        "died_at": letter.died_at,
        "cut": {"size": head.size, "sha256": head.sha256} if head.sha256 is not None else None,
        "topic": head.topic,
        "partition": head.partition,
        "offset": head.offset,
        "timestamp": head.timestamp,
        "key": _exact(original.key),
        "value": _exact(original.value),
        "headers": [[name, _exact(value)] for name, value in original.headers],
    }


def _exact(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
