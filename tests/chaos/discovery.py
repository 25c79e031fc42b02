"""Finds the rows: every `rows_*.py` beside this file has `ROWS`."""

import importlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.row import Row

HERE = Path(__file__).parent

# Every row of the matrix, in its order. A row that is in no file yet is shown as not written.
FAMILIES = (
    ("Crash and stop", "C1 C2 C3 C4 C5 S1 S2 S3 S4"),
    (
        "Kafka",
        "K-1 K-2 K-3 K-4 K-5 K-6 K-7 K-8 K-9 K-10 K-11 K-12 K-13 K-14 K-15 K-16 K-17 K-18",
    ),
    ("Provider", "P-1 P-2 P-3 P-4 P-5 P-6 P-7 P-8 P-9 P-10 P-11 P-12 P-13 P-14"),
    ("Token", "T-1 T-2 T-3 T-4 T-5 T-6"),
    ("Poisoned events", "E-1 E-2 E-3 E-4 E-5 E-6 E-7 E-8 E-9 E-10"),
    ("Pressure, replay and rate", "B-1 B-2 B-3 B-4 B-5 R-1 R-2 R-3 R-4 Q-1 Q-2 Q-3"),
    ("Exposure, data and supply", "X-1 X-2 X-3 X-4 X-5 X-6 X-7 X-8 X-9 X-10"),
)
MATRIX = tuple(row for _, rows in FAMILIES for row in rows.split())


class UnknownRowError(ValueError):
    """A row was asked for that is nowhere."""


def rows() -> dict[str, Row]:
    """Every row that is written, by its id, in the matrix's order; raises where two have one id."""
    modules = [importlib.import_module(f"tests.chaos.{path.stem}") for path in sorted(HERE.glob("rows_*.py"))]
    found: list[Row] = [row for module in modules for row in module.ROWS]
    twice = [row for row, count in Counter(row.id for row in found).items() if count > 1]
    if twice:
        raise ValueError(f"two rows have the id {', '.join(twice)}")
    return {row.id: row for row in sorted(found, key=lambda row: place(row.id))}


def place(row: str) -> tuple[int, str, int, str]:
    """Where a row stands: in the matrix's order, parts of a row (C1.a) after it, others at the end by name."""
    base, _, part = row.partition(".")
    name, number = re.match(r"(\D*)(\d*)", base).groups()  # type: ignore[union-attr]  # it matches anything
    return (MATRIX.index(base) if base in MATRIX else len(MATRIX), name, int(number or 0), part)


def chosen(names: Sequence[str], *, selection: bool) -> list[Row]:
    """The rows asked for, or those of the selection, or all."""
    every = rows()
    unknown = [name for name in names if name not in every]
    if unknown:
        raise UnknownRowError(f"no row {', '.join(unknown)}; there are {', '.join(every)}")
    return [row for row in every.values() if (row.id in names if names else row.selection if selection else True)]
