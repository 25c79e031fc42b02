"""One row of the fault matrix: a fault, what we promise under it, the pass number, and how it is measured."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a row measured. `measured` is a plain sentence fragment with figures, e.g. "260 kills: lost 0,
    duplicates 3 of at most 41 in flight"."""

    passed: bool
    measured: str
    figures: Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Row:
    """`passes` is the pass number as a sentence; `run` gets a scratch folder of its own, and `minutes` is about how
    long it takes: three times as long is its deadline.

    `selection` rows make up `make chaos`, the thirty minutes. `compressed` says in words how time was compressed ("" is
    real time); `again` whether something is sent again after a restart, in a word or two; `test` names the ordinary
    test that proves the same; `not_run` says why this machine cannot run the row at all.
    """

    id: str
    fault: str
    promise: str
    passes: str
    run: Callable[[Path], Awaitable[Outcome]]
    minutes: float
    selection: bool
    compressed: str = ""
    again: str = ""
    test: str = ""
    not_run: str = ""
