"""A route's wordings, compiled for one locale, and what an event makes of them."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from babel import Locale
from jinja2 import UndefinedError, nodes
from jinja2.runtime import Context

from consumer.core.fields import field_flaws, finest, plural_flaws, shown_cardinalities, shown_flaws
from consumer.core.filters import LOOKED_AT, RENDER_ERRORS, UnsayableError
from consumer.core.model import Message
from consumer.core.templates import (
    TEXT_BYTES,
    FieldPath,
    Flaw,
    Reader,
    Render,
    Sandbox,
    compile_template,
    context_of,
    escape_data,
    field_paths,
    read_template,
    reader_of,
    sandbox,
    word_flaws,
)
from consumer.core.text import NEVER_SCHEMES, LinkRule, canonical, clean_link, link_scheme
from schemas.envelope import Cardinality, Event

PARTS = ("title", "text", "link", "image")
_REMEMBERED = 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unrendered:
    """Why an event cannot be said in a wording. `detail` names fields and rules, never values."""

    part: str
    detail: str


@dataclass(frozen=True, slots=True)
class Wording:
    """One step of the ladder, read: the tree of each of its parts. `own` are those that show somebody's own."""

    trees: Mapping[str, nodes.Template]
    shown: Mapping[str, Cardinality]
    own: frozenset[str] = frozenset()

    @property
    def unique(self) -> bool:
        return Cardinality.UNIQUE in self.shown.values()


def read_wording(
    sources: Mapping[str, str], locale: Locale, models: Sequence[type[Event]]
) -> tuple[Wording, list[tuple[str, Flaw]]]:
    """The wording and every flaw in it, each with the name of its part."""
    environment = sandbox(locale)
    trees: dict[str, nodes.Template] = {}
    shown: dict[str, Cardinality] = {}
    own: set[str] = set()
    flaws: list[tuple[str, Flaw]] = []
    for part, source in sources.items():
        tree = read_template(source, environment)
        if isinstance(tree, Flaw):
            flaws.append((part, tree))
            continue
        flaws += [(part, flaw) for flaw in _flaws(part, tree, locale, models)]
        seen = shown_cardinalities(tree, models)
        shown = finest(chain(shown.items(), seen.items()))
        own |= {part} if Cardinality.UNIQUE in seen.values() else set()
        trees[part] = escape_data(tree) if part in ("link", "image") else tree
    return Wording(trees, shown, frozenset(own)), flaws


def _flaws(part: str, tree: nodes.Template, locale: Locale, models: Sequence[type[Event]]) -> Iterator[Flaw]:
    yield from word_flaws(tree, sandbox(locale))
    unknown = list(field_flaws(tree, models))
    yield from unknown or shown_flaws(tree, models)
    yield from plural_flaws(tree, locale)
    if part in ("link", "image"):
        yield from _scheme_flaws(part, tree)


def _scheme_flaws(part: str, tree: nodes.Template) -> Iterator[Flaw]:
    start = literal_start(tree)
    scheme = link_scheme(start) if start is not None else "https"
    if scheme is None:
        yield Flaw(1, f"this {part} has no scheme", "begin it with https:// or {{ lane.slug }}://")
    elif scheme in NEVER_SCHEMES:
        yield Flaw(1, f"a {part} must not begin with {scheme}:", "begin it with https:// or {{ lane.slug }}://")
    elif part == "image" and scheme != "https":
        yield Flaw(1, "an image must begin with https://")


def literal_start(tree: nodes.Template) -> str | None:
    """What a template begins with whatever the event; None where that depends on the event."""
    first = tree.body[0] if tree.body else nodes.Output([nodes.TemplateData("")])
    head = first.nodes[0] if isinstance(first, nodes.Output) else None
    return head.data if isinstance(head, nodes.TemplateData) else None


