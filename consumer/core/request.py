"""What one request carries while it is bound: its parcels, and the room that is left."""

from consumer.core.model import Capacity, Parcel
from consumer.core.turn import Choice


class Request:
    """What has been bound to one request so far."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._told = 0
        self.parcels: list[Parcel] = []

    def add(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        if self._capacity.total is not None:
            self._told += len({command.recipient for command in parcel.commands})

    @property
    def room(self) -> int:
        """How many recipients the next parcel may have."""
        capacity = self._capacity
        return capacity.recipients if capacity.total is None else min(capacity.recipients, capacity.total - self._told)

    @property
    def full(self) -> bool:
        return len(self.parcels) == self._capacity.parcels or self.room <= 0


def fits(choice: Choice, first: Choice, capacity: Capacity) -> bool:
    """Whether a choice may share the request of the first one: of one policy, and none that goes alone."""
    return choice.on_unsure is first.on_unsure and not capacity.goes_alone(choice.message)
