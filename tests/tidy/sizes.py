"""Sizes and names: short files, short functions, a sentence at the top of each module."""

import ast
import re
from collections.abc import Iterator, Sequence
from statistics import median

from tests.tidy.source import Source, body_lines

FILE_LINES = 400
TEST_FILE_LINES = 600
FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 40
LONG_FUNCTIONS_SHARE = 0.04
MEDIAN_LINES = 9
FORBIDDEN_NAMES = re.compile(r"(Manager|Helper|Utils?)$")
FORBIDDEN_FILES = ("utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py")


def file_size(source: Source) -> Iterator[str]:
    """A file does one thing, so it is short."""
    lines, limit = source.text.count("\n"), FILE_LINES if source.is_product else TEST_FILE_LINES
    if lines > limit:
        yield f"{source.path}:1: {lines} lines, more than {limit}"


def function_size(source: Source) -> Iterator[str]:
    """No function is longer than a screen."""
    for function in source.functions:
        if source.is_product and body_lines(function) > FUNCTION_LINES:
            yield f"{source.path}:{function.lineno}: {function.name} has {body_lines(function)} lines"


def typical_size(sources: Sequence[Source]) -> Iterator[str]:
    """Few functions are long, and half of all have at most nine lines."""
    lengths = sorted(body_lines(function) for source in sources if source.is_product for function in source.functions)
    if not lengths:
        return
    long = sum(length > LONG_FUNCTION_LINES for length in lengths)
    if long > max(1, LONG_FUNCTIONS_SHARE * len(lengths)):
        yield f"{long} of {len(lengths)} functions have more than {LONG_FUNCTION_LINES} lines"
    if median(lengths) > MEDIAN_LINES:
        yield f"half of the functions have more than {median(lengths)} lines; aim at {MEDIAN_LINES}"


def module_docstring(source: Source) -> Iterator[str]:
    """A module opens with one sentence."""
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield f"{source.path}:1: no docstring"


def nouns(source: Source) -> Iterator[str]:
    """A name says what a thing is."""
    if source.path.endswith(tuple("/" + name for name in FORBIDDEN_FILES)):
        yield f"{source.path}:1: name the file after what is in it"
    for node in source.nodes:
        if isinstance(node, ast.ClassDef) and FORBIDDEN_NAMES.search(node.name):
            yield f"{source.path}:{node.lineno}: {node.name} says nothing"


def tests_are_sentences(source: Source) -> Iterator[str]:
    """A test says one sentence: in its name, or in a docstring."""
    if not source.path.startswith("tests/"):
        return
    for function in source.functions:
        name = function.name.removeprefix("test_")
        if name != function.name and name.count("_") < 1 and not ast.get_docstring(function):
            yield f"{source.path}:{function.lineno}: {function.name} does not say what holds"
