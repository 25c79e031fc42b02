"""A call to a Kafka client stands under a deadline: its own, or that of everyone who calls the function it is in."""

import ast
import re
from collections.abc import Iterator, Sequence

from tests.tidy.source import Source, dotted

# aiokafka gives these no deadline of their own, and each of them was seen to hang.
ENDLESS = frozenset(
    {"start", "stop", "commit", "committed", "send_and_wait", "send", "flush", "position", "partitions_for_topic"}
    | {"beginning_offsets", "end_offsets", "offsets_for_times", "create_topics", "describe_configs", "describe_topics"}
    | {"list_topics", "describe_cluster"}
)
CLIENT = re.compile(r"(consumer|producer|client|admin)$", re.IGNORECASE)


def endless_waits(source: Source) -> Iterator[str]:
    """A call to a Kafka client stands under a deadline."""
    if source.room != "consumer.streams":
        return
    bounded = _bounded(source)
    for node in source.nodes:
        if not (isinstance(node, ast.Await) and isinstance(node.value, ast.Call)) or id(node) in bounded:
            continue
        owner, _, name = dotted(node.value.func).rpartition(".")
        if name in ENDLESS and CLIENT.search(owner):
            yield f"{source.path}:{node.lineno}: {owner}.{name} has no deadline of its own"


def _bounded(source: Source) -> set[int]:
    """Every node that can only be reached under a deadline, by its identity: what stands under one itself, what is
    handed to a function that sets one, and the insides of functions that are mentioned nowhere else."""
    bounded = _inside([node for node in source.nodes if _is_deadline(node)])
    insides = {function: _inside([function]) for function in source.functions}
    setters = {function.name for function, inside in insides.items() if bounded & inside}
    bounded |= {id(value) for node in source.nodes if _is_call_of(node, setters) for value in _arguments(node)}
    mentions = {function: _mentions(source, function.name) - inside for function, inside in insides.items()}
    while new := [one for one, found in mentions.items() if found and found <= bounded and not insides[one] <= bounded]:
        bounded |= _inside(new)
    return bounded


def _mentions(source: Source, name: str) -> set[int]:
    return {id(node) for node in source.nodes if _name(node) == name}


def _inside(nodes: Sequence[ast.AST]) -> set[int]:
    return {id(inner) for node in nodes for inner in ast.walk(node)}


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_call_of(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in names


def _arguments(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from ast.walk(value) if isinstance(value, ast.Lambda) else (value,)


def _is_deadline(node: ast.AST) -> bool:
    """`async with asyncio.timeout(...)`, and what is handed to `wait_for` or to `wait` with a time-out."""
    match node:
        case ast.AsyncWith(items=items):
            return any(dotted(item.context_expr).endswith(("timeout()", "timeout_at()")) for item in items)
        case ast.Call(func=function, keywords=keywords):
            last = dotted(function).rpartition(".")[2]
            return last == "wait_for" or (last == "wait" and any(keyword.arg == "timeout" for keyword in keywords))
        case _:
            return False
