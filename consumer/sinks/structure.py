"""A JSON body made of a structure that people write: its texts are templates over one message and its recipients.

A text that is one whole `{{ … }}` becomes the value itself, so that `{{ recipients }}` is a list; where such a value is
absent its key is left out. `{each_recipient: …}` becomes a list with one structure for each recipient. Templates are
the ones of routes: no calls, no loops, no Python, and what a message says is never read as a template.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from babel import Locale
from jinja2.nodes import Name
from jinja2.runtime import Context

from consumer.core.filters import RENDER_ERRORS
from consumer.core.templates import (
    Flaw,
    compile_expression,
    compile_template,
    context_of,
    field_paths,
    read_expression,
    read_template,
    sandbox,
    word_flaws,
)

NAMES = ("title", "text", "link", "image", "recipients", "recipient", "key", "lane")
EACH = "each_recipient"

_SANDBOX = sandbox(Locale("en"))
_WHOLE = re.compile(r"\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_LEFT_OUT = object()

Names = dict[str, Any]
Build = Callable[[Names], Any]


class UnsayableBodyError(ValueError):
    """The structure does not fit this message. Carries none of its values."""


def compile_structure(node: object) -> Build:
    """What makes the body of its names. Raises ValueError, in words for people, where the structure is wrong; the
    built function raises `UnsayableBodyError`."""
    build = _compile(node)

    def built(names: Names) -> Any:
        try:
            return build(names)
        except RENDER_ERRORS as error:
            raise UnsayableBodyError(type(error).__name__) from None

    return built


def names_in(node: object, *, each: bool = False) -> Iterator[tuple[str, bool]]:
    """Every name that the structure uses, and whether that is inside of an `each_recipient`."""
    if isinstance(node, str):
        tree = read_template(node, _SANDBOX)
        if not isinstance(tree, Flaw):
            yield from ((path[0], each) for path, _ in field_paths(tree))
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from names_in(value, each=each or key == EACH)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from names_in(value, each=each)


def _compile(node: object) -> Build:
    if isinstance(node, str):
        return _text(node)
    if isinstance(node, Mapping):
        return _each(node[EACH]) if set(node) == {EACH} else _mapping(node)
    if isinstance(node, list | tuple):
        parts = [_compile(value) for value in node]
        return lambda names: [part(names) for part in parts]
    if node is None or isinstance(node, bool | int | float):
        return lambda names: node
    raise ValueError(f"a {type(node).__name__} cannot stand in a JSON body")


def _mapping(node: Mapping[Any, object]) -> Build:
    if EACH in node:
        raise ValueError(f"{EACH} stands alone: it becomes a list")
    for key in node:
        if not isinstance(key, str):
            raise ValueError("the keys of a JSON body are texts")  # noqa: TRY004 - pydantic reads ValueError
    parts = [(key, _compile(value)) for key, value in node.items()]

    def build(names: Names) -> dict[str, Any]:
        made = {}
        for key, part in parts:
            value = part(names)
            if value is not _LEFT_OUT:
                made[key] = value
        return made

    return build


def _each(node: object) -> Build:
    part = _compile(node)
    return lambda names: [part({**names, "recipient": recipient}) for recipient in names["recipients"]]


def _text(source: str) -> Build:
    whole = _WHOLE.fullmatch(source.strip())
    return _expression(whole[1].strip()) if whole else _template(source)


def _expression(source: str) -> Build:
    tree = read_expression(source, _SANDBOX)
    if isinstance(tree, Flaw):
        raise ValueError(_spoken(tree))  # noqa: TRY004
    _must_be_known(tree)
    # Nearly every part of a body is a mere name.
    evaluate = itemgetter(tree.name) if isinstance(tree, Name) else compile_expression(tree, _SANDBOX)

    def build(names: Names) -> Any:
        value = evaluate(names)
        return _LEFT_OUT if value is None else value

    return build


def _template(source: str) -> Build:
    tree = read_template(source, _SANDBOX)
    if isinstance(tree, Flaw):
        raise ValueError(_spoken(tree))  # noqa: TRY004
    _must_be_known(tree)
    render = compile_template(tree, _SANDBOX)
    if isinstance(render, str):
        return lambda names: render
    return lambda names: render(_context(names))


def _must_be_known(tree: Any) -> None:
    for flaw in word_flaws(tree, _SANDBOX):
        raise ValueError(_spoken(flaw))
    for path, _ in field_paths(tree):
        if path[0] not in NAMES or len(path) > 1:
            raise ValueError(f'"{".".join(path)}" is not known here; there are {", ".join(NAMES)}')


def _context(names: Names) -> Context:
    return context_of(names, _SANDBOX)


def _spoken(flaw: Flaw) -> str:
    return f"{flaw.what}; {flaw.mend}" if flaw.mend else flaw.what
