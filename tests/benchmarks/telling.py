"""What the commands of all benchmarks have in common: where figures go, as a table and as a file."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table


def parser_of(name: str, about: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark's command."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=about)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    return parser


def keep(figures: object, path: Path | None) -> None:
    """Write figures to a file, where one was asked for."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")


def ruled(title: str, names: Iterable[str], numbers: Iterable[str]) -> Table:
    """An empty table: names on the left, numbers behind them."""
    made = Table(title=title)
    for name in names:
        made.add_column(name)
    for name in numbers:
        made.add_column(name, justify="right")
    return made
