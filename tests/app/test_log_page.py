"""The page about log lines knows every line that the sources can write."""

import ast
from collections.abc import Iterator
from pathlib import Path

from consumer.app.logs import TABLE, Line
from scripts.observability.log_events import MEANS, PROCESS, events, log_page

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
LOGGERS = {"log", "logger", "structlog"}


def said(tree: ast.AST) -> Iterator[str]:
    """The names of the events that a module tells a logger itself; of a composed one the constant part and a star."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            words = {each.id for each in ast.walk(node.func) if isinstance(each, ast.Name)}
            if words & LOGGERS:
                yield from (name for each in node.args[:2] if (name := named(each)))


def named(argument: ast.expr) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):  # it begins with a text
        return str(argument.values[0].value) + "*"
    return ""


def test_every_fact_of_the_table_has_its_words() -> None:
    assert set(MEANS) == set(events())


def test_every_line_of_the_process_is_there_and_no_other() -> None:
    found = {
        name
        for path in (ROOT / "consumer").rglob("*.py")
        for name in said(ast.parse(path.read_text("utf-8")))
        if path.name != "logs.py"
    }
    composed = {name[:-1] for name in found if name.endswith("*")}
    plain = {name for name in found if not name.endswith("*")}
    listed = {each.event for each in PROCESS}
    # The module that configures logging names these two in other ways.
    others = listed - plain - {"library_said", "lines_suppressed"}
    assert plain <= listed
    assert {prefix for prefix in composed for name in others if name.startswith(prefix)} == composed
    assert all(any(name.startswith(prefix) for prefix in composed) for name in others)


def test_the_scan_sees_what_is_said() -> None:
    code = 'log.info("a", x=1)\nstructlog.stdlib.get_logger("v").error("b")\nlog.log(level, "c")\nlog.info(f"d_{x}")'
    # A logger's name is no event, whatever stands around it.
    assert list(said(ast.parse(code))) == ["a", "b", "c", "d_*"]


def test_fields_levels_and_repeats_are_those_of_the_table() -> None:
    page = log_page()
    for entry in TABLE.values():
        if isinstance(entry, Line):
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{entry.event}` |")]
            shown = row.replace("`wording`", "`level`")
            assert all(f"`{name}`" in shown for name in (*entry.fields, *entry.key))
    assert "| `request_sent` | debug, warning |" in page
    assert "`recipients`, `to`" in page
