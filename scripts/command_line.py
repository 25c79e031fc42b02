"""docs/command-line.md, out of the application itself: every command, its options and its exit codes."""

import importlib
import re
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

GENERAL = """\
| code | means |
|---|---|
| 0 | fine |
| 1 | failed |
| 2 | the command, the configuration or a route is wrong; every mistake was named |
| 3 | partly done: some of it failed, or could not be looked at |

Every command ends with one of these; where one means more than that, its section says so. Commands that print something
take `--output json` for machines. Recipients are masked, but where `--reveal` is said. `vestnik --install-completion`
teaches the shell to complete commands, options and lanes."""

# A docstring says what a code means as in "0: yes; 1: no, and why."
CODE = re.compile(r"(?<![\w.])([0-3]): ([^;]+?)(?=; [0-3]:|\.(?:\s|$))")


def command_line() -> str:
    """The page without its title and its mark."""
    commands = list(_commands(_application(), ()))
    rows = [f"| [`vestnik {name}`](#{_anchor(name)}) | {_first(command)} |" for name, command in commands]
    index = "\n".join(["| command | what it does |", "|---|---|", *rows])
    return "\n\n".join([GENERAL, index, *(_section(name, command) for name, command in commands)])


def _application() -> TyperGroup:
    """All commands, with those of the demonstration, which come last when `vestnik` starts."""
    app = importlib.import_module("consumer.app.cli").app
    if not any(getattr(each.callback, "__name__", "") == "demo" for each in app.registered_commands):
        importlib.import_module("consumer.demo.commands").add_to(app)
    group = typer.main.get_command(app)
    if not isinstance(group, TyperGroup):
        raise TypeError("the application has one command only")
    return group


def _commands(group: TyperGroup, before: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, TyperGroup):
            yield from _commands(command, (*before, name))
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield " ".join((*before, name)), command


def _anchor(name: str) -> str:
    return f"vestnik-{name.replace(' ', '-')}"


def _paragraphs(command: TyperCommand) -> list[str]:
    """The docstring, without what its code says of exit codes."""
    parts = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    return [left for part in parts if (left := CODE.sub("", part).strip(" .;")) or not CODE.search(part)]


def _first(command: TyperCommand) -> str:
    return _cell(_ended(_paragraphs(command)[0]))


def _ended(text: str) -> str:
    text = re.sub(r"(?:\s*[;.])+$", "", text.strip())
    return text if text.endswith(("?", "!", ":")) else f"{text}."


def _section(name: str, command: TyperCommand) -> str:
    said = [_ended(part) for part in _paragraphs(command)]
    codes = CODE.findall(" ".join((command.help or "").split()))
    parts = [f"## vestnik {name}", _usage(name, command), *said, _options(command)]
    if codes:
        parts.append("Ends with " + "; ".join(f"**{code}**: {words}" for code, words in codes) + ".")
    return "\n\n".join(part for part in parts if part)


def _usage(name: str, command: TyperCommand) -> str:
    arguments = [_argument(each) for each in command.params if isinstance(each, TyperArgument)]
    words = ["vestnik", name, *arguments, "[options]" if any(_shown(command)) else ""]
    return f"`{' '.join(word for word in words if word)}`"


def _argument(argument: TyperArgument) -> str:
    word = (argument.metavar or argument.name or "").upper().strip("[]").removesuffix("...")
    more = "…" if argument.nargs == -1 else ""
    return f"{word}{more}" if argument.required else f"[{word}{more}]"


def _shown(command: TyperCommand) -> Iterator[TyperOption]:
    return (
        each for each in command.params if isinstance(each, TyperOption) and not each.hidden and each.name != "help"
    )


def _options(command: TyperCommand) -> str:
    arguments = [each for each in command.params if isinstance(each, TyperArgument) and each.help]
    rows = [f"| `{_argument(each)}` | {_cell(each.help or '')} | |" for each in arguments]
    rows += [f"| {_names(each)} | {_cell(each.help or '')} | {_default(each)} |" for each in _shown(command)]
    return "\n".join(["| option | what it says | when left out |", "|---|---|---|", *rows]) if rows else ""


def _names(option: TyperOption) -> str:
    kind = "" if option.is_flag else f" {_kind(option)}"
    return ", ".join(f"`{name}{kind}`" for name in sorted(option.opts, key=len, reverse=True)).replace("|", "\\|")


def _kind(option: TyperOption) -> str:
    """What follows the option: one of some words, or what kind of word."""
    annotation: Any = option.type_descriptor.annotation
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal:
        return "|".join(map(str, parts))
    kind = next((part for part in parts if part is not type(None)), annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return _KINDS.get(kind, "VALUE")


_KINDS: dict[object, str] = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH"}


def _default(option: TyperOption) -> str:
    default: Any = option.default
    if option.required:
        return "must be there"
    if option.is_flag or default is None or default == () or callable(default) or default == "":
        return ""
    return f"`{getattr(default, 'value', default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
