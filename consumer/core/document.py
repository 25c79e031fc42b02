"""YAML documents read strictly: every mistake at once, each with its file, its line and what would be right.

The YAML is the 1.2 core schema: `on` is a word and not "true", `22:00` is a text and not 1320, a date stays a text for
the model to read. A document is validated as JSON would be, so strict models take a text for an enum or a time and
nothing else for what they are not. What a value was is never repeated in a message: it may be a secret.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

DEPTH_LIMIT = 64
NODE_LIMIT = 200_000


class Strict(BaseModel):
    """The base of everything that people write: no unknown keys, no coercion, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A mistake in a file: where, what is wrong, and what would be right. Lines count from 1."""

    file: str
    line: int
    what: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" + (f"; {self.mend}" if self.mend else "")


@dataclass(frozen=True, slots=True)
class Tree:
    """A document as plain data, and the line on which each of its parts begins."""

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema, so that nothing changes its meaning unasked."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


# A plus sign or a leading zero makes a text: it is a phone number, and would lose them as a number.
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?$"), list("-0123456789")
)

_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}


# --- text to tree -----------------------------------------------------------------------------------------------------


def read_tree(text: str, file: str) -> Tree | list[Problem]:
    """The document's plain data with its lines, or everything that is wrong with it as YAML."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        return [_syntax_problem(error, file)]
    except yaml.reader.ReaderError:
        return [Problem(file, 1, "this is not a text in UTF-8, or has control characters in it")]
    except RecursionError:
        return [Problem(file, 1, f"nested deeper than {DEPTH_LIMIT} levels")]
    return Tree(file, None) if root is None else _Growth(file).grow(root)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    # The parser quotes names it stumbled over, and an unquoted password may look like one.
    what = re.sub(r"'[^'<]{2,}'", "'…'", error.problem or "not YAML")
    return Problem(file, line, f"not YAML: {what}", _syntax_mend(error.problem or ""))


# How the parser says that a line does not go on as the lines above it began.
_BROKEN_OFF = ("<block end>", "end of stream", "could not find expected ':'")


def _syntax_mend(problem: str) -> str:
    if any(words in problem for words in _BROKEN_OFF):
        return "perhaps a closing quote is missing on the line above, or the indentation differs"
    return "quote a text that has one of : # * & ! % @ ` in it"


_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class _Growth:
    """One walk over a document's nodes."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def grow(self, root: yaml.Node) -> Tree | list[Problem]:
        self.lines[()] = root.start_mark.line + 1
        data = self._value(root, ())
        return self.problems or Tree(self.file, data, self.lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if len(path) > DEPTH_LIMIT or self.nodes > NODE_LIMIT:
            return self._too_large(node)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
            return self._say(node, "YAML tags are not read here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _too_large(self, node: yaml.Node) -> None:
        if not any(problem.what.startswith("nested") for problem in self.problems):
            self._say(node, f"nested deeper than {DEPTH_LIMIT} levels, or more than {NODE_LIMIT} values")

    def _item(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._say(key_node, "a key must be a plain word")
                continue
            key = str(key_node.value)
            if key in found:
                self._say(key_node, f'the key "{key}" stands here twice', f"first on line {self.lines[(*path, key)]}")
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self._value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        read = _SCALARS.get(node.tag)
        if read is None:
            return self._say(node, "YAML tags are not read here", "quote a text that begins with !")
        try:
            return read(node.value)
        except ValueError:
            return self._say(node, "a number with too many digits", "quote it if it is a text")

    def _say(self, node: yaml.Node, what: str, mend: str = "") -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, what, mend))


def locate(tree: Tree, path: Path) -> int:
    """The line of a part of the document; of the nearest part above it that has one, when it is not there."""
    while path and path not in tree.lines:
        path = path[:-1]
    return tree.lines.get(path, 1)


# --- tree to model ----------------------------------------------------------------------------------------------------


def read_document(text: str, file: str, model: type[M]) -> M | list[Problem]:
    """The document as `model`, or every mistake in it. An empty document is read as an empty mapping."""
    tree = read_tree(text, file)
    return read_part(tree, (), model) if isinstance(tree, Tree) else tree


def read_part(tree: Tree, path: Path, model: type[M]) -> M | list[Problem]:
    """One part of a document as `model`, or every mistake in it."""
    data = tree.data
    for step in path:
        data = data[step]
    try:
        return model.model_validate_json(json.dumps({} if data is None else data))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    return sorted(_explain(_Findings(tree, path, data, model), errors))


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the explanation of a model's errors needs to know."""

    tree: Tree
    path: Path
    data: Any
    model: type[BaseModel]


