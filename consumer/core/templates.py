"""Templates of texts, links and conditions: Jinja2 cut down to what a text needs, with words for people's languages.

A template may name fields, choose with `if` and use the filters below. It cannot call, loop, import or multiply, so
that none can eat the machine; data is never a template. What a field does not hold is Absent: false in a condition, an
error in a text.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from babel import Locale
from jinja2 import TemplateSyntaxError, nodes
from jinja2.nodes import EvalContext
from jinja2.parser import Parser
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from consumer.core.filters import FILTERS, TESTS, printed

TEXT_BYTES = 4096

# Whatever a template may hold; anything else is refused before it is compiled.
_ALLOWED_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Name, nodes.Getattr),
    *(nodes.Const, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg, nodes.List, nodes.Tuple, nodes.Keyword),
)
_TROUBLE = (TemplateSyntaxError, RecursionError)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a template, the line in it (from 1), and what would be right."""

    line: int
    what: str
    mend: str = ""


class Absent(StrictUndefined):
    """A field that the event does not have: false, equal to nothing, deeper fields absent too; never a text."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(None)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one locale. Only fields of events and keys of mappings can be reached, no attribute of
    Python's."""

    def __init__(self, locale: Locale) -> None:
        super().__init__(undefined=Absent, finalize=printed, autoescape=False, cache_size=0)
        self.locale = locale
        self.globals.clear()
        self.filters = {name: make(locale) for name, make in FILTERS.items()}
        self.tests = dict(TESTS)
        self.eval_ctx = EvalContext(self)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, BaseModel):
            members: Mapping[str, Any] = obj.__dict__
        elif isinstance(obj, dict):
            members = obj
        else:
            return Absent(obj=obj, name=attribute)
        return members[attribute] if attribute in members else Absent(obj=obj, name=attribute)


class _Names(Context):
    """A context without what Jinja prepares for imports, blocks and macros: there are none, and most of its cost is
    theirs."""

    def __init__(self, environment: Sandbox, names: dict[str, Any]) -> None:
        self.environment = environment
        self.parent = names
        self.vars = {}
        self.exported_vars = set()
        self.eval_ctx = environment.eval_ctx


@lru_cache(maxsize=32)
def sandbox(locale: Locale) -> Sandbox:
    return Sandbox(locale)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_template(source: str, environment: Sandbox) -> nodes.Template | Flaw:
    """The template's tree, once it is known to hold nothing but what is allowed."""
    try:
        tree = environment.parse(source)
    except _TROUBLE as error:
        return _syntax_flaw(error)
    return _forbidden(tree) or tree


