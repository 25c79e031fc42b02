"""Whether conditions can ever hold, alone or together: what is surely impossible is told, all else is let through.

A condition is taken apart into alternatives, each a list of demands on single fields; an alternative is possible when
every field has a value that meets all demands on it. What cannot be taken apart demands nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from itertools import pairwise, product
from typing import Any

from jinja2 import nodes

from consumer.core.fields import Meaning, kinds, meaning
from consumer.core.templates import FieldPath, field_paths, plain_path
from schemas.envelope import Event

# More alternatives than this are not looked at: the condition counts as possible.
_ALTERNATIVES = 256
_OPPOSITES = {"eq": "ne", "in": "notin", "gt": "lteq", "lt": "gteq", "true": "false"}
_OPPOSITES |= {opposite: name for name, opposite in _OPPOSITES.items()}
_TURNED = {"eq": "eq", "ne": "ne", "gt": "lt", "lt": "gt", "gteq": "lteq", "lteq": "gteq"}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a condition asks of one field: `in` and `notin` have a tuple, `true` and `false` nothing to compare."""

    path: FieldPath
    how: str
    value: Any = None

    @property
    def opposite(self) -> "Demand":
        return Demand(self.path, _OPPOSITES[self.how], self.value)


_Alternative = tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is known of fields beside their types: the events that a route is for, and the few values of some paths."""

    models: Sequence[type[Event]]
    known: Mapping[FieldPath, tuple[Any, ...]]


def impossible(tree: nodes.Expr, grounds: Grounds) -> list[Demand]:
    """The demands for which a condition can never hold: one where it alone is impossible, else those that contradict
    one another. Empty when it can hold, as far as anybody can tell."""
    alternatives = _alternatives(tree, True)
    if _possible(alternatives, grounds):
        return []
    demands = list(dict.fromkeys(demand for alternative in alternatives for demand in alternative))
    alone = [demand for demand in demands if not _met((demand,), grounds)]
    return alone[:1] or demands


def can_hold_together(trees: Sequence[nodes.Expr], grounds: Grounds) -> bool:
    """Whether some event could meet all of these conditions; in doubt it could."""
    each = [_alternatives(tree, True) for tree in trees]
    if reduce(lambda count, one: count * len(one), each, 1) > _ALTERNATIVES:
        return True
    return _possible([sum(parts, ()) for parts in product(*each)], grounds)


# --- taking apart -----------------------------------------------------------------------------------------------------


def _alternatives(node: nodes.Node, wanted: bool) -> list[_Alternative]:
    """The ways in which a node can be true (or false): none at all for a constant that is not."""
    match node:
        case nodes.Not():
            return _alternatives(node.node, not wanted)
        case nodes.And() | nodes.Or():
            left, right = _alternatives(node.left, wanted), _alternatives(node.right, wanted)
            if isinstance(node, nodes.And) is not wanted:
                return left + right
            both = len(left) * len(right) <= _ALTERNATIVES
            return [one + other for one, other in product(left, right)] if both else [()]
        case nodes.Const():
            return [()] if bool(node.value) is wanted else []
        case _:
            demand = _demand(node)
            return [()] if demand is None else [(demand if wanted else demand.opposite,)]


def _demand(node: nodes.Node) -> Demand | None:
    """What a node asks of one field; None where it is no such question."""
    path = plain_path(node)
    if path:
        return Demand(spelt(path), "true")
    if isinstance(node, nodes.Test):
        return _tested(node)
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        return _compared(node.expr, node.ops[0])
    return None


_TESTS = {"defined": ("ne", None), "undefined": ("eq", None), "none": ("eq", None)}


def _tested(node: nodes.Test) -> Demand | None:
    path = plain_path(node.node)
    if not path or node.name not in _TESTS:
        return None
    how, value = _TESTS[node.name]
    return Demand(spelt(path), how, value)


def _compared(left: nodes.Expr, operand: nodes.Operand) -> Demand | None:
    how, right = operand.op, operand.expr
    if how in ("in", "notin"):
        path, members = plain_path(left), _constants(right)
        return Demand(spelt(path), how, members) if path and members is not None else None
    if isinstance(left, nodes.Const):
        left, right, how = right, left, _TURNED[how]
    path = plain_path(left)
    return Demand(spelt(path), how, right.value) if path and isinstance(right, nodes.Const) else None


def _constants(node: nodes.Expr) -> tuple[Any, ...] | None:
    items = node.items if isinstance(node, nodes.List | nodes.Tuple) else [nodes.Name("", "load")]
    found = tuple(item.value for item in items if isinstance(item, nodes.Const))
    return found if len(found) == len(items) else None


_PARTS = (*Event.PARTS, "customer")


def spelt(path: FieldPath) -> FieldPath:
    """`event.order.id` and `order.id` are one field. What lies deeper lies in a part, also in a shop's own event."""
    return path[1:] if path[0] == "event" and path[1:2] and (path[2:] or path[1] in _PARTS) else path


