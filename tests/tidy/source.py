"""What every tidy rule needs: a parsed source file, its room, and what it imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Imported(NamedTuple):
    """One imported thing. `name` is empty where a whole module is imported."""

    line: int
    module: str
    name: str


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the top of the repository, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def room(self) -> str:
        """`schemas`, `consumer.core` and so on; `tests` and `scripts` are not rooms of the house but look like them."""
        parts = PurePosixPath(self.path).parts
        return ".".join(parts[:2]) if parts[0] == "consumer" and len(parts) > 2 else parts[0]

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_product(self) -> bool:
        return self.room.startswith(("consumer", "schemas"))

    @property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @property
    def imports(self) -> Iterator[Imported]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (Imported(node.lineno, alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (Imported(node.lineno, self._absolute(node), alias.name) for alias in node.names)

    @property
    def run_time_imports(self) -> Iterator[Imported]:
        """Without those that only a type checker follows."""
        guards = [
            node for node in self.nodes if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING")
        ]
        typing_only = {
            getattr(inner, "lineno", 0) for guard in guards for line in guard.body for inner in ast.walk(line)
        }
        yield from (imported for imported in self.imports if imported.line not in typing_only)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module.split(".") if self.path.endswith("__init__.py") else self.module.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "consumer" else parts[0]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; calls on the way are shown as `()`, anything else as an empty string."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Call(func=function):
            return f"{dotted(function)}()"
        case ast.Await(value=value):
            return dotted(value)
        case _:
            return ""


def calls(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def body_lines(function: Function) -> int:
    """Lines of a function without its docstring: explaining oneself is not a size."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
