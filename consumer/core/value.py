"""Values: records of fields that nobody changes, and that cost little to make."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass with `==` and a hash. Who assigns to a field of one is told so by the type checker.

    A frozen dataclass keeps that promise at run time too, and pays for it with a call for each field of each one that
    is made: 0.88 µs in place of 0.13 for the eleven fields of a command. Some twenty-five are made on the way of an
    event. This is for those; where few are made, `dataclass(frozen=True, slots=True)` is as good.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