def opaque_fields(node: nodes.Node) -> Iterator[FieldPath]:
    """The fields in those parts of a condition that cannot be taken apart: what it demands of them nobody knows."""
    match node:
        case nodes.Not():
            yield from opaque_fields(node.node)
        case nodes.And() | nodes.Or():
            yield from opaque_fields(node.left)
            yield from opaque_fields(node.right)
        case _ if _demand(node) is None:
            yield from (path for path, _ in field_paths(node))


# --- meeting demands --------------------------------------------------------------------------------------------------


def _possible(alternatives: Sequence[_Alternative], grounds: Grounds) -> bool:
    return any(_met(alternative, grounds) for alternative in alternatives)


def _met(alternative: _Alternative, grounds: Grounds) -> bool:
    asked: dict[FieldPath, list[Demand]] = {}
    for demand in alternative:
        asked.setdefault(demand.path, []).append(demand)
    return all(_has_value(path, demands, grounds) for path, demands in asked.items())


def _has_value(path: FieldPath, demands: Sequence[Demand], grounds: Grounds) -> bool:
    return any(all(_meets(value, demand) for demand in demands) for value in candidates(path, demands, grounds))


def candidates(path: FieldPath, demands: Sequence[Demand], grounds: Grounds) -> Iterator[Any]:
    """Values among which one meets the demands if any value of the field does."""
    if path in grounds.known:
        yield from grounds.known[path]
        return
    yield None
    for kind in types_of(path, grounds):
        yield from _VALUES.get(kind, _things)(_named(demands))


def types_of(path: FieldPath, grounds: Grounds) -> list[type]:
    """The plain types that a field has in the events of the route."""
    found = [meaning(path, model) for model in grounds.models]
    told = [kind for each in found if isinstance(each, Meaning) for kind in kinds(each.annotation)]
    return list(dict.fromkeys(told)) or [object]


def _named(demands: Sequence[Demand]) -> list[Any]:
    """The constants that demands compare with."""
    return [one for each in demands for one in (each.value if isinstance(each.value, tuple) else (each.value,))]


def _texts(named: list[Any]) -> Iterator[Any]:
    known = sorted(one for one in named if isinstance(one, str))
    yield from ("", "\0", *known, *(f"{one}\0" for one in known))


def _numbers(named: list[Any]) -> Iterator[Any]:
    known = sorted(Decimal(str(one)) for one in named if isinstance(one, int | float) and not isinstance(one, bool))
    yield from (Decimal(0), Decimal(1), *known, *((low + high) / 2 for low, high in pairwise(known)))
    yield from (one + step for one in known for step in (-1, 1))


def _choices(_named: list[Any]) -> Iterator[Any]:
    yield from (True, False)


class _Anything:
    """A value that meets every demand but to be none: nothing else is known of it."""


def _things(_named: list[Any]) -> Iterator[Any]:
    yield _Anything()


_VALUES: Mapping[type, Callable[[list[Any]], Iterator[Any]]] = {
    str: _texts,
    int: _numbers,
    Decimal: _numbers,
    bool: _choices,
}


def _meets(value: Any, demand: Demand) -> bool:
    """Whether a value meets a demand; one that cannot be compared does not, for then the condition fails."""
    if isinstance(value, _Anything):
        return demand.how != "eq" or demand.value is not None
    match demand.how:
        case "true" | "false":
            return bool(value) is (demand.how == "true")
        case "eq" | "ne":
            return (value == demand.value) is (demand.how == "eq")
        case "in" | "notin":
            return (value in demand.value) is (demand.how == "in")
        case _:
            return _in_order(value, demand)


def _in_order(value: Any, demand: Demand) -> bool:
    try:
        return _ORDER[demand.how](value, demand.value)
    except TypeError:
        return False


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, other: bool(value > other),
    "gteq": lambda value, other: bool(value >= other),
    "lt": lambda value, other: bool(value < other),
    "lteq": lambda value, other: bool(value <= other),
}
