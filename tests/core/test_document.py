"""Strict YAML: every mistake with its line, and nothing that changes its meaning."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from consumer.core.document import Problem, Strict, Tree, locate, read_document, read_part, read_tree
from consumer.core.units import Seconds


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Wording(Strict):
    title: str
    text: str = ""


class Circle(Strict):
    type: Literal["circle"]
    radius: float


class Square(Strict):
    type: Literal["square"]
    side: int


class Whole(Strict):
    name: str = "none"
    on: str | None = None
    colour: Colour = Colour.RED
    mode: Literal["live", "shadow"] = "live"
    wordings: list[Wording] | Mapping[str, list[Wording]] | None = None
    pair: tuple[Wording, ...] = ()
    shape: Annotated[Circle | Square, Field(discriminator="type")] | None = None
    from_: datetime | None = Field(default=None, alias="from")
    ttl: Seconds = 60.0
    count: int = 1


def sentences(text: str) -> list[str]:
    found = read_document(text, "w.yaml", Whole)
    assert isinstance(found, list)
    return [str(problem) for problem in found]


def whole(text: str) -> Whole:
    found = read_document(text, "w.yaml", Whole)
    assert isinstance(found, Whole), found
    return found


def test_a_good_document_becomes_the_model() -> None:
    found = whole("name: A\ncolour: blue\nfrom: 2026-01-02T03:04:05Z\nttl: 5m\nshape: {type: circle, radius: 2}\n")
    assert (found.name, found.colour, found.ttl, found.shape) == (
        "A",
        Colour.BLUE,
        300.0,
        Circle(type="circle", radius=2),
    )
    assert found.from_ is not None
    assert found.from_.year == 2026


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert whole("# nothing yet\n") == Whole()


@pytest.mark.parametrize("text", ["on", "yes", "22:00", "+79161234567", "0123", "2026-01-02", "1_000", ".inf"])
def test_words_that_old_yaml_would_twist_stay_texts(text: str) -> None:
    assert whole(f"on: {text}").on == text


def test_plain_scalars_have_their_kinds() -> None:
    tree = read_tree("[true, false, null, ~, 12, -3, 1.5, -2.5e3, 'x']", "w.yaml")
    assert isinstance(tree, Tree)
    assert tree.data == [True, False, None, None, 12, -3, 1.5, -2500.0, "x"]


def test_keys_are_texts_even_when_they_look_like_numbers() -> None:
    tree = read_tree("1: a\ntrue: b\n", "w.yaml")
    assert isinstance(tree, Tree)
    assert tree.data == {"1": "a", "true": "b"}


def test_an_alias_repeats_what_its_anchor_names() -> None:
    assert whole("pair:\n  - &a {title: T}\n  - *a\n").pair == (Wording(title="T"), Wording(title="T"))


def test_all_mistakes_come_at_once_each_with_its_line() -> None:
    assert sentences("nmae: A\nmode: dead\nttl: 5\ncount: many\nwordings:\n  - text: x\n") == [
        'w.yaml:1: unknown key "nmae"; did you mean "name"?',
        "w.yaml:2: \"mode\": not one of the possible values; it is one of 'live' or 'shadow'",
        'w.yaml:3: "ttl": a duration needs a unit: ms, s, m, h or d, as in "30s" or "1h30m"',
        'w.yaml:4: "count": a whole number is expected here',
        'w.yaml:6: the key "title" is missing',
    ]


def test_an_unknown_key_with_no_near_one_lists_the_known_ones() -> None:
    assert sentences("pair:\n  - title: T\n    zzz: 1\n") == [
        'w.yaml:3: unknown key "zzz"; the known keys are text, title'
    ]


def test_an_unknown_key_deep_in_a_union_names_the_nearest() -> None:
    found = sentences(
        "shape:\n  type: circle\n  radius: 1\n  raduis: 2\nwordings:\n  ru:\n    - title: T\n      txet: x\n"
    )
    assert found == [
        'w.yaml:4: unknown key "raduis"; did you mean "radius"?',
        'w.yaml:8: unknown key "txet"; did you mean "text"?',
    ]


def test_neither_member_of_a_union_is_one_mistake() -> None:
    assert sentences("wordings: 5") == ['w.yaml:1: "wordings": a list or a mapping is expected here']


def test_a_wrong_or_missing_discriminator_is_named() -> None:
    assert sentences("shape: {type: line}") == ["w.yaml:1: \"shape\": unknown 'type'; it is one of 'circle', 'square'"]
    assert sentences("shape: {radius: 1}") == ["w.yaml:1: \"shape\": the key 'type' is missing"]


def test_other_mistakes_keep_the_words_of_the_model() -> None:
    assert sentences("from: yesterday") == ['w.yaml:1: "from": input should be a valid datetime, input is too short']


@pytest.mark.parametrize("text", ["- a\n", "just words"])
def test_a_document_that_is_no_mapping_is_a_mistake(text: str) -> None:
    assert sentences(text) == ["w.yaml:1: a mapping is expected here"]


def test_a_key_that_stands_twice_names_both_lines() -> None:
    assert sentences("name: a\ncount: 1\nname: b\n") == ['w.yaml:3: the key "name" stands here twice; first on line 1']


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("name: a\nname2: 'b", 2, "not YAML"),
        ("name: *hunter2", 1, "not YAML"),
        ("name: !hunter2 x", 1, "tags are not read"),
        ("name: !hunter2 [x]", 1, "tags are not read"),
        ("name: !!python/object/apply:os.system {a: b}", 1, "tags are not read"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML"),
        ("? [a, b]\n: c\n", 1, "plain word"),
        ("name: \x00", 1, "control characters"),
        ("count: " + "9" * 5000, 1, "too many digits"),
        ("&a [*a]", 1, "nested deeper"),
        ("&a [*a, *a]", 1, "nested deeper"),
        ("[" * 100 + "]" * 100, 1, "nested deeper"),
        ("[" * 10_000, 1, "nested deeper"),
    ],
)
def test_what_is_not_plain_yaml_is_told_with_its_line_and_without_its_values(text: str, line: int, what: str) -> None:
    found = read_tree(text, "w.yaml")
    assert isinstance(found, list)
    assert [(problem.line, what in problem.what) for problem in found] == [(line, True)]
    assert "hunter2" not in str(found)


def test_half_a_character_is_a_mistake_and_not_a_crash() -> None:
    assert sentences('name: "\\ud800"')


def test_a_part_that_is_not_there_has_the_line_of_what_is_above_it() -> None:
    tree = read_tree("a:\n  b: 1\n", "w.yaml")
    assert isinstance(tree, Tree)
    assert [locate(tree, path) for path in (("a", "b"), ("a", "c", 7), ("x",))] == [2, 1, 1]
    assert locate(Tree("w.yaml", None), ("x",)) == 1


def test_one_part_of_a_document_can_be_read_alone() -> None:
    tree = read_tree("x:\n  - title: T\n  - titel: T\n", "w.yaml")
    assert isinstance(tree, Tree)
    assert read_part(tree, ("x", 0), Wording) == Wording(title="T")
    assert read_part(tree, ("x", 1), Wording) == [
        Problem("w.yaml", 3, 'the key "title" is missing'),
        Problem("w.yaml", 3, 'unknown key "titel"', 'did you mean "title"?'),
    ]


class Loose(BaseModel):
    inner: dict[str, Wording]


def test_a_mapping_of_models_knows_its_keys() -> None:
    found = read_document("inner:\n  a: {title: x, tilte: y}\n", "w.yaml", Loose)
    assert isinstance(found, list)
    assert found[0].mend == 'did you mean "title"?'


@pytest.mark.parametrize("text", ["a: 'b\nc: 1\n", "a:\n    b: 1\n  c: 2\n"])
def test_a_quote_left_open_and_an_indentation_that_differs_have_a_hint_of_their_own(text: str) -> None:
    found = read_tree(text, "a.yaml")
    assert isinstance(found, list)
    assert "perhaps a closing quote is missing" in found[0].mend
