"""What is never done: orphan tasks, dangerous calls, catching everything, sleeping in tests."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from tests.tidy.source import Source, calls, dotted

SPAWNERS = ("create_task", "ensure_future")

BANNED_CALLS: Mapping[str, str] = {
    "eval": "it runs text as a program",
    "exec": "it runs text as a program",
    "yaml.load": "use a safe loader",
    "yaml.load_all": "use a safe loader",
    "yaml.unsafe_load": "use a safe loader",
    "yaml.full_load": "use a safe loader",
    "time.sleep": "it stops the loop",
    "os.system": "it runs a shell",
    "asyncio.run_until_complete": "the loop belongs to the outermost line",
}
BANNED_MODULES = ("pickle", "marshal", "shelve", "dill")

# Where a person reads standard output.
MAY_PRINT = ("consumer/app/cli", "consumer/app/commands", "consumer/demo/", "consumer/sinks/console.py", "scripts/")

# Where time is real, and where it is virtual all over.
MAY_SLEEP = (
    "tests/benchmarks/",
    "tests/kafka/",
    "tests/chaos/",
    "tests/browser/",
    "tests/deploy/",
    "tests/engine/",
    "tests/world/",
)

# Slowness that is itself the fault under test, at the edge: how often in each file.
PACED: dict[str, int] = {
    "tests/sinks/test_http.py": 1,  # a server that gives its answer byte by byte
    "tests/streams/test_rebuild.py": 1,  # what the Kafka library does in its own time has no event
}

# Where everything is caught, how often in each file, and why there: the outermost lines, where a bug is caught so that
# it is told, and the edges of libraries that raise what they like.
OUTERMOST: dict[str, int] = {
    "consumer/engine/run.py": 1,  # a bug in one lane must not end the others
    "consumer/streams/track.py": 1,  # codecs and parsers of the Kafka client
}


def orphan_tasks(source: Source) -> Iterator[str]:
    """Every task is held: by a group, or by a name that is looked at again."""
    for node in source.nodes:
        match node:
            case ast.Expr(value=ast.Call() as call) if _spawns(call):
                yield f"{source.path}:{node.lineno}: nobody holds this task"
            case ast.Assign(targets=[ast.Name(id="_")], value=ast.Call() as call) if _spawns(call):
                yield f"{source.path}:{node.lineno}: nobody holds this task"
    for function in source.functions:
        yield from _forgotten(source, function)


def _spawns(call: ast.Call) -> bool:
    """A task outside any group: made by asyncio or by a loop, and not by a TaskGroup."""
    owner, _, name = dotted(call.func).rpartition(".")
    return name in SPAWNERS and (owner in ("", "asyncio") or "loop" in owner.lower())


def _forgotten(source: Source, function: ast.AST) -> Iterator[str]:
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    read = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if (
                _spawns(call) and name not in read
            ):
                yield f"{source.path}:{node.lineno}: the task {name} is never looked at again"


def banned_calls(source: Source) -> Iterator[str]:
    """Nothing runs text as a program, stops the loop, or reads objects out of bytes."""
    for line, name in calls(source):
        if name in BANNED_CALLS and not (name == "time.sleep" and not source.is_product):
            yield f"{source.path}:{line}: {name}: {BANNED_CALLS[name]}"
    for line, module, _ in source.imports:
        if module in BANNED_MODULES:
            yield f"{source.path}:{line}: {module} runs what it reads"


def prints(source: Source) -> Iterator[str]:
    """Only what people read on a terminal prints; everything else says facts."""
    if source.path.startswith(("tests/", *MAY_PRINT)):
        return
    for line, name in calls(source):
        if name == "print":
            yield f"{source.path}:{line}: say a fact instead of printing"


def catches_everything(source: Source) -> Iterator[str]:
    """Expected trouble is a value; only the outermost lines catch whatever comes."""
    if not source.is_product:
        return
    wide = [node for node in source.nodes if isinstance(node, ast.ExceptHandler) and _is_wide(node)]
    if len(wide) > OUTERMOST.get(source.path, 0):
        lines = ", ".join(str(node.lineno) for node in wide)
        yield f"{source.path}:{lines}: {len(wide)} of at most {OUTERMOST.get(source.path, 0)} lines catch everything"


def _is_wide(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    wide = any(kind is None or dotted(kind) in ("Exception", "BaseException") for kind in kinds)
    return wide and not _passes_on(handler)


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Tidying up and raising again swallows nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def sleeping_tests(source: Source) -> Iterator[str]:
    """A test waits for what it wants to see, never for time to pass; virtual time is not time."""
    if not source.path.startswith("tests/") or source.path.startswith(MAY_SLEEP):
        return
    virtual = any("virtual" in module for _, module, _ in source.imports) or "virtual" in source.path
    sleeps = [node for node in source.nodes if isinstance(node, ast.Call) and _sleeps(node, virtual=virtual)]
    for call in sleeps[PACED.get(source.path, 0) :]:
        yield f"{source.path}:{call.lineno}: wait for something, not for time"


def _sleeps(call: ast.Call, *, virtual: bool) -> bool:
    name = dotted(call.func)
    at_once = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return name == "time.sleep" or (name == "asyncio.sleep" and not at_once and not virtual)


def doubles_of_our_own(source: Source) -> Iterator[str]:
    """Only the edge is faked; our own modules are never mocked."""
    if not source.path.startswith("tests/"):
        return
    counted = Counter(module for _, module, _ in source.imports if module.startswith(("unittest.mock", "mock")))
    if counted:
        yield f"{source.path}:1: fake the edge by a real server or a memory adapter, not by a mock"
