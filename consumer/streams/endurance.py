"""How often a client of the brokers may break, and how long they may be silent, before that is told, or is the end."""

from collections import deque
from dataclasses import dataclass

from consumer.core.facts import LaneStuck
from consumer.core.model import Trouble
from consumer.core.ports import Emit

REBUILDS = 3
REBUILDS_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Endurance:
    """When a new process shall take over from one that cannot keep a client: after so many seconds without any broker,
    although there was one; after so many clients that broke within five minutes. None: never, for a client that is
    made anew begins at the first addresses, as a new process would."""

    without_broker_seconds: float | None = None
    rebuilds: int | None = None


ENDLESS = Endurance()


class Losses:
    """What one lane's source has lost: clients, and brokers. Moments are on the loop's clock, in seconds."""

    def __init__(self, endurance: Endurance, lane: str, emit: Emit) -> None:
        self._endurance = endurance
        self._lane = lane
        self._emit = emit
        self._broken: deque[float] = deque(maxlen=max(REBUILDS, endurance.rebuilds or 0))
        self._heard_at: float | None = None

    def broke(self, reason: str, now: float) -> None:
        """A client was thrown away. A right that is missing is nothing that a new process would have."""
        self._broken.append(now)
        recent = sum(now - at <= REBUILDS_SECONDS for at in self._broken)
        most = self._endurance.rebuilds
        if most is not None and recent >= most and reason not in ("not_authorised", "broker_unreachable"):
            detail = f"{recent} clients broke within {REBUILDS_SECONDS:.0f} s, the last one: {reason}"
            self._emit(LaneStuck(self._lane, "client_broken", detail))

    def asked(self, trouble: Trouble | None, now: float) -> None:
        """The brokers were asked, and that came of it."""
        most = self._endurance.without_broker_seconds
        if trouble is None or trouble.reason != "broker_unreachable":
            self._heard_at = now
        elif most is not None and self._heard_at is not None and now - self._heard_at >= most:
            self._heard_at = None
            self._emit(LaneStuck(self._lane, "no_broker", f"no broker has answered for {most:.0f} s"))

    def trouble(self, now: float) -> Trouble | None:
        """That clients break again and again; None while they do not."""
        if len(self._broken) < REBUILDS or now - self._broken[-REBUILDS] > REBUILDS_SECONDS:
            return None
        return Trouble("other", f"{REBUILDS} clients broke within {REBUILDS_SECONDS:.0f} seconds")