class Lately(Generic[T]):
    """What was made of some values; of so many, those that were asked for last."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable) -> T | None:
        known = self._made.get(key)
        if known is not None:
            self._made.move_to_end(key)
        return known

    def put(self, key: Hashable, made: T) -> None:
        self._made[key] = made
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)


def read_paths(trees: Iterable[nodes.Template]) -> tuple[FieldPath, ...]:
    """All that templates read: the fields that they name, and what their filters look at beside them."""
    named = {path for tree in trees for path, _ in field_paths(tree)}
    beside = {path for tree in trees for each in tree.find_all(nodes.Filter) for path in LOOKED_AT.get(each.name, ())}
    return tuple(sorted(named | beside))


@dataclass(slots=True)
class CompiledPart:
    """A title, a text, a link or an image. Where it `repeats`, though the wording does not, it is remembered by what it
    reads; None where it does not."""

    name: str
    made: str | Render
    repeats: tuple[Reader, ...] | None
    _memory: Lately[str] = field(default_factory=Lately)

    def render(self, context: Context, links: LinkRule) -> str | Unrendered:
        if self.repeats is None:
            return _part(self.name, self.made, context, links)
        key = (links, *[read(context.parent) for read in self.repeats])
        known = self._memory.get(key)
        if known is not None:
            return known
        made = _part(self.name, self.made, context, links)
        if isinstance(made, str):
            self._memory.put(key, made)
        return made


@dataclass(slots=True)
class CompiledWording:
    """A wording that can be rendered. What it made of the same values is remembered, unless it is somebody's own."""

    environment: Sandbox
    wording: Wording
    parts: tuple[CompiledPart, ...] = ()
    paths: tuple[FieldPath, ...] = ()
    unique: bool = False
    _readers: tuple[Reader, ...] = ()
    _memory: Lately[Message] = field(default_factory=Lately)

    @classmethod
    def of(cls, wording: Wording, locale: Locale) -> "CompiledWording":
        environment = sandbox(locale)
        paths = read_paths(wording.trees.values())
        parts = tuple(
            CompiledPart(part, compile_template(tree, environment), _repeating(part, wording))
            for part, tree in wording.trees.items()
        )
        return cls(environment, wording, parts, paths, wording.unique, readers_of(paths))

    def render(self, names: dict[str, Any], links: LinkRule) -> Message | Unrendered:
        """The message for an event. `links`: where a link may lead."""
        if self.unique:
            return self._rendered(names, links)
        key = (links, *[read(names) for read in self._readers])
        known = self._memory.get(key)
        if known is not None:
            return known
        made = self._rendered(names, links)
        if isinstance(made, Message):
            self._memory.put(key, made)
        return made

    @property
    def remembered(self) -> int:
        """How many renderings are kept."""
        return len(self._memory)

    def _rendered(self, names: dict[str, Any], links: LinkRule) -> Message | Unrendered:
        context = context_of(names, self.environment)
        said: dict[str, str] = {}
        for part in self.parts:
            made = part.render(context, links)
            if isinstance(made, Unrendered):
                return made
            if made:
                said[part.name] = made
        return Message(said.get("title", ""), said["text"], said.get("link"), said.get("image"))


def _repeating(part: str, wording: Wording) -> tuple[Reader, ...] | None:
    """A wording that repeats is remembered whole."""
    return readers_of(read_paths([wording.trees[part]])) if wording.unique and part not in wording.own else None


def readers_of(paths: Iterable[FieldPath]) -> tuple[Reader, ...]:
    return tuple(map(reader_of, paths))


def _part(part: str, render: str | Render, context: Context, links: LinkRule) -> str | Unrendered:
    try:
        text = render if isinstance(render, str) else render(context)
    except RENDER_ERRORS as error:
        return Unrendered(part, _detail(error))
    return _clean_text(part, text) if part in ("title", "text") else _clean_link(part, text, links)


def _clean_text(part: str, text: str) -> str | Unrendered:
    text = canonical(text)
    if len(text.encode()) > TEXT_BYTES:
        return Unrendered(part, f"longer than {TEXT_BYTES} bytes")
    return text or Unrendered(part, "empty")


def _clean_link(part: str, text: str, links: LinkRule) -> str | Unrendered:
    """An empty link is none: a template may leave it out with an `if`."""
    if not text.strip():
        return ""
    link = clean_link(text, links.schemes if part == "link" else ("https",), links.hosts)
    return link if link is not None else Unrendered(part, "not a link that may be opened")


def _detail(error: Exception) -> str:
    """Only our own messages and those about absent fields are known to hold no value of the event."""
    if isinstance(error, UnsayableError | UndefinedError):
        return str(error)
    return type(error).__name__
