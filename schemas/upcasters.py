"""Former versions of our events, lifted to the present one: for each type and version a function to the next version.

A version here is the major one: it grows only when an old reader could not make sense of a new event. Fields that are
added, and may be left out, change no version. A function takes the event as plain data and gives a new one; it knows
neither clock nor network, so that an old record means the same whenever it is read.

To make version 2 of a type: set its `version` field to 2, put `(type, 1)` here, keep the schema of version 1 under
`schemas/previous/1/`, and give `tests/schemas/test_versions.py` an event of version 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.envelope import Event

Document = dict[str, Any]
Upcaster = Callable[[Document], Document]
Upcasters = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Upcasters = {}
"""From (type, version) to what makes the next version of it. So far every event is of its first version."""


def current_version(model: type[Event]) -> int:
    """The version of a type that its model reads: the highest that its field takes."""
    bounds = [mark.le for mark in model.model_fields["version"].metadata if hasattr(mark, "le")]
    return int(bounds[0])


def upcast(event: Document, current: int, table: Upcasters = UPCASTERS) -> Document | None:
    """The event in the current version; None where it is not a former one, or no way leads on from it."""
    name, version = event.get("type"), event.get("version")
    if not isinstance(name, str) or type(version) is not int or not 0 < version < current:
        return None
    for step in range(version, current):
        lift = table.get((name, step))
        if lift is None:
            return None
        event = lift(event) | {"type": name, "version": step + 1}
    return event
