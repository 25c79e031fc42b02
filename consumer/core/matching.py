"""Routes that no event can ever come to, and routes of one lane that tell one person twice of the same event."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

from jinja2 import nodes

from consumer.core.conditions import Demand, Grounds, can_hold_together, impossible, types_of
from consumer.core.document import Problem, locate
from consumer.core.profile import LaneFacts, LaneProfile
from consumer.core.routes import EXPRESSION_SANDBOX, LoadedRoute, expression_path
from consumer.core.templates import FieldPath, Flaw, nearest, read_expression
from schemas.envelope import Event

_SIGNS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false, without quotes"),
    (int, "a number, without quotes"),
    (Decimal, "a number, without quotes"),
    (str, "a text, in quotes"),
)


def warn_unmatched(loaded: LoadedRoute, facts: LaneFacts) -> Iterator[Problem]:
    """Why a route can never say anything."""
    route, profile = loaded.route, facts.profile
    if not profile.shops:
        yield loaded.problem(("lane",), f"lane {profile.lane} serves no shop, so that the route can never match")
    elif route.when is not None:
        grounds = _grounds(route.types, route.known, profile)
        demands = impossible(_tree(route.when), grounds)
        if demands or _is_never(route.when):
            yield loaded.problem(("when",), f"when can never hold{_cause(demands)}", _mend(demands, grounds))


def _is_never(when: str) -> bool:
    tree = _tree(when)
    return isinstance(tree, nodes.Const) and not tree.value


def _tree(source: str) -> nodes.Expr:
    tree = read_expression(source, EXPRESSION_SANDBOX)
    return nodes.Const(True) if isinstance(tree, Flaw) else tree


def _grounds(types: Sequence[str], models: Mapping[str, type[Event]], profile: LaneProfile) -> Grounds:
    shops = tuple(profile.shops)
    known: Mapping[FieldPath, tuple[Any, ...]] = {
        ("event", "type"): tuple(types),
        ("event", "shop"): (*shops, None),
        ("shop", "id"): shops,
        ("lane", "id"): (profile.lane,),
        ("lane", "slug"): tuple(shop.slug for shop in profile.shops.values()),
    }
    return Grounds([models[name] for name in types if name in models], known)


def _cause(demands: Sequence[Demand]) -> str:
    if not demands:
        return ""
    if len(demands) == 1:
        return f": {_words(demands[0])} is never true"
    return f": {' and '.join(_words(each) for each in demands)} contradict one another"


def _words(demand: Demand) -> str:
    name = ".".join(demand.path)
    if demand.how in ("true", "false"):
        return name if demand.how == "true" else f"not {name}"
    return f"{name} {_SIGNS[demand.how]} {demand.value!r}"


def _mend(demands: Sequence[Demand], grounds: Grounds) -> str:
    if not demands:
        return "enabled: false switches a route off"
    if len(demands) > 1:
        return "write `or` where one of them is enough"
    path, value = demands[0].path, demands[0].value
    if path in grounds.known:
        known = [str(each) for each in grounds.known[path] if each is not None]
        return nearest(value if isinstance(value, str) else "", known) if known else ""
    told = next((words for kind, words in _KINDS if kind in types_of(path, grounds)), "")
    return f"{'.'.join(path)} is {told}" if told else ""


# --- who is told twice ------------------------------------------------------------------------------------------------


def warn_shadowed(loaded: Sequence[LoadedRoute], facts: LaneFacts) -> Iterator[Problem]:
    """Routes of one lane by which one person is told twice of one event."""
    for first, second in combinations([each for each in loaded if each.route.enabled], 2):
        common = [name for name in first.route.types if name in second.route.types]
        if common and _overlap(first, second, common, facts.profile):
            place = f"{first.tree.file}:{locate(first.tree, (first.index,))}"
            what = f"whom route {first.route.id} tells of {common[0]}, this one tells too ({place})"
            yield second.problem(("id",), what, "add to `when` what tells them apart, or make them one")


def _overlap(first: LoadedRoute, second: LoadedRoute, types: Sequence[str], profile: LaneProfile) -> bool:
    """Whether one event at one time may come to both, for the same person."""
    one, other = first.route, second.route
    if _whom(first) != _whom(second):
        return False
    if (one.until and other.from_ and one.until <= other.from_) or (
        other.until and one.from_ and other.until <= one.from_
    ):
        return False
    trees = [_tree(each.when) for each in (one, other) if each.when is not None]
    return can_hold_together(trees, _grounds(types, one.known, profile))


def _whom(loaded: LoadedRoute) -> object:
    path = expression_path(loaded.route.to)
    return (path if path[0] == "event" else ("event", *path)) if path else loaded.route.to
