"""What a seed stands for: how large a world is, how its provider and its network are, and which faults it has."""

import random
from dataclasses import dataclass

from consumer.core.model import Bounds, Cap, Capacity, Quota
from consumer.core.profile import QuietProfile
from tests.world.adapters import BACKFILL, SECOND, SOURCE, Weather
from tests.world.provider import Mood
from tests.world.shop import Trade

FAULTS = (
    "kill",
    "mine",
    "freeze",
    "cut",
    "outage",
    "journal",
    "letters",
    "rebalance",
    "storm",
    "stop",
    "rolling",
    "crash_loop",
    "weather",
    "sick",
    "down",
    "blocked",
    "unfit",
    "late",
    "zombie",
)
# Those that came later: people's wishes, and what else may be out of order.
LATER_FAULTS = ("pause", "listing", "tables", "coordinator", "stop_amid")
# Each of these changes what may be promised, so it is rarer.
RARE_FAULTS = ("clock", "trim", "grow")

QUOTAS = (
    Quota(10, 60.0),
    Quota(10, 60.0),
    Quota(6, 20.0),
    Quota(3, 10.0),
    Quota(20, 60.0),
    Quota(50, 25.0, bucket=True),
    None,
)
CAPACITIES = (Capacity(1, 1000), Capacity(1, 1000), Capacity(1, 3), Capacity(50, 1), Capacity(4, 5))


@dataclass(frozen=True)
class Design:
    seed: int
    processes: int
    partitions: int
    start_seconds: float
    quota: Quota | None
    capacity: Capacity
    in_flight: int
    timeout_seconds: float
    lost_for_seconds: float
    session_seconds: float
    rebalance_seconds: float
    write_seconds: float
    commands_per_part: int
    bounds: Bounds
    seconds: float
    pause_seconds: float
    weather: Weather
    mood: Mood
    each: bool
    bad: int
    trade: Trade
    faults: tuple[str, ...]
    quiet: QuietProfile | None
    caps: tuple[Cap, ...]
    idempotent: bool

    @property
    def topics(self) -> tuple[str, ...]:
        """What the lane reads."""
        return (SOURCE, *([SECOND] if self.trade.two else []), *([BACKFILL] if self.trade.replays else []))


def design(seed: int) -> Design:
    dice = random.Random(f"design {seed}")
    # What was added later has dice of its own.
    more = random.Random(f"more {seed}")
    faults = [fault for fault in FAULTS if dice.random() < 0.45]
    faults += [fault for fault in RARE_FAULTS if dice.random() < 0.12]
    faults += [fault for fault in LATER_FAULTS if more.random() < 0.4]
    seconds = dice.uniform(120.0, 420.0)
    slow = dice.random() < 0.2
    # What a quota forgets shows only where every place of it is wanted.
    tight = dice.random() < 0.3
    customers = dice.choice([4, 12, 40])
    return Design(
        seed=seed,
        processes=dice.choice([1, 2, 2, 3, 4]),
        partitions=dice.choice([1, 2, 3]),
        start_seconds=dice.choice([0.1, 4.0, 4.0]),
        quota=QUOTAS[0] if tight else dice.choice(QUOTAS),
        capacity=Capacity(1, 1) if tight else dice.choice(CAPACITIES),
        in_flight=dice.choice([1, 2, 2, 4]),
        timeout_seconds=dice.choice([5.0, 10.0, 30.0]),
        lost_for_seconds=dice.choice([20.0, 60.0]),
        session_seconds=dice.choice([3.0, 6.0, 10.0]),
        rebalance_seconds=dice.choice([3.0, 5.0, 10.0]),
        write_seconds=dice.choice([0.002, 0.02, 0.2]),
        commands_per_part=dice.choice([2500, 2500, 2500, 3]),
        bounds=Bounds(commands=dice.choice([40, 100_000, 100_000]), span=dice.choice([60, 500_000, 500_000])),
        seconds=seconds,
        pause_seconds=dice.choice([5.0, 15.0, 30.0]),
        weather=Weather(
            0.5 if slow else 0.005, dice.choice([0.0, 0.01, 0.3]), stuck=0.002, doubled=dice.choice([0.0, 0.0, 0.02])
        ),
        mood=_mood(dice),
        each=dice.random() < 0.5,
        bad=dice.choice([0, 1, 2, 3]),
        trade=Trade(
            events=dice.randrange(80, 120) if tight else dice.randrange(40, 160),
            customers=customers,
            seconds=seconds * (0.4 if tight else dice.uniform(0.3, 0.95)),
            revisions=dice.random() < 0.6,
            conflicts=not {"grow", "trim"} & set(faults) and dice.random() < 0.5,
            two=more.random() < 0.5,
            replays=more.random() < 0.4,
        ),
        faults=tuple(faults),
        quiet=_quiet(more),
        caps=(Cap(more.choice([1, 2]), more.choice([60.0, 600.0])),) if more.random() < 0.3 else (),
        idempotent=more.random() < 0.2,
    )


def _quiet(dice: random.Random) -> QuietProfile | None:
    """Some minutes of a night, soon after a world begins at half past ten; short ones park nobody."""
    if dice.random() < 0.65:
        return None
    start = 22 * 60 + 30 + dice.randrange(0, 5)
    return QuietProfile(start, start + dice.choice([1, 2, 4, 6]))


def _mood(dice: random.Random) -> Mood:
    """Most providers are fairly well; some are never."""
    if dice.random() < 0.4:
        return Mood(latency_seconds=dice.choice([0.05, 0.3, 2.0]))
    return Mood(
        latency_seconds=dice.choice([0.05, 0.3, 2.0]),
        spread=dice.choice([0.2, 0.6, 1.2]),
        no_connection=dice.choice([0.0, 0.05]),
        bad_gateway=dice.choice([0.0, 0.05, 0.15]),
        reset=dice.choice([0.0, 0.05, 0.1]),
        hang=dice.choice([0.0, 0.02, 0.08]),
        limit=dice.choice([0.0, 0.03]),
        nonsense=dice.choice([0.0, 0.02]),
    )
