"""What a lane's journal says of commands that are over: not only that they ended, but how."""

from collections.abc import Mapping
from typing import NamedTuple

from consumer.core.attempts import ID_BYTES
from consumer.core.memory import Memory
from consumer.core.model import Outcome
from consumer.core.slices import ENTRIES
from schemas.journal import Landing, Outcomes

_OUTCOMES = tuple(Outcome)
_NUMBERS: Mapping[str, int] = {outcome.value: number for number, outcome in enumerate(_OUTCOMES)}
# An outcome takes the place of the digest's last four bits: 28 are enough to tell two payloads apart.
_OUTCOME_BITS = 0x0F


class FirstEnd(NamedTuple):
    """The first end of a command. `alike`: its event had the payload that was asked about."""

    outcome: Outcome
    alike: bool


class Hindsight(Memory):
    """A memory that is read from the outside, by those who own nothing: feed it every entry of the journal in order.
    Eighteen bytes a command, as in the memory of a lane."""

    def __init__(self, memory_seconds: float) -> None:
        super().__init__(memory_seconds)
        self._outcomes: Mapping[bytes, str | None] = {}
        self._alike: str | None = None

    def end_of(self, id_: bytes, digest: bytes) -> FirstEnd | None:
        """How the command ended; None while the journal knows no end of it."""
        known = self.ended(id_)
        if known is None:
            return None
        alike = known[:3] == digest[:3] and not (known[3] ^ digest[3]) & ~_OUTCOME_BITS
        return FirstEnd(_OUTCOMES[known[3] & _OUTCOME_BITS], alike)

    def _land(self, landing: Landing, at: float) -> None:
        attempt = self.open_attempts.get(landing.attempt)
        self._alike = landing.outcome
        if attempt is not None and landing.outcomes is not None:
            ids = [id_ for parcel in attempt.parcels for id_ in parcel.commands.ids]
            self._outcomes = dict(zip(ids, landing.outcomes, strict=False))
        super()._land(landing, at)
        self._outcomes = {}

    def _end_all(self, outcomes: Outcomes, at: float) -> None:
        self._alike = outcomes.outcome
        super()._end_all(outcomes, at)

    def _end(self, endings: bytes, at: float) -> None:
        super()._end(b"".join(self._marked(ending) for (ending,) in ENTRIES.iter_unpack(endings)), at)

    def _marked(self, ending: bytes) -> bytes:
        outcome = self._outcomes.get(ending[:ID_BYTES]) or self._alike or Outcome.UNKNOWN.value
        return ending[:-1] + bytes((ending[-1] & ~_OUTCOME_BITS | _NUMBERS[outcome],))
