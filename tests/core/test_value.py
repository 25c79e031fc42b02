"""Values: what they can do, and what the type checker sees to."""

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import pytest
from mypy import api

from consumer.core import facts, model
from consumer.core.value import value

ASSIGNED = """
from consumer.core.value import value

@value
class Point:
    x: int

Point(1).x = 2
"""


@value
class Place:
    name: str
    floors: tuple[int, ...] = ()
    notes: dict[str, str] = field(default_factory=dict, compare=False)


@value
class House(Place):
    number: int = 1


def test_the_type_checker_reports_who_assigns_to_a_field(tmp_path: Path) -> None:
    said, _, code = api.run(["--config-file=", f"--cache-dir={tmp_path}", "--no-error-summary", "-c", ASSIGNED])
    assert (said.strip(), code) == ('<string>:8: error: Property "x" defined in "Point" is read-only  [misc]', 1)


def test_values_of_equal_fields_are_equal_and_share_a_hash() -> None:
    assert Place("a", (1,)) == Place("a", (1,), {"b": "c"}) != Place("a", (2,))
    assert {Place("a"): 1, Place("b"): 2}[Place("b")] == 2


def test_a_value_is_a_dataclass_that_can_be_matched_replaced_and_inherited() -> None:
    house = replace(House("a", number=2), floors=(3,))
    match house:
        case House(name, floors, _, number):
            assert (name, floors, number) == ("a", (3,), 2)
    assert asdict(house) == {"name": "a", "floors": (3,), "notes": {}, "number": 2}
    assert house != Place("a", (3,))


def test_a_value_has_slots_and_no_place_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        House("a").street = "b"  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Frozen:
    x: int


def test_making_a_value_sets_each_field_once_and_calls_nothing() -> None:
    names = (model.Command.__init__.__code__.co_names, facts.RequestSent.__init__.__code__.co_names)
    assert names == (tuple(f.name for f in fields(model.Command)), tuple(f.name for f in fields(facts.RequestSent)))
    assert "__setattr__" in _Frozen.__init__.__code__.co_names
