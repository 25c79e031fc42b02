"""Snapshots: all that routes say of an example, written down beside it, so that no text changes unseen."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from consumer.app.sayings import Saying, sayings
from consumer.app.setup import SNAPSHOT_SUFFIX, Setup
from consumer.core.document import Path as Place
from consumer.core.document import Problem, Tree, locate, read_tree
from consumer.core.model import Message
from consumer.core.showing import level_name
from consumer.core.wordings import PARTS

MEND = "if it is meant: vestnik check --update-snapshots"
_HEAD = "# What people read of {name}. Written by `vestnik check --update-snapshots`, compared by `vestnik check`.\n"

Wordings = dict[str, str]
Content = dict[str, dict[str, list[Wordings]]]
"""Route, language, and its wordings, each by parts."""


def snapshot_path(example: Path) -> Path:
    """Where the snapshot of an example stands."""
    return example.with_name(example.stem + SNAPSHOT_SUFFIX)


def contents(setup: Setup) -> dict[Path, tuple[Path, Content]]:
    """What each snapshot should hold, by its path, and its example. What cannot be rendered is told elsewhere."""
    found: dict[Path, tuple[Path, Content]] = {}
    for saying in sayings(setup.routes, setup.config, setup.sources.types):
        _, content = found.setdefault(snapshot_path(saying.file), (saying.file, {}))
        content[saying.loaded.route.id] = _said(saying)
    return found


def _said(saying: Saying) -> dict[str, list[Wordings]]:
    said: dict[str, list[Wordings]] = {}
    for each in saying.shown:
        if isinstance(each.made, Message):
            parts = ((part, getattr(each.made, part)) for part in PARTS)
            said.setdefault(each.locale, []).append({part: text for part, text in parts if text})
    return said


# --- comparing --------------------------------------------------------------------------------------------------------


def compare_snapshots(setup: Setup) -> Iterator[Problem]:
    """Where a snapshot that is there differs from what would be said; and snapshots of nothing."""
    wanted = contents(setup)
    for path, (example, content) in sorted(wanted.items()):
        if path.exists():
            yield from _compared(path, example, content)
    for folder in sorted({path.parent for path in wanted}):
        for path in sorted(folder.glob(f"*{SNAPSHOT_SUFFIX}")):
            if path not in wanted:
                yield Problem(str(path), 1, "a snapshot of an example that no route names", "remove it")


def _compared(path: Path, example: Path, content: Content) -> Iterator[Problem]:
    try:
        tree = read_tree(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError):
        yield Problem(str(path), 1, "this snapshot cannot be read", MEND)
        return
    if not isinstance(tree, Tree):
        yield from tree
    elif not _is_content(tree.data):
        yield Problem(str(path), 1, "this is no snapshot", MEND)
    else:
        yield from _differences(tree, example, content)


def _is_content(data: Any) -> bool:
    return isinstance(data, dict) and all(
        isinstance(said, dict)
        and all(isinstance(ladder, list) and all(isinstance(each, dict) for each in ladder) for ladder in said.values())
        for said in data.values()
    )


def _differences(tree: Tree, example: Path, content: Content) -> Iterator[Problem]:
    def problem(place: Place, what: str) -> Problem:
        return Problem(tree.file, locate(tree, place), what, MEND)

    for route in dict.fromkeys((*tree.data, *content)):
        old, new = tree.data.get(route), content.get(route)
        if old is None or new is None:
            words = "has nothing of it" if old is None else "still has something"
            says = "says something" if old is None else "says nothing"
            yield problem((route,), f"route {route} {says} of {example.name}, and the snapshot {words}")
            continue
        for locale in dict.fromkeys((*old, *new)):
            for level, part, was, is_ in _unlike(old.get(locale, []), new.get(locale, [])):
                where = f"route {route} in {locale}, {level_name(level)}"
                what = f'{where}: {part} is "{is_}"; the snapshot has "{was}"'
                yield problem((route, locale, level, part), what)


def _unlike(old: Sequence[Wordings], new: Sequence[Wordings]) -> Iterator[tuple[int, str, str, str]]:
    """Level, part, what was and what is."""
    for level in range(max(len(old), len(new))):
        was, is_ = (ladder[level] if level < len(ladder) else {} for ladder in (old, new))
        for part in PARTS:
            if was.get(part, "") != is_.get(part, ""):
                yield level, part, was.get(part, ""), is_.get(part, "")


# --- writing ----------------------------------------------------------------------------------------------------------


def write_snapshots(setup: Setup) -> list[Path] | str:
    """Write each snapshot that is not as it should be, and remove those of nothing; which ones. In words, why not."""
    changed: list[Path] = []
    wanted = contents(setup)
    try:
        for path, (example, content) in sorted(wanted.items()):
            text = snapshot_text(example.name, content)
            if not path.exists() or path.read_text("utf-8", "replace") != text:
                path.write_text(text, "utf-8")
                changed.append(path)
        for folder in {path.parent for path in wanted}:
            for path in set(folder.glob(f"*{SNAPSHOT_SUFFIX}")) - set(wanted):
                path.unlink()
                changed.append(path)
    except OSError as error:
        return f"{error.filename} cannot be written: {error.strerror}"
    return sorted(changed)


def snapshot_text(name: str, content: Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]) -> str:
    """YAML in a fixed order, each text on a line of its own."""
    lines = [_HEAD.format(name=name)]
    for route, said in sorted(content.items()):
        lines.append(f"{route}:\n")
        for locale, ladder in said.items():
            lines.append(f"  {locale}:\n")
            for wording in ladder:
                parts = [f"{part}: {json.dumps(text, ensure_ascii=False)}\n" for part, text in wording.items()]
                lines += [f"    - {parts[0]}", *(f"      {part}" for part in parts[1:])]
    return "".join(lines)
