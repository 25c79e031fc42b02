"""Which fields a template names, whether its events have them, and how many different texts can come of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from babel import Locale
from jinja2 import nodes
from pydantic import BaseModel

from consumer.core.filters import RELATIVE_DAY, accepts_forms, plural_categories
from consumer.core.templates import FieldPath, Flaw, field_paths, nearest, plain_path
from schemas.envelope import Cardinality, Event

# What a template finds beside the event: the lane and the shop. They are the same for everybody.
SURROUNDINGS = {"lane": ("id", "slug"), "shop": ("id",)}
CUSTOMER = "customer"

# Filters that make few values of many.
_COARSER = {
    "day": Cardinality.BUCKETED,
    "date": Cardinality.BUCKETED,
    "relative_day": Cardinality.BUCKETED,
    "time": Cardinality.BUCKETED,
    "length": Cardinality.BUCKETED,
}
# What a filter takes; whatever else a field is, the filter fails with every event.
_TAKES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "money": ("a number", (int, Decimal)),
    "number": ("a number", (int, Decimal)),
    "plural": ("a number", (int, Decimal)),
    "day": ("a date", (date,)),
    "date": ("a date", (date,)),
    "relative_day": ("a date", (date,)),
    "time": ("a time", (datetime,)),
    "phone": ("a text", (str,)),
    "shorten": ("a text", (str, int, Decimal)),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a field is: a leaf with its type and cardinality, or a part with fields of its own."""

    annotation: Any
    cardinality: Cardinality | None


def parts_of(model: type[Event]) -> tuple[str, ...]:
    """What a template may name of an event without `event.` before it."""
    return tuple(part for part in (*model.PARTS, CUSTOMER) if part in model.model_fields)


def meaning(path: FieldPath, model: type[Event]) -> Meaning | Flaw:
    """What a path means for one event type, or why it means nothing. The flaw's line is 1."""
    head, *steps = path
    if head in SURROUNDINGS:
        return _surrounding(path)
    if head in parts_of(model):
        steps = [head, *steps]
    elif head != "event":
        names = ["event", *parts_of(model), *SURROUNDINGS]
        return Flaw(1, f'there is no "{head}" here', nearest(head, names))
    return _descend(path, len(path) - len(steps), model)


def _surrounding(path: FieldPath) -> Meaning | Flaw:
    keys = SURROUNDINGS[path[0]]
    if len(path) != 2 or path[1] not in keys:
        return Flaw(1, f'there is no "{".".join(path)}"', nearest(".".join(path), [f"{path[0]}.{key}" for key in keys]))
    return Meaning(str, Cardinality.ONE_OF_N)


def _descend(path: FieldPath, first: int, model: type[BaseModel]) -> Meaning | Flaw:
    found = Meaning(model, None)
    for index in range(first, len(path)):
        here = _model(found.annotation)
        known = here.model_fields if here else {}
        if path[index] not in known:
            return Flaw(1, f'the event has no field "{".".join(path)}"', _instead(path, index, list(known)))
        marks = [mark for mark in known[path[index]].metadata if isinstance(mark, Cardinality)]
        found = Meaning(known[path[index]].annotation, marks[0] if marks else None)
    return found


def _instead(path: FieldPath, index: int, known: Sequence[str]) -> str:
    """The path as it was probably meant, ready to be copied; or what there is at its wrong step."""
    close = get_close_matches(path[index], sorted(known), 1)
    if close:
        return f'did you mean "{".".join((*path[:index], close[0], *path[index + 1 :]))}"?'
    return f"{'.'.join(path[:index])} has {', '.join(sorted(known)) or 'no fields of its own'}"


def may_be_empty(path: FieldPath, model: type[Event]) -> Iterator[int]:
    """How many steps of a path lead to something that an event may leave out; nothing where it must have all."""
    here: type[BaseModel] | None = model
    for index in range(0 if path[0] in parts_of(model) else 1, len(path)):
        field = here.model_fields.get(path[index]) if here else None
        if field is None:
            return
        if _allows_none(field.annotation):
            yield index + 1
        here = _model(field.annotation)


def _allows_none(annotation: Any) -> bool:
    return annotation is type(None) or any(_allows_none(each) for each in _alternatives(annotation))


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows, one beside the other."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return get_args(annotation)[:1]
    return get_args(annotation) if origin in (Union, UnionType) else ()


def _model(annotation: Any) -> type[BaseModel] | None:
    return next((each for each in kinds(annotation) if issubclass(each, BaseModel)), None)


def kinds(annotation: Any) -> Iterator[type]:
    """The plain types that an annotation allows, None left out."""
    origin, alternatives = get_origin(annotation), _alternatives(annotation)
    for each in alternatives:
        yield from kinds(each)
    if not alternatives and isinstance(origin or annotation, type) and annotation is not type(None):
        yield origin or annotation


# --- checks -----------------------------------------------------------------------------------------------------------


def field_flaws(tree: nodes.Node, models: Sequence[type[Event]]) -> Iterator[Flaw]:
    """Fields that one of the event types does not have; where no type is known, those that no event could have."""
    for path, line in field_paths(tree):
        for model in models or _any_event(path):
            found = meaning(path, model)
            if isinstance(found, Flaw):
                suffix = f" in {_type_name(model)}" if len(models) > 1 else ""
                yield Flaw(line, found.what + suffix, found.mend)
                break


