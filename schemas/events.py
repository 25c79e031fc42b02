"""The table of all events: from the name of a type to the model that reads it."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from schemas.bonus import BONUS_EVENTS
from schemas.envelope import Event
from schemas.order import ORDER_EVENTS


def _name(model: type[Event]) -> str:
    return str(model.model_fields["type"].annotation.__args__[0])  # type: ignore[union-attr]


EVENT_TYPES: dict[str, type[Event]] = {_name(model): model for model in (*ORDER_EVENTS, *BONUS_EVENTS)}


def _adapter() -> TypeAdapter[Event]:
    union: Any = ORDER_EVENTS[0]
    for model in (*ORDER_EVENTS[1:], *BONUS_EVENTS):
        union |= model
    # Keys come again and again; most values do not, and would be looked up in vain.
    return TypeAdapter(Annotated[union, Field(discriminator="type")], config=ConfigDict(cache_strings="keys"))


ANY_EVENT: TypeAdapter[Event] = _adapter()
"""Bytes to the event that its `type` names, in one pass of one parser."""
