"""What people have said of a lane: a compacted topic whose keys are the ids of lanes. Pause it; let it go on."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

TOPIC = "vestnik.control"
REASON_LENGTH = 200


class Order(BaseModel):
    """What somebody wants of a lane. `until`: a pause ends by itself then. Fields that a newer version added are passed
    over; everything else is read strictly, for a misread pause would tell a city what it must not hear."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    paused: bool
    who: str = Field(max_length=REASON_LENGTH, description="for people: user and host")
    reason: str = Field(default="", max_length=REASON_LENGTH)
    since: AwareDatetime
    until: AwareDatetime | None = None

    def stops(self, now: float) -> bool:
        """Whether it forbids sending at this moment, in seconds since 1970."""
        return self.paused and (self.until is None or now < self.until.timestamp())

    @property
    def words(self) -> str:
        """Who has paused it, why, and until when."""
        until = f"until {self.until.isoformat(timespec='seconds')}" if self.until is not None else ""
        return ", ".join(part for part in (f"by {self.who}", until) if part) + (
            f": {self.reason}" if self.reason else ""
        )


def order_row(lane: str, order: Order) -> tuple[bytes, bytes]:
    """Key and value that tell a lane what is wanted."""
    return lane.encode(), order.model_dump_json(exclude_none=True).encode()


def read_order(value: bytes | None) -> Order | None:
    """A row's value; None where there is none, or none of ours."""
    try:
        return Order.model_validate_json(value or b"")
    except ValidationError:
        return None


class Control:
    """The table as one lane sees it. Feed it every row of the topic in order."""

    def __init__(self, lane: str) -> None:
        self._key = lane.encode()
        self._order: Order | None = None
        self.resumes = 0
        self.unreadable = 0

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a row; the last one of the lane counts. One that cannot be read is counted and changes nothing: a
        lane that was paused stays so."""
        if key != self._key:
            return
        order = read_order(value)
        if order is None and value is not None:
            self.unreadable += 1
            return
        self._order = order
        # Told again to a lane that is not paused it is an answer too: whatever stopped it, it may go on.
        self.resumes += order is not None and not order.paused

    @property
    def ordered(self) -> bool:
        """Whether anybody has said anything of the lane."""
        return self._order is not None

    def pause(self, now: float) -> Order | None:
        """The order that forbids sending at this moment, in seconds since 1970."""
        return self._order if self._order is not None and self._order.stops(now) else None
