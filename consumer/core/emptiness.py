"""Which fields of a template or a condition an event leaves empty where they are needed."""

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes

from consumer.core.templates import FieldPath, plain_path, value_at
from consumer.core.wordings import CompiledWording, Unrendered

# What may be asked of a field that is empty.
_ASKED_SAFELY = ("eq", "ne", "in", "notin")


def empty_fields(tree: nodes.Node, names: Mapping[str, Any]) -> list[str]:
    """The fields that are needed and empty, each once."""
    return list(dict.fromkeys(".".join(path) for path in _needed(tree) if value_at(names, path) is None))


def named(made: Unrendered, wording: CompiledWording, names: Mapping[str, Any]) -> Unrendered:
    """The same, naming the fields that are empty where these are why."""
    tree = wording.wording.trees[made.part]
    empty = empty_fields(tree, names)
    if not empty or made.detail == "empty":
        return made
    fields = f"{', '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty"
    return Unrendered(made.part, f"{fields}; give it a default or an if")


def _needed(node: nodes.Node) -> Iterator[FieldPath]:
    """Fields without which it cannot be said or asked. What only chooses may be empty."""
    path = plain_path(node)
    if path:
        yield path
        return
    for child in _children(node):
        if not (isinstance(node, nodes.And | nodes.Or | nodes.Not) and plain_path(child)):
            yield from _needed(child)


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.If):
        yield from (*node.body, *node.elif_, *node.else_)
    elif isinstance(node, nodes.CondExpr):
        yield from (node.expr1, *([node.expr2] if node.expr2 else []))
    elif isinstance(node, nodes.Compare) and all(each.op in _ASKED_SAFELY for each in node.ops):
        return
    elif not (isinstance(node, nodes.Test) or (isinstance(node, nodes.Filter) and node.name == "default")):
        yield from node.iter_child_nodes()
