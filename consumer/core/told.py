"""Whether an event tells all that stands in its text, so that nobody has to read the text a second time."""

from functools import lru_cache

from consumer.core.fields import kinds
from schemas.envelope import Event, Part
from schemas.events import EVENT_TYPES

_SPACES = b" \t\n\r"
# A number with so many digits may have more than 64 bits.
_LONG_NUMBER = b"0" * 19
_ALIKE = bytes.maketrans(b"123456789", b"000000000")
# Of these it is known that no field takes a fraction, and none takes whatever comes; a test sees to it.
_KNOWN = frozenset(EVENT_TYPES.values())


def all_told(value: bytes, event: Event) -> bool:
    """Whether a strict reading of the text would find neither a key that stands twice nor a number that is none. False
    says nothing: then it must be read.

    Each member of the text has a `":` of its own once the spaces are gone. Texts may hold more of them, so that there
    are never fewer than members. As many fields as that leave no member over: none stands twice and none is unknown. A
    number in a known field is a whole one, and has no more than 64 bits where nowhere are so many digits in a row.
    """
    if type(event) not in _KNOWN:
        return False
    text = value.translate(_ALIKE, _SPACES)
    return text.count(b'":') == _members_of(event) and _LONG_NUMBER not in text


def _members_of(part: Part) -> int:
    """How many members of the text have become fields of a part and of all that is below it."""
    count, fields = len(part.__pydantic_fields_set__), part.__dict__
    for name, deeper in _parts_in(type(part)):
        below = fields[name]
        if below is not None:
            count += _members_of(below) if deeper else len(below.__pydantic_fields_set__)
    return count


@lru_cache(maxsize=256)
def _parts_in(model: type[Part]) -> tuple[tuple[str, bool], ...]:
    """The fields of a part that are parts themselves, and whether these have parts again."""
    fields = model.model_fields.items()
    found = {name: [kind for kind in kinds(each.annotation) if issubclass(kind, Part)] for name, each in fields}
    return tuple((name, any(map(_parts_in, parts))) for name, parts in found.items() if parts)
