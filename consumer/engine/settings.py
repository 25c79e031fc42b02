"""What a lane is given: its settings, and the parts that connect it to the world."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from consumer.core.ceiling import PeopleLimit
from consumer.core.flood import FloodRule
from consumer.core.model import Bounds, Cap, Quota
from consumer.core.ports import DeadLetters, Emit, Journal, Planner, Sink, Source, Table
from consumer.core.price import turn_and_price
from consumer.core.turn import Policy
from consumer.engine.watchdog import Patience
from consumer.engine.watchlist import SuppressionParts

StartAt = Literal["latest", "earliest"]
LostOffsets = Literal["refuse", "latest", "earliest"]


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """`member` names one process's life. Where the group's offsets are lost although the journal shows that the lane
    has worked, `lost_offsets` says what to do; refusing is the default, because either guess may tell a city twice or
    not at all. `policy` makes one for each desk: a policy may remember. `ceiling` is how many people may be told in
    any window, whatever the provider takes. `caps` bound the marketing that one person is told. `flood` says when a
    source has so much poison that it is read no more; `patience` when the watchdogs speak."""

    id: str
    member: str
    quota: Quota | None
    in_flight: int = 2
    bounds: Bounds = field(default_factory=Bounds)
    memory_seconds: float = 8 * 86_400.0
    lost_for_seconds: float = 60.0
    start_at: StartAt = "latest"
    lost_offsets: LostOffsets = "refuse"
    drain_seconds: float = 20.0
    policy: Callable[[], Policy] = turn_and_price
    ceiling: PeopleLimit | None = None
    caps: tuple[Cap, ...] = ()
    flood: FloodRule = field(default_factory=FloodRule)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class LaneParts:
    """The lane's doors to the world. `wall` is the host's clock, used only to say how far to read the journal back;
    `dice` gives jitter. Without `suppressions` there is no list of those who are not to be told; without `control`
    nobody can pause the lane."""

    source: Source
    journal: Journal
    dead_letters: DeadLetters
    sink: Sink
    planner: Planner
    emit: Emit
    wall: Callable[[], float] = time.time
    dice: Callable[[], float] = random.random
    suppressions: SuppressionParts | None = None
    control: Table | None = None
