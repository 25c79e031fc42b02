"""The two lowest floors are pure: values in, values out."""

import sys
from collections.abc import Iterator

from tests.tidy.floors import ALLOWED
from tests.tidy.source import Source, calls

IMPURE_MODULES = frozenset(
    {"asyncio", "concurrent", "contextvars", "ftplib", "glob", "http", "io", "locale", "logging", "multiprocessing"}
    | {"os", "platform", "queue", "random", "secrets", "select", "shutil", "signal", "smtplib", "socket", "ssl", "sys"}
    | {"subprocess", "tempfile", "threading", "time", "uuid", "warnings"}
)
IMPURE_NAMES = frozenset({("urllib", "request"), ("urllib.request", ""), ("pathlib", "Path"), ("pathlib", "PosixPath")})
IMPURE_CALLS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
IMPURE_METHODS = ("read_text", "write_text", "read_bytes", "write_bytes")
PURE_ROOMS = tuple(ALLOWED)

# Writes the generated references when a person asks for it; no module imports it.
WRITERS = frozenset({"schemas/generate.py"})


def _is_pure(source: Source) -> bool:
    return source.room in PURE_ROOMS and source.path not in WRITERS


def pure_imports(source: Source) -> Iterator[str]:
    """No clock, dice, network, environment, files, tasks or logs on the lowest floors, and no library not listed."""
    if not _is_pure(source):
        return
    for line, module, name in source.imports:
        top = module.split(".", 1)[0]
        if top in IMPURE_MODULES or (module, name) in IMPURE_NAMES or (module == "pathlib" and not name):
            yield f"{source.path}:{line}: {source.room} is pure and must not import {module} {name}".rstrip()
        elif not _standard(top) and top not in ALLOWED[source.room] | {"consumer", "schemas"}:
            yield f"{source.path}:{line}: {source.room} does without {top}"


def _standard(module: str) -> bool:
    return module in sys.stdlib_module_names


def pure_calls(source: Source) -> Iterator[str]:
    """Core asks nobody for the time and opens no file."""
    if not _is_pure(source):
        return
    for line, name in calls(source):
        if name in ("open", "input") or name.endswith(IMPURE_CALLS) or name.rpartition(".")[2] in IMPURE_METHODS:
            yield f"{source.path}:{line}: {source.room} is pure and must not call {name}()"


def writers_stand_alone(source: Source) -> Iterator[str]:
    """What writes files on the lowest floor is a program, not a module of the product."""
    for line, module, name in source.imports:
        writes = {f"{module}.{name}".replace(".", "/") + ".py", module.replace(".", "/") + ".py"} & WRITERS
        if source.is_product and writes:
            yield f"{source.path}:{line}: {module} writes files"


def no_coroutines(source: Source) -> Iterator[str]:
    """Core has nothing to wait for; only the protocols in `ports` speak of what others await."""
    if source.room not in PURE_ROOMS or source.module == "consumer.core.ports":
        return
    for function in source.functions:
        if type(function).__name__ == "AsyncFunctionDef":
            yield f"{source.path}:{function.lineno}: {source.room} is pure, and {function.name} is a coroutine"
