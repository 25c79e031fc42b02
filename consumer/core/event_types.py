"""The events that there are: those that Vestnik brings, and those that a shop has added with schema files."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from consumer.core.decode import Undecodable, decode, decode_written, document_of
from consumer.core.model import Ignored
from schemas.dead_letter import DeadReason
from schemas.envelope import Event
from schemas.events import ANY_EVENT, EVENT_TYPES
from schemas.upcasters import UPCASTERS, Upcasters, current_version, upcast

Read = Event | Undecodable | Ignored


class EventTypes:
    """`models` is the table from a type's name to what reads it; `events` reads an event of any of them."""

    def __init__(self, own: Mapping[str, type[Event]] | None = None, upcasters: Upcasters = UPCASTERS) -> None:
        self.own: Mapping[str, type[Event]] = dict(own or {})
        self.models: Mapping[str, type[Event]] = {**EVENT_TYPES, **self.own}
        self._upcasters = upcasters
        self.events = _adapter(self.models) if self.own else ANY_EVENT

    def decode(self, value: bytes | None, bytes_limit: int) -> Read:
        """The event that the bytes are, of whatever version; or why they are none."""
        made = decode(value, bytes_limit, self.events)
        return self._of_any_version(made, value, bytes_limit) if isinstance(made, Undecodable) else made

    def decode_written(self, value: bytes, bytes_limit: int) -> Read:
        """The same for JSON that was written here, of a document that was read strictly."""
        made = decode_written(value, bytes_limit, self.events)
        return self._of_any_version(made, value, bytes_limit) if isinstance(made, Undecodable) else made

    def _of_any_version(self, made: Undecodable, value: bytes | None, bytes_limit: int) -> Read:
        if made.reason is DeadReason.UNKNOWN_VERSION and value is not None:
            return self._lifted(value, bytes_limit) or made
        return made

    def _lifted(self, value: bytes, bytes_limit: int) -> Read | None:
        """An event of a former version in the present one; None where it is none, or cannot be lifted."""
        document = document_of(value, bytes_limit)
        name = document.get("type") if isinstance(document, dict) else None
        model = self.models.get(name) if isinstance(name, str) else None
        lifted = None if model is None else upcast(document, current_version(model), self._upcasters)
        if lifted is None:
            return None
        text = json.dumps(lifted, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return decode(text, bytes_limit, self.events)


def _adapter(models: Mapping[str, type[Event]]) -> TypeAdapter[Event]:
    union: Any = None
    for model in models.values():
        union = model if union is None else union | model
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


SHIPPED = EventTypes()
