"""Fields that a wording needs and that its events may leave empty: with such an event nobody is told.

A field is safe where an `if` around it, the route's `when` or its recipient demand it, and beside `default` and `or`.
In doubt it is safe: what cannot be taken apart may well demand it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from jinja2 import nodes

from consumer.core.compiled import FALLBACK_LOCALE
from consumer.core.conditions import Grounds, can_hold_together, opaque_fields, spelt
from consumer.core.document import Path, Problem
from consumer.core.fields import SURROUNDINGS, Meaning, kinds, may_be_empty, meaning
from consumer.core.filters import find_locale
from consumer.core.routes import EXPRESSION_SANDBOX, LoadedRoute, Route, WordingText
from consumer.core.templates import FieldPath, Flaw, field_paths, plain_path, read_expression, read_template, sandbox

# Operators by which what is empty may be asked.
_ASKED_SAFELY = ("eq", "ne", "in", "notin")


@dataclass(frozen=True, slots=True)
class Need:
    """A field that is needed where all these conditions hold, and the line of the template."""

    path: FieldPath
    guards: tuple[nodes.Expr, ...]
    line: int


def warn_needs(loaded: LoadedRoute) -> Iterator[Problem]:
    """Of each part of each wording, the fields for whose sake an event may be told to nobody."""
    route = loaded.route
    given = tuple(_read(source) for source in (route.when, route.to) if source is not None)
    for code, ladder in route.ladders.items():
        top: Path = ("wordings", code) if code else ("wordings",)
        for level, wording in enumerate(ladder):
            for part, tree in _trees(wording, code):
                yield from _told(loaded, (*top, level, part), list(_lacking(tree, given, route)))


def _read(source: str) -> nodes.Expr:
    tree = read_expression(source, EXPRESSION_SANDBOX)
    return nodes.Const(True) if isinstance(tree, Flaw) else tree


def _trees(wording: WordingText, code: str) -> Iterator[tuple[str, nodes.Template]]:
    environment = sandbox((find_locale(code) if code else None) or FALLBACK_LOCALE)
    for part, source in wording.sources().items():
        tree = read_template(source, environment)
        if not isinstance(tree, Flaw):
            yield part, tree


def _told(loaded: LoadedRoute, place: Path, lacking: Sequence[Need]) -> Iterator[Problem]:
    names = list(dict.fromkeys(".".join(need.path) for need in lacking))
    if names:
        what = f"{' and '.join(names)} may be empty, and then nobody is told"
        yield loaded.flaw(place, Flaw(lacking[0].line, what, _mend(lacking[0].path, loaded.route)))


def _mend(path: FieldPath, route: Route) -> str:
    name = ".".join(path)
    found = [meaning(path, model) for model in route.models]
    texts = any(isinstance(each, Meaning) and str in kinds(each.annotation) for each in found)
    instead = f"{{{{ {name} | default('…') }}}}, " if texts else ""
    return f"write {{% if {name} %}}…{{% endif %}} around it, {instead}or demand the field in `when`"


def _lacking(tree: nodes.Template, given: tuple[nodes.Expr, ...], route: Route) -> Iterator[Need]:
    for need in _body(tree.body, ()):
        if need.path[0] not in SURROUNDINGS and _can_be_missed(need, (*given, *need.guards), route):
            yield need


def _can_be_missed(need: Need, conditions: Sequence[nodes.Expr], route: Route) -> bool:
    """Whether an event may come to where the field is needed, and not have it."""
    return any(
        _possible(_above(need.path, steps), conditions, Grounds((model,), {("event", "type"): (name,)}))
        for name, model in route.known.items()
        if name in route.types
        for steps in may_be_empty(need.path, model)
    )


def _above(path: FieldPath, steps: int) -> FieldPath:
    """So many steps of a path, as conditions spell them."""
    full = spelt(path)
    return full[: len(full) - len(path) + steps]


def _possible(empty: FieldPath, conditions: Sequence[nodes.Expr], grounds: Grounds) -> bool:
    """Whether all conditions can hold where this is empty, and with it all that lies in it."""
    asked = {spelt(path) for condition in conditions for path, _ in field_paths(condition)}
    below = {empty, ("event", *empty), *(path for path in asked if path[: len(empty)] == empty)}
    if below & {spelt(path) for condition in conditions for path in opaque_fields(condition)}:
        return False
    return can_hold_together([*conditions, *(_is_none(path) for path in sorted(below))], grounds)


def _is_none(path: FieldPath) -> nodes.Expr:
    node: nodes.Expr = nodes.Name(path[0], "load")
    for step in path[1:]:
        node = nodes.Getattr(node, step, "load")
    return nodes.Compare(node, [nodes.Operand("eq", nodes.Const(None))])


# --- what a template needs --------------------------------------------------------------------------------------------

_Guards = tuple[nodes.Expr, ...]


def _body(body: Sequence[nodes.Node], guards: _Guards) -> Iterator[Need]:
    for node in body:
        if isinstance(node, nodes.If):
            yield from _choice(node, guards)
        else:
            for part in node.iter_child_nodes():
                yield from _said(part, guards)


def _choice(node: nodes.If, guards: _Guards) -> Iterator[Need]:
    for branch in (node, *node.elif_):
        test = cast("nodes.Expr", branch.test)
        yield from _asked(test, guards)
        yield from _body(branch.body, (*guards, test))
        guards = (*guards, nodes.Not(test))
    yield from _body(node.else_, guards)


def _said(node: nodes.Node, guards: _Guards) -> Iterator[Need]:
    """What a value needs, so that it can stand in a text."""
    match node:
        case nodes.Or():
            yield from _asked(node.left, guards)
            yield from _said(node.right, (*guards, nodes.Not(node.left)))
        case nodes.And():
            yield from _said(node.left, guards)
            yield from _said(node.right, (*guards, node.left))
        case nodes.CondExpr():
            yield from _asked(node.test, guards)
            yield from _said(node.expr1, (*guards, node.test))
            yield from _said(node.expr2, (*guards, nodes.Not(node.test))) if node.expr2 else ()
        case nodes.Not() | nodes.Test() | nodes.Compare():
            yield from _asked(node, guards)
        case nodes.Filter(name="default"):
            return
        case _:
            yield from _plain(node, guards)


def _asked(node: nodes.Node, guards: _Guards) -> Iterator[Need]:
    """What a condition needs, so that it can be asked at all: an empty field may be asked for, and not be compared."""
    match node:
        case nodes.And() | nodes.Or():
            left = node.left if isinstance(node, nodes.And) else nodes.Not(node.left)
            yield from _asked(node.left, guards)
            yield from _asked(node.right, (*guards, left))
        case nodes.Not():
            yield from _asked(node.node, guards)
        case nodes.Compare() if not all(each.op in _ASKED_SAFELY for each in node.ops):
            yield from _plain(node, guards)
        case nodes.Filter():
            yield from _said(node, guards)
        case _:
            return


def _plain(node: nodes.Node, guards: _Guards) -> Iterator[Need]:
    path = plain_path(node)
    if path:
        yield Need(path, guards, node.lineno)
        return
    for child in node.iter_child_nodes():
        yield from _said(child, guards)
