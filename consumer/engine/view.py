"""How a lane stands, as a value: for the admin page, the gauges and the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumer.core.facts import LaneGauges
from consumer.core.head import Head
from consumer.core.model import TopicPartition
from consumer.engine.board import Blockage
from consumer.engine.watchdog import Stuck


@dataclass(frozen=True, slots=True)
class LaneView:
    """Counts are commands unless named otherwise. `holds` is why the lane is not faster: blocked, breaker, quota,
    in_flight, no_data or none. Lag is None until it was measured. `heads` are the records that have held back the
    committed offset of their partition for a while, and `stuck` the partitions that have more and give nothing; both
    the oldest first, with moments on the monotonic clock, `now` being that of the view. `read`: the
    owner's next offset by partition."""

    id: str
    provider: str
    member: str
    state: str
    epoch: int
    owner: str | None
    partitions: tuple[TopicPartition, ...]
    blockages: tuple[Blockage, ...]
    waiting: int = 0
    waiting_bytes: int = 0
    held: int = 0
    groups: int = 0
    in_flight: int = 0
    in_doubt: int = 0
    requests_in_flight: int = 0
    joined: int = 0
    oldest_waiting_seconds: float = 0.0
    seconds_to_clear: float = 0.0
    quota_used: int = 0
    quota_requests: int = 0
    gap_seconds: float = 0.0
    holds: str = "no_data"
    drift: int = 0
    lag_records: int | None = None
    lag_seconds: float | None = None
    parked: int = 0
    heads: tuple[Head, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    now: float = 0.0
    unreadable_rows: int = 0
    read: Mapping[TopicPartition, int] = field(default_factory=dict)


def gauges(view: LaneView) -> LaneGauges:
    """The numbers of a view, as the fact that becomes metrics."""
    return LaneGauges(
        lane=view.id,
        state=view.state,
        waiting=view.waiting,
        waiting_bytes=view.waiting_bytes,
        groups=view.groups,
        in_flight=view.in_flight,
        in_doubt=view.in_doubt,
        joined=view.joined,
        oldest_waiting_seconds=view.oldest_waiting_seconds,
        seconds_to_clear=view.seconds_to_clear,
        quota_used=view.quota_used,
        quota_requests=view.quota_requests,
        gap_seconds=view.gap_seconds,
        holds=view.holds,
        drift=view.drift,
        lag_records=view.lag_records or 0,
        lag_seconds=view.lag_seconds or 0.0,
        parked=view.parked,
        head_seconds=view.now - view.heads[0].since if view.heads else 0.0,
        stuck_partitions=len(view.stuck),
        unreadable_rows=view.unreadable_rows,
    )
