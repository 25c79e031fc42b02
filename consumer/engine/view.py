"""How a lane stands, as a value: for the admin page, the gauges and the terminal."""

from dataclasses import dataclass

from consumer.core.model import TopicPartition
from consumer.engine.board import Blockage


@dataclass(frozen=True, slots=True)
class LaneView:
    """Counts are commands unless named otherwise. `holds` is why the lane is not faster: blocked, breaker, quota,
    in_flight, no_data or none. Lag is None until it was measured."""

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