def _any_event(path: FieldPath) -> tuple[type[Event], ...]:
    """What every event has, where the path is about nothing else."""
    common = path[0] == "event" and path[1:] and path[1] in Event.model_fields
    return (Event,) if common or path[0] in (CUSTOMER, *SURROUNDINGS) else ()


def _type_name(model: type[Event]) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


def shown_flaws(tree: nodes.Template, models: Sequence[type[Event]]) -> Iterator[Flaw]:
    """Fields that stand in a text though they are none: parts, lists, and dates without a filter; and fields given to
    filters that cannot say them."""
    yield from _misfit_flaws(tree, models)
    for output in tree.find_all(nodes.Output):
        for part in output.nodes:
            path = plain_path(part)
            found = meaning(path, models[0]) if path and models else None
            if isinstance(found, Meaning):
                yield from _shown(path, found, part.lineno)


def _misfit_flaws(tree: nodes.Template, models: Sequence[type[Event]]) -> Iterator[Flaw]:
    for node in tree.find_all(nodes.Filter):
        wanted, path = _TAKES.get(node.name), plain_path(node.node) if node.node else ()
        found = meaning(path, models[0]) if wanted and path and models else None
        if wanted and isinstance(found, Meaning) and not _fits(found, wanted[1]):
            yield Flaw(node.lineno, f'"{".".join(path)}" is not {wanted[0]}, which {node.name} wants')


def _fits(found: Meaning, wanted: tuple[type, ...]) -> bool:
    known = list(kinds(found.annotation))
    return not known or any(issubclass(kind, wanted) and not issubclass(kind, bool) for kind in known)


def names_near_day(tree: nodes.Node) -> bool:
    """Whether a text says `tomorrow`, so that the day of the event is in it although it is not named."""
    return any(node.name == RELATIVE_DAY for node in tree.find_all(nodes.Filter))


def _shown(path: FieldPath, found: Meaning, line: int) -> Iterator[Flaw]:
    name = ".".join(path)
    for kind in kinds(found.annotation):
        if issubclass(kind, date | datetime):
            yield Flaw(line, f'"{name}" is a date', f"write {{{{ {name} | day }}}}, or | date, or | time")
        elif issubclass(kind, BaseModel):
            yield Flaw(line, f'"{name}" is not a text', nearest("", list(kind.model_fields)))
        elif issubclass(kind, bool | tuple):
            yield Flaw(line, f'"{name}" is a {"choice" if issubclass(kind, bool) else "list"}, not a text')


def plural_flaws(tree: nodes.Node, locale: Locale) -> Iterator[Flaw]:
    """Plurals with too few or too many forms for the language."""
    for node in tree.find_all(nodes.Filter):
        if node.name == "plural" and not accepts_forms(locale, len(node.args)):
            yield Flaw(node.lineno, f"plural has {len(node.args)} forms", _forms_wanted(locale))


_FIGURES = ("no", "one form", "two forms", "three forms", "four forms", "five forms", "six forms")
_PLURALS = {"ru": "'бонус', 'бонуса', 'бонусов'", "en": "'point', 'points'"}


def _forms_wanted(locale: Locale) -> str:
    """Beside `few`, `other` is for fractions only, and may be left out."""
    names = plural_categories(locale)
    names = names[:-1] if "few" in names else names
    shown = _PLURALS.get(locale.language)
    sample = f", as in plural({shown})" if shown else ""
    return f"{locale.english_name} needs {_FIGURES[len(names)]}: {', '.join(names)}{sample}"


# --- cardinality ------------------------------------------------------------------------------------------------------


def shown_cardinalities(tree: nodes.Template, models: Sequence[type[Event]]) -> dict[str, Cardinality]:
    """The fields that a text shows, each with how many different values of it can be seen."""
    outputs = (part for output in tree.find_all(nodes.Output) for part in output.nodes)
    return finest(seen for part in outputs for seen in _seen(part, models))


def finest(seen: Iterable[tuple[str, Cardinality]]) -> dict[str, Cardinality]:
    """Each field with the most values that can be seen of it anywhere: where it stands whole, no coarser place hides
    that."""
    shown: dict[str, Cardinality] = {}
    for name, cardinality in seen:
        shown[name] = max(shown.get(name, cardinality), cardinality, key=lambda each: each.rank)
    return shown


def _seen(node: nodes.Node, models: Sequence[type[Event]]) -> Iterator[tuple[str, Cardinality]]:
    path = plain_path(node)
    if path:
        found = [each for each in (meaning(path, model) for model in models) if isinstance(each, Meaning)]
        ranked = [each.cardinality or Cardinality.UNIQUE for each in found]
        yield ".".join(path), max(ranked, key=lambda each: each.rank, default=Cardinality.ONE_OF_N)
    elif isinstance(node, nodes.CondExpr):
        # A condition only chooses: what it asks is not shown.
        for branch in (node.expr1, node.expr2):
            yield from _seen(branch, models) if branch else ()
    else:
        coarsest = _COARSER.get(node.name) if isinstance(node, nodes.Filter) else None
        for child in node.iter_child_nodes():
            for name, cardinality in _seen(child, models):
                yield name, min(cardinality, coarsest or cardinality, key=lambda each: each.rank)