def read_expression(source: str, environment: Sandbox) -> nodes.Expr | Flaw:
    """The tree of a condition, a recipient or a thread."""
    try:
        parser = Parser(environment, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            mend = 'did you mean ">="?' if "=>" in source else ""
            return Flaw(parser.stream.current.lineno, "more than one expression", mend)
        tree.set_environment(environment)
    except _TROUBLE as error:
        return _syntax_flaw(error)
    return _forbidden(tree) or tree


def _syntax_flaw(error: Exception) -> Flaw:
    if isinstance(error, TemplateSyntaxError):
        return Flaw(error.lineno, f"template: {error.message}")
    return Flaw(1, "template: nested too deeply")


def _forbidden(tree: nodes.Node) -> Flaw | None:
    for node in (tree, *tree.find_all(nodes.Node)):
        if not isinstance(node, _ALLOWED_NODES):
            name = type(node).__name__.lower()
            return Flaw(node.lineno, f'"{name}" is not possible in a template', "fields, filters and if are")
        if isinstance(node, nodes.Getattr) and (node.attr.startswith("_") or not plain_path(node)):
            return Flaw(
                node.lineno, f'".{node.attr}" is no field of an event', "a template reaches fields, nothing else"
            )
    return None


def word_flaws(tree: nodes.Node, environment: Sandbox) -> Iterator[Flaw]:
    """Filters and tests that there are not. A tree with one of them cannot be compiled."""
    for node in (tree, *tree.find_all((nodes.Filter, nodes.Test))):
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            yield _unknown("filter", node, FILTERS)
        elif isinstance(node, nodes.Test) and node.name not in environment.tests:
            yield _unknown("test", node, TESTS)


def _unknown(kind: str, node: nodes.Filter | nodes.Test, known: Mapping[str, object]) -> Flaw:
    return Flaw(node.lineno, f'unknown {kind} "{node.name}"', nearest(node.name, known))


def nearest(name: str, known: Iterator[str] | Mapping[str, object] | list[str]) -> str:
    """The advice that goes with an unknown name."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    return f'did you mean "{close[0]}"?' if close else f"there are {', '.join(names)}"


# --- compiling --------------------------------------------------------------------------------------------------------

Render = Callable[[Context], str]
Evaluate = Callable[[dict[str, Any]], Any]


def compile_template(tree: nodes.Template, environment: Sandbox) -> str | Render:
    """A text that never changes, or what makes one of a context. Rendering raises one of `RENDER_ERRORS`."""
    parts = [part for output in tree.body if isinstance(output, nodes.Output) for part in output.nodes]
    if len(tree.body) == sum(isinstance(output, nodes.Output) for output in tree.body) and all(
        isinstance(part, nodes.TemplateData) for part in parts
    ):
        return "".join(part.data for part in parts if isinstance(part, nodes.TemplateData))
    root = environment.from_string(tree).root_render_func
    return lambda context: "".join(root(context))


def compile_expression(tree: nodes.Expr, environment: Sandbox) -> Evaluate:
    """What makes the expression's value of names; None where it is absent. Raises one of `RENDER_ERRORS`."""
    path = plain_path(tree)
    if path:
        return reader_of(path)
    whole, brief = _rendered(tree, environment), _brief(tree)
    if brief is None:
        return whole

    def evaluate(names: dict[str, Any]) -> Any:
        try:
            return brief(names)
        except _UndecidedError:
            return whole(names)

    return evaluate


class _UndecidedError(Exception):
    """A part of a text is absent, and what comes of that Jinja knows."""


def _brief(tree: nodes.Expr) -> Evaluate | None:
    """The same without Jinja, in half its time, for what nearly all threads are: texts made of fields and of words, and
    a choice of them. None for everything else."""
    if isinstance(tree, nodes.Const):
        return lambda _: tree.value
    if isinstance(tree, nodes.Concat):
        return _joined([_brief(part) for part in tree.nodes])
    if isinstance(tree, nodes.CondExpr):
        return _chosen(_brief(tree.test), _brief(tree.expr1), _brief(tree.expr2) if tree.expr2 else _nothing)
    path = plain_path(tree)
    return reader_of(path) if path else None


def _joined(parts: Sequence[Evaluate | None]) -> Evaluate | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None

    def join(names: dict[str, Any]) -> str:
        values = [part(names) for part in known]
        if None in values:
            raise _UndecidedError
        return "".join(map(str, values))

    return join


def _chosen(test: Evaluate | None, then: Evaluate | None, other: Evaluate | None) -> Evaluate | None:
    if test is None or then is None or other is None:
        return None
    return lambda names: then(names) if test(names) else other(names)


def _nothing(_: dict[str, Any]) -> None:
    return None


def _rendered(tree: nodes.Expr, environment: Sandbox) -> Evaluate:
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)]
    root = environment.from_string(nodes.Template(body, lineno=1)).root_render_func

    def evaluate(names: dict[str, Any]) -> Any:
        context = context_of(names, environment)
        "".join(root(context))  # runs the assignment; it says nothing
        value = context.vars["result"]
        return None if isinstance(value, Undefined) else value

    return evaluate


def escape_data(tree: nodes.Template) -> nodes.Template:
    """The tree of a link with every value in it percent-encoded, but for one at its very beginning: that is the
    scheme, or a whole link."""
    _escape(tree.body, True)
    return tree


def _escape(body: list[nodes.Node], first: bool) -> None:
    for node in body:
        if isinstance(node, nodes.If):
            for branch in (node.body, *(other.body for other in node.elif_), node.else_):
                _escape(branch, first)
        else:
            output = cast("nodes.Output", node)  # nothing else is allowed there
            output.nodes = [_escaped(part, first and index == 0) for index, part in enumerate(output.nodes)]
        first = False


def _escaped(part: nodes.Expr, first: bool) -> nodes.Expr:
    if first or isinstance(part, nodes.TemplateData):
        return part
    return nodes.Filter(part, "quote", [], [], None, None, lineno=part.lineno, environment=part.environment)


# --- fields -----------------------------------------------------------------------------------------------------------

FieldPath = tuple[str, ...]
Reader = Callable[[Mapping[str, Any]], Any]


def plain_path(node: nodes.Node) -> FieldPath:
    """`event.order.id` as a path; empty for any other expression."""
    names: list[str] = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    return (node.name, *reversed(names)) if isinstance(node, nodes.Name) else ()


def field_paths(tree: nodes.Node) -> Iterator[tuple[FieldPath, int]]:
    """Every field that is named in the tree, with its line."""
    path = plain_path(tree)
    if path:
        yield path, tree.lineno
        return
    for child in tree.iter_child_nodes():
        yield from field_paths(child)


def value_at(names: Mapping[str, Any], path: FieldPath) -> Any:
    """The value of a field, None where it or something above it is absent."""
    return reader_of(path)(names)


def reader_of(path: FieldPath) -> Reader:
    """What reads the value of a field; None where it or something above it is absent."""
    head, *steps = path

    def read(names: Mapping[str, Any]) -> Any:
        value = names.get(head)
        for name in steps:
            if value is None:
                return None
            value = value.get(name) if isinstance(value, dict) else value.__dict__.get(name)
        return value

    return read


def context_of(names: dict[str, Any], environment: Sandbox) -> Context:
    """What a compiled template is rendered with; it may be used for several templates of one locale. The names are
    read and never written."""
    return _Names(environment, names)
