"""Mappings looked at before they run: expressions, names, types and examples, each mistake with file and line."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathError

from consumer.core.decode import Undecodable, document_of
from consumer.core.document import Path, Problem, Tree, locate, read_part, read_tree
from consumer.core.event_types import EventTypes
from consumer.core.fields import Meaning, kinds, meaning
from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.mapping import FUNCTIONS, ROOTS, Translator, functions_of, roots_of
from consumer.core.mapping_file import MappingExample, MappingFile, TypeRule
from consumer.core.model import Ignored, Position, Record
from consumer.core.templates import Flaw, nearest
from schemas.envelope import Event, Part

BYTES_LIMIT = 1024 * 1024
_PLACE = Position("example", 0, 0)
_MOMENT = 1_788_246_900.0
_OURS = ("type", "version")


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """A mapping without mistakes."""

    mapping: MappingFile
    translate: Translator = field(repr=False)


@dataclass(frozen=True, slots=True)
class MappingText:
    """A mapping as it was read: its file's name and text, and the texts of its examples' files by the names that stand
    in it; a file that is not there is left out."""

    file: str
    text: str
    examples: Mapping[str, bytes]


def examples_of(text: str) -> list[str]:
    """The files that a mapping names as its examples, as far as it can be read."""
    tree = read_tree(text, "")
    said = tree.data.get("examples") if isinstance(tree, Tree) and isinstance(tree.data, dict) else None
    events = [each.get("event") for each in (said if isinstance(said, list) else ()) if isinstance(each, dict)]
    return [event for event in events if isinstance(event, str)]


def read_mapping(source: MappingText, types: EventTypes) -> LoadedMapping | list[Problem]:
    """The mapping, or everything that is wrong with it. `types`: the events that there are."""
    tree = read_tree(source.text, source.file)
    if not isinstance(tree, Tree):
        return tree
    mapping = read_part(tree, (), MappingFile)
    if isinstance(mapping, list):
        return mapping
    checked = _Checked(tree, mapping, types)
    problems = [*checked.expressions(), *checked.targets(), *checked.leftovers()]
    if problems:
        return sorted(set(problems))
    translate = Translator(mapping)
    problems = list(_Examples(checked, translate, source.examples).problems())
    return sorted(set(problems)) or LoadedMapping(mapping, translate)


@dataclass(frozen=True, slots=True)
class _Checked:
    tree: Tree
    mapping: MappingFile
    types: EventTypes

    def problem(self, path: Path, what: str, mend: str = "") -> Problem:
        return Problem(self.tree.file, locate(self.tree, path), what, mend)

    # --- expressions --------------------------------------------------------------------------------------------------

    def _sources(self) -> Iterator[tuple[Path, str, str]]:
        if self.mapping.where is not None:
            yield ("where",), "where", self.mapping.where
        if isinstance(self.mapping.type, TypeRule):
            yield ("type", "from"), "type", self.mapping.type.from_
        for name, rule in self.mapping.rules.items():
            if rule.from_ is not None:
                yield ("fields", name, "from"), name, rule.from_

    def expressions(self) -> Iterator[Problem]:
        for path, name, source in self._sources():
            try:
                roots, functions = list(roots_of(source)), list(functions_of(source))
            except JMESPathError as error:
                words = str(error).splitlines()[0]
                yield self.problem(path, f"{name}: no expression of JMESPath: {words}", "see https://jmespath.org")
                continue
            except RecursionError:
                yield self.problem(path, f"{name}: the expression is nested too deeply")
                continue
            for function in functions:
                yield self.problem(path, f'{name}: there is no function "{function}"', nearest(function, FUNCTIONS))
            yield from self._root_problems(path, name, roots)
            yield from self._header_problems(path, name, source)

    def _root_problems(self, path: Path, name: str, roots: list[str]) -> Iterator[Problem]:
        for root in roots:
            if root not in ROOTS:
                mend = f'the foreign event is "body": body.{root}' if root not in ("header", "value") else ""
                yield self.problem(path, f'{name}: there is no "{root}" to begin with', mend or nearest(root, [*ROOTS]))

    def _header_problems(self, path: Path, name: str, source: str) -> Iterator[Problem]:
        _, found, behind = source.partition("headers.")
        header = behind[1:].split('"')[0] if behind.startswith('"') else ""
        if found and header != header.lower():
            mend = f'write headers."{header.lower()}"'
            yield self.problem(path, f"{name}: names of headers are read in small letters", mend)

    # --- our side -----------------------------------------------------------------------------------------------------

    def targets(self) -> Iterator[Problem]:
        """Types and fields that our events do not have."""
        for name in self.mapping.types:
            if name not in self.types.models:
                path: Path = ("type",) if isinstance(self.mapping.type, str) else ("type", "table", self._word_of(name))
                yield self.problem(path, f'there is no event "{name}"', nearest(name, dict(self.types.models)))
        for name in self.mapping.fields:
            yield from self._target_problems(name)

    def _word_of(self, name: str) -> str:
        table = self.mapping.type.table if isinstance(self.mapping.type, TypeRule) else {}
        return next((word for word, ours in table.items() if ours == name), "")

    def _models(self) -> list[type[Event]]:
        return [self.types.models[name] for name in self.mapping.types if name in self.types.models]

    def _target_problems(self, name: str) -> Iterator[Problem]:
        path: Path = ("fields", name)
        if name in _OURS:
            yield self.problem(
                path, f'"{name}" is no field to fill in: it is what the mapping makes', "say it in type:"
            )
            return
        found = [meaning(("event", *name.split(".")), model) for model in self._models()]
        flaws = [each for each in found if isinstance(each, Flaw)]
        if flaws and len(flaws) == len(found):
            # A mapping names fields without the `event.` that templates need.
            mend = flaws[0].mend.replace("event.", "")
            yield self.problem(path, f'our events have no field "{name}"', mend)
        for each in found:
            if isinstance(each, Meaning) and any(issubclass(kind, Part) for kind in kinds(each.annotation)):
                yield self.problem(path, f'"{name}" is a part of an event and no field', f"say {name}.… for each field")
                return

    def leftovers(self) -> Iterator[Problem]:
        """Fields that an event must have and that nothing gives."""
        for model in self._models():
            for name in _required(model, ""):
                if name not in (*_OURS, *self.mapping.fields):
                    what = f"our events must have {name}, and no field gives it"
                    yield self.problem(("fields",), what, f"add {name}: to the fields")


def _required(model: type[Any], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if not info.is_required():
            continue
        parts = [kind for kind in kinds(info.annotation) if issubclass(kind, Part)]
        if parts:
            yield from _required(parts[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


# --- examples ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Examples:
    checked: _Checked
    translate: Translator
    files: Mapping[str, bytes]

    def problems(self) -> Iterator[Problem]:
        for index, example in enumerate(self.checked.mapping.examples):
            where: Path = ("examples", index)
            value = self.files.get(example.event)
            if value is None:
                yield self.checked.problem((*where, "event"), f'there is no file "{example.event}"')
                continue
            document = document_of(value, BYTES_LIMIT)
            if isinstance(document, Undecodable):
                what = f'"{example.event}" is not JSON: {document.reason.value} {document.detail}'
                yield self.checked.problem((*where, "event"), what)
                continue
            yield from self._differences(where, example, value)

    def _differences(self, where: Path, example: MappingExample, value: bytes) -> Iterator[Problem]:
        headers = tuple((name, text.encode()) for name, text in example.headers.items())
        key = None if example.key is None else example.key.encode()
        formats = Formats({_PLACE.topic: SourceFormat(Format.JSON, translate=self.translate)}, self.checked.types)
        opened = formats.read(Record(_PLACE, _MOMENT, key, value, headers), BYTES_LIMIT)
        problem = self.checked.problem
        if isinstance(opened.event, Undecodable):
            what = f"no event comes of it: {opened.event.reason.value}: {opened.event.detail}"
            yield problem((*where, "event"), what, "mend the field's rule, or the example")
        elif isinstance(opened.event, Ignored):
            if example.expect != "ignored":
                yield problem((*where, "expect"), "nothing comes of it", "say expect: ignored, or mend type and where")
        elif example.expect == "ignored":
            yield problem((*where, "expect"), f"{opened.event.type} comes of it, and nothing was expected")
        else:
            made = json.loads(opened.record.value or b"{}")
            yield from self._unlike(where, example.expect, made)

    def _unlike(self, where: Path, expect: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[Problem]:
        for name, wanted in expect.items():
            got: Any = made
            for step in name.split("."):
                got = got.get(step) if isinstance(got, dict) else None
            if got != wanted:
                what = f"{name} is {json.dumps(got, ensure_ascii=False)}"
                mend = f"expected is {json.dumps(wanted, ensure_ascii=False)}"
                yield self.checked.problem((*where, "expect", name), what, mend)
