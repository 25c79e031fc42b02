"""Days to be simulated: the preset ones by name, one run of a policy over one, and many runs side by side."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from time import process_time
from typing import NamedTuple, Protocol

from consumer.core.model import Quota
from consumer.core.policies import POLICIES
from consumer.simulate.day import IMSHOP_QUOTA, Closed, LaneModel, run_day
from consumer.simulate.figures import Figures
from consumer.simulate.recorded import RecordedTraffic, SampleTraffic
from consumer.simulate.traffic import DAY_MESSAGES, Arrival, Traffic

_LARGE_MESSAGES = 1_350_000
_QUIET_MESSAGES = 12_000
_NOON_SECONDS = 12 * 3600.0


class Arrivals(Protocol):
    """Where messages come from: made up, or read from a file."""

    def arrivals(self) -> Iterator[Arrival]:
        """In the order of time, from the first one on at each call."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """What arrives, and what the lane may send."""

    traffic: Arrivals = field(default_factory=Traffic)
    quota: Quota = IMSHOP_QUOTA
    closed: Closed | None = None
    seed: int = 1
    errors_ratio: float = 0.0


class Preset(NamedTuple):
    """A scenario without its seed."""

    traffic: Traffic = Traffic()
    quota: Quota = IMSHOP_QUOTA
    closed: Closed | None = None


PRESETS: Mapping[str, Preset] = {
    "day": Preset(),
    "unique-10": Preset(Traffic(unique=0.1)),
    "unique-100": Preset(Traffic(unique=1.0)),
    "half-quota": Preset(quota=Quota(5, 60.0)),
    "three-a-minute": Preset(quota=Quota(3, 60.0)),
    "large": Preset(Traffic(unique=0.1, scale=_LARGE_MESSAGES / DAY_MESSAGES, texts_scale=4.0)),
    "quiet": Preset(Traffic(scale=_QUIET_MESSAGES / DAY_MESSAGES)),
    "closed-at-noon": Preset(closed=Closed(_NOON_SECONDS, _NOON_SECONDS + 3600.0)),
}


def preset(name: str, seed: int = 1) -> Scenario:
    """A scenario of `PRESETS`; KeyError for another name."""
    traffic, quota, closed = PRESETS[name]
    return Scenario(replace(traffic, seed=seed), quota, closed, seed)


@dataclass(frozen=True, slots=True)
class Run:
    """One policy over one scenario."""

    policy: str
    scenario: Scenario
    label: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run, and how many seconds of one core it took. `read`: what became of the records of a file."""

    run: Run
    figures: Figures
    cpu_seconds: float
    read: Mapping[str, int] = field(default_factory=dict)


def perform(run: Run) -> Result:
    """Simulate it. KeyError for an unknown policy."""
    begun = process_time()
    scenario = run.scenario
    lane = LaneModel(
        POLICIES[run.policy](),
        scenario.quota,
        closed=scenario.closed,
        errors_ratio=scenario.errors_ratio,
        seed=scenario.seed,
    )
    figures = run_day(scenario.traffic.arrivals(), lane)
    traffic = scenario.traffic
    read = dict(traffic.seen) if isinstance(traffic, RecordedTraffic | SampleTraffic) else {}
    return Result(run, figures, process_time() - begun, read)


def perform_all(runs: Iterable[Run], processes: int = 1) -> Iterator[Result]:
    """All of them, in the order given, several at once where more than one process is allowed."""
    if processes == 1:
        yield from map(perform, runs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(perform, runs)