def _explain(findings: _Findings, errors: Sequence[ErrorDetails]) -> Iterator[Problem]:
    """One problem for each error; those that alternatives of a union give for one place are made one."""
    places: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        places.setdefault(_place(findings.data, error), []).append(error)
    for place, found in places.items():
        kinds = [error for error in found if _expected(error)]
        others = [error for error in found if not _expected(error)]
        deeper = any(other != place and other[: len(place)] == place for other in places)
        line = locate(findings.tree, (*findings.path, *place))
        if kinds and not others and not deeper:
            wanted = " or ".join(dict.fromkeys(_expected(error) for error in kinds))
            yield Problem(findings.tree.file, line, f"{_named(place)}{wanted} is expected here")
        for error in others:
            what, mend = _words(findings, place, error)
            yield Problem(findings.tree.file, line, what, mend)


def _place(root: Any, error: ErrorDetails) -> Path:
    """The error's location without the names of union members that pydantic puts into it."""
    place: list[str | int] = []
    data = root
    for step in error["loc"]:
        if (isinstance(data, dict) and step in data) or (isinstance(data, list) and isinstance(step, int)):
            data = data[step]  # type: ignore[index]
            place.append(step)
    return tuple(place)


_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "none_required": "nothing",
}


def _expected(error: ErrorDetails) -> str:
    return _KINDS.get(error["type"], "")


def _named(place: Path) -> str:
    name = next((step for step in reversed(place) if isinstance(step, str)), "")
    return f'"{name}": ' if name else ""


def _words(findings: _Findings, place: Path, error: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and what would be right."""
    context = error.get("ctx", {})
    named = _named(place)
    match error["type"]:
        case "missing":
            words = f'the key "{error["loc"][-1]}" is missing', ""
        case "extra_forbidden":
            words = f'unknown key "{place[-1]}"', _nearest(findings.model, place)
        case "literal_error" | "enum":
            words = f"{named}not one of the possible values", f"it is one of {context['expected']}"
        case "union_tag_invalid":
            words = f"{named}unknown {context['discriminator']}", f"it is one of {context['expected_tags']}"
        case "union_tag_not_found":
            words = f"{named}the key {context['discriminator']} is missing", ""
        case "value_error":
            words = f"{named}{context['error']}", ""
        case _:
            words = f"{named}{error['msg'][:1].lower()}{error['msg'][1:]}", ""
    return words


def _nearest(model: type[BaseModel], place: Path) -> str:
    known = sorted({key for parent in _models_at(model, place[:-1]) for key in _keys(parent)})
    close = difflib.get_close_matches(str(place[-1]), known, 1)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"the known keys are {', '.join(known)}"


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _models_at(model: type[BaseModel], place: Path) -> list[type[BaseModel]]:
    """The models that may stand at a place of a document, seen from the annotations."""
    here: list[Any] = [model]
    for step in place:
        here = [below for annotation in here for each in _members(annotation) for below in _below(each, step)]
    return [each for annotation in here for each in _members(annotation) if _is_model(each)]


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _below(annotation: Any, step: str | int) -> list[Any]:
    if _is_model(annotation):
        return [inner for key, inner in _keys(annotation).items() if key == step]
    arguments = [each for each in get_args(annotation) if each is not Ellipsis]
    return arguments[-1:]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
