"""The promises about whose turn it is, measured on whole days: prints a table, and fails where a bound is missed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console

from consumer.core.model import Priority
from consumer.core.policies import POLICIES
from consumer.simulate.report import as_table
from consumer.simulate.scenarios import Result, Run, perform_all, preset

SEEDS = (1, 2, 3)
# The largest days take minutes each, so one of them has to do.
LARGEST = ("large", "unique-100")
SECONDS_PER_DAY = 60.0


@dataclass(frozen=True, slots=True)
class Bound:
    """What a lane under turn and price keeps on a preset: in time at least, by class; coarser at most."""

    in_time: tuple[float, float, float] = (0.0, 0.0, 0.0)
    coarser: float = 1.0
    seconds: float | None = None

    def misses(self, result: Result) -> Iterator[str]:
        """Each bound that was missed, in words."""
        whole, classes = result.figures.whole, result.figures.classes
        if whole.expired:
            yield f"{whole.expired} expired"
        for priority, least in zip(Priority, self.in_time, strict=True):
            if classes[priority].in_time_ratio < least:
                yield f"{priority}: {classes[priority].in_time_ratio:.3%} in time, not {least:.1%}"
        if whole.coarser_ratio > self.coarser:
            yield f"{whole.coarser_ratio:.2%} coarser, more than {self.coarser:.0%}"
        if self.seconds is not None and result.cpu_seconds > self.seconds:
            yield f"took {result.cpu_seconds:.0f} s of one core, more than {self.seconds:.0f}"


BOUNDS: Mapping[str, Bound] = {
    "day": Bound((0.995, 0.999, 0.999), 0.07, SECONDS_PER_DAY),
    "unique-10": Bound((0.995, 0.995, 0.995), 0.17),
    "half-quota": Bound((0.99, 0.999, 0.999), 0.19),
    "large": Bound((0.99, 0.99, 0.99)),
    "unique-100": Bound(),
}
# On the plain day: how many expire falls along this row, to none at all from the fifth on.
BY_EXPIRED = ("fifo", "strict", "oldest", "largest", "deadline")
NONE_EXPIRE = ("deadline", "slack", "ladder", "turn")
# A handful of a whole day is 0.00 % in the table; turn and price itself loses nobody at all.
ROUNDED_TO_NONE = 0.00005
# The share of all that is told in time rises along this one.
BY_IN_TIME = ("deadline", "slack", "ladder")


def disorder(results: Mapping[str, Result]) -> Iterator[str]:
    """Where the policies' order of merit on the plain day is not the known one."""
    wholes = {name: result.figures.whole for name, result in results.items()}
    for worse, better in pairwise(BY_EXPIRED):
        if wholes[worse].expired <= wholes[better].expired:
            yield f"{worse} loses no more than {better}"
    lossy = [name for name in NONE_EXPIRE if wholes[name].expired_ratio > ROUNDED_TO_NONE]
    yield from (f"{name} loses {wholes[name].expired}" for name in lossy)
    for worse, better in pairwise(BY_IN_TIME):
        if wholes[worse].in_time >= wholes[better].in_time:
            yield f"{worse} tells no fewer in time than {better}"
    if wholes["turn"].coarser >= wholes["ladder"].coarser:
        yield "turn coarsens no less than ladder"


def told(results: Sequence[Result], rivals: Sequence[Result], console: Console) -> list[str]:
    """Print both tables; each bound that was missed, in words."""
    console.print(as_table(results, "Turn and price"))
    missed = [f"{each.run.label}: {miss}" for each in results for miss in BOUNDS[_preset_of(each)].misses(each)]
    if rivals:
        console.print(as_table(rivals, "All policies on the plain day"))
        missed += disorder({result.run.policy: result for result in rivals})
    for miss in missed:
        console.print(f"missed: {miss}")
    console.print("all bounds kept" if not missed else f"{len(missed)} missed")
    return missed


def _preset_of(result: Result) -> str:
    return result.run.label.partition(",")[0]


def main(arguments: Sequence[str]) -> int:
    """`quick` leaves out the second and third seeds and the other policies. Exit code 1 when a bound is missed."""
    quick = "quick" in arguments
    runs = [
        Run("turn", preset(name, seed), f"{name}, seed {seed}")
        for name in BOUNDS
        for seed in (SEEDS[:1] if quick or name in LARGEST else SEEDS)
    ]
    rivals = [] if quick else [Run(name, preset("day")) for name in POLICIES]
    results = list(perform_all([*runs, *rivals], processes=2))
    return 1 if told(results[: len(runs)], results[len(runs) :], Console(highlight=False, width=150)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
