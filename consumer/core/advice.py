"""What is possible in a route's texts and probably not meant: a language or a step that is missing, a count without
its word's form, what stands there and is never used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from babel import Locale
from jinja2 import nodes

from consumer.core.compiled import FALLBACK_LOCALE
from consumer.core.document import Path, Problem, Tree, locate, read_tree
from consumer.core.fields import Meaning, kinds, meaning, names_near_day
from consumer.core.filters import find_locale, plural_categories
from consumer.core.routes import LoadedRoute, WordingText
from consumer.core.showing import level_name
from consumer.core.templates import Flaw, nearest, plain_path, read_template, sandbox
from consumer.core.units import spell_seconds
from schemas.envelope import Event, Part

NEAR_SECONDS = 12 * 3600.0


def warn_texts(loaded: LoadedRoute) -> Iterator[Problem]:
    """Advice on a route's wordings and examples by themselves."""
    yield from _unused_steps(loaded)
    yield from _uneven_ladders(loaded)
    yield from _unused_expectations(loaded)
    for code, ladder in loaded.route.ladders.items():
        top: Path = ("wordings", code) if code else ("wordings",)
        locale = find_locale(code) if code else None
        for level, wording in enumerate(ladder):
            yield from _bare_counts(loaded, (*top, level), wording, locale)
            yield from _near_days(loaded, (*top, level), wording)


def _unused_steps(loaded: LoadedRoute) -> Iterator[Problem]:
    for code, ladder in loaded.route.ladders.items():
        top: Path = ("wordings", code) if code else ("wordings",)
        if loaded.route.ladder == "off" and len(ladder) > 1:
            yield loaded.problem((*top, 1), "ladder is off, so that this wording is never used", "set ladder: on")
        for level in range(1, len(ladder)):
            if ladder[level] in ladder[:level]:
                what = f"{level_name(level)} says what an earlier wording says, and is never used"
                yield loaded.problem((*top, level), what, "leave something out of it, or leave it out")


def _uneven_ladders(loaded: LoadedRoute) -> Iterator[Problem]:
    ladders = loaded.route.ladders
    most = max(ladders, key=lambda code: len(ladders[code]))
    for code, ladder in ladders.items():
        if len(ladder) < len(ladders[most]):
            count = "1 wording" if len(ladder) == 1 else f"{len(ladder)} wordings"
            what = f"{count} in {code}, and {len(ladders[most])} in {most}"
            mend = "who reads this language keeps a request to themselves that others share"
            yield loaded.problem(("wordings", code), what, mend)


def _unused_expectations(loaded: LoadedRoute) -> Iterator[Problem]:
    for index, example in enumerate(loaded.route.examples):
        unused = [key for key in ("expect", "level", "locale") if key in example.model_fields_set]
        if not example.sent and unused:
            what = f"{unused[0]} is not looked at, for nothing is sent"
            yield loaded.problem(("examples", index, unused[0]), what, "leave it out, or leave out sent: false")


def _near_days(loaded: LoadedRoute, path: Path, wording: WordingText) -> Iterator[Problem]:
    """`tomorrow` is true on the day of the event; what may wait longer is read on another."""
    for part, source in wording.sources().items():
        tree = read_template(source, sandbox(FALLBACK_LOCALE))
        if loaded.route.ttl > NEAR_SECONDS and not isinstance(tree, Flaw) and names_near_day(tree):
            what = f"{part}: relative_day is seen from the day of the event, and ttl lets people read it later"
            yield loaded.problem((*path, part), what, f"a ttl of at most {spell_seconds(NEAR_SECONDS)}, or | day")


def _bare_counts(loaded: LoadedRoute, path: Path, wording: WordingText, locale: Locale | None) -> Iterator[Problem]:
    """`{{ order.items_count }} items`: with one item it is wrong."""
    environment = sandbox(locale or FALLBACK_LOCALE)
    for part in ("title", "text"):
        tree = read_template(wording.sources().get(part, "-"), environment)
        for flaw in [] if isinstance(tree, Flaw) else _counts(tree, loaded.route.models, locale):
            yield loaded.flaw((*path, part), flaw)


def _counts(tree: nodes.Template, models: Sequence[type[Event]], locale: Locale | None) -> Iterator[Flaw]:
    for output in tree.find_all(nodes.Output):
        for shown, behind in zip(output.nodes, output.nodes[1:], strict=False):
            word = _word_in(behind)
            name = ".".join(_counted(shown, models)) if word else ""
            if name:
                forms = ", ".join(f"'{each}'" for each in plural_categories(locale)) if locale else "…"
                yield Flaw(
                    shown.lineno, f'"{word}" after {name} has one form only', f"{{{{ {name} | plural({forms}) }}}}"
                )


def _word_in(node: nodes.Node) -> str:
    """The word with which a text goes on after a space; "" where it goes on otherwise."""
    if not isinstance(node, nodes.TemplateData) or node.data[:1] not in (" ", "\u00a0"):
        return ""
    word = (node.data.split() or [""])[0].rstrip(".,;:!?")
    return word if word.isalpha() and len(word) > 2 else ""


def _counted(node: nodes.Node, models: Sequence[type[Event]]) -> tuple[str, ...]:
    """The field of a count that stands as a bare figure; an amount of money has its currency and is none."""
    if isinstance(node, nodes.Filter) and node.name == "number" and node.node is not None:
        node = node.node
    path = plain_path(node)
    found = meaning(path, models[0]) if path and models else None
    whole = isinstance(found, Meaning) and any(issubclass(kind, int) for kind in kinds(found.annotation))
    return path if whole else ()


# --- one route beside the others --------------------------------------------------------------------------------------


def warn_languages(routes: Sequence[LoadedRoute]) -> Iterator[Problem]:
    """Languages that most routes of a lane speak and one does not: its readers are told in another."""
    spoken = [code for loaded in routes for code in loaded.route.ladders if code]
    for loaded in routes:
        written = set(loaded.route.ladders)
        for code in dict.fromkeys(spoken):
            if "" not in written and code not in written and spoken.count(code) * 2 > len(routes):
                what = f"no wordings in {code}, in which most routes of lane {loaded.route.lane} are"
                yield loaded.problem(("wordings",), what, f"add wordings.{code}")


# --- examples ---------------------------------------------------------------------------------------------------------


def warn_example(model: type[Event], file: str, text: str) -> Iterator[Problem]:
    """Fields of a sample event that look like a slip of the pen: nearly one that the event has and lacks here."""
    tree = read_tree(text, file)
    if isinstance(tree, Tree) and isinstance(tree.data, dict):
        yield from _strange_keys(tree, (), tree.data, model)


def _strange_keys(tree: Tree, path: Path, data: Mapping[str, Any], model: type[Part]) -> Iterator[Problem]:
    known = model.model_fields
    missing = [name for name in known if name not in data]
    for key, value in data.items():
        if key not in known:
            advice = nearest(key, missing) if missing else ""
            if advice.startswith("did you mean"):
                name = ".".join(map(str, (*path, key)))
                yield Problem(tree.file, locate(tree, (*path, key)), f'no event has a field "{name}"', advice)
        elif isinstance(value, dict):
            below = next((kind for kind in kinds(known[key].annotation) if issubclass(kind, Part)), None)
            if below is not None:
                yield from _strange_keys(tree, (*path, key), value, below)
