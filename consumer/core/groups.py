"""The open groups of an outbox, and the line in which its policy lets them go."""

import math
from collections.abc import Iterable, Iterator
from copy import copy
from itertools import count
from operator import attrgetter

from consumer.core.explain import Waiting, explained
from consumer.core.glimpse import Glimpse
from consumer.core.group import Group, GroupKey, group_key
from consumer.core.index import Index
from consumer.core.model import Capacity, Command, Message
from consumer.core.order import KeepsOrder, Order
from consumer.core.room import Room
from consumer.core.shelf import Live, Loners, Shelf
from consumer.core.sizes import Sizes
from consumer.core.turn import Choice, Moment, Policy

# With more groups than this a lane that sends its parcels faster than this keeps their order, for ranking them all at
# each request costs too much (without a quota any number does); a policy that cannot has its line used for so long.
_MANY_GROUPS = 1000
_BRISK_SECONDS = _LINE_SECONDS = 2.0
_MANY_UNCOUNTED = 1000

_NUMBER = attrgetter("number")


class Groups(Loners):
    """Whoever stands in one has it as `Live.group`."""

    def __init__(self, live: Shelf, room: Room, policy: Policy) -> None:
        self._live = live
        self._room = room
        self._policy = policy
        # Asked once: to look whether a class has all methods of a protocol takes longer than to take a command.
        self._keeper = policy if isinstance(policy, KeepsOrder) else None
        self._numbers = count()
        # By what they say in full detail; nearly always one group says it.
        self._alike: dict[Message, Group | dict[GroupKey, Group]] = {}
        self._sizes = Sizes()
        # Those that have grown or shrunk, with the size that is counted of them: most do again before anybody asks.
        self._uncounted: dict[Group, int] = {}
        self._order: Order | None = None
        self._many = _MANY_GROUPS
        # Without a quota a request makes nobody else wait: nothing is merged then, and every order is kept.
        self._merges = True
        self._line: list[Choice] = []
        self._ranked_at = -math.inf
        # The ids of those that are alone in a folded group, by what it says.
        self._folded = Index()
        # Whether they stand in another order than that in which they began.
        self._unordered = False
        live.loners = self

    # --- who comes and goes -------------------------------------------------------------------------------------------

    def add(self, live: Live) -> None:
        """To its equals, or to a new group."""
        group = live.group = self._group_for(live.command)
        self._uncounted.setdefault(group, group.size)
        group.add(live.command)
        self._live.rest(live.command.id)

    def remove(self, live: Live, group: Group) -> None:
        """Out of its group."""
        live.group = None
        self.discard(group, live.command)

    def discard(self, group: Group, *commands: Command) -> None:
        """These, which stand in the group no more."""
        self._uncounted.setdefault(group, group.size)
        group.discard(*commands)
        if not group.size:
            self._end(group)

    def _group_for(self, command: Command) -> Group:
        message = command.wordings[0]
        alike = self._alike.get(message)
        if alike is None and self._folded:
            alike = self._unfolded(message)
        if alike is None:
            group = self._alike[message] = self._begin(command)
            return group
        if isinstance(alike, Group):
            if alike.takes(command):
                return alike
            alike = self._alike[message] = {alike.key: alike}
        key = group_key(command.wordings, command.terms)
        if key not in alike:
            alike[key] = self._begin(command)
        return alike[key]

    def _begin(self, command: Command) -> Group:
        group = Group(command, self._live, next(self._numbers))
        self._live.groups[group.number] = group
        self._room.add_group(group)
        if len(self._uncounted) > _MANY_UNCOUNTED:
            self.count()
        self._keep_order()
        return group

    def _end(self, group: Group) -> None:
        self._changed(group, self._uncounted.pop(group))
        del self._live.groups[group.number]
        self._unordered = self._unordered and len(self) > 0
        alike = self._alike[group.message]
        if not isinstance(alike, Group):
            del alike[group.key]
        if isinstance(alike, Group) or not alike:
            del self._alike[group.message]
        self._room.remove_group(group)
        if len(self) < self._many // 2:
            self._forget_order()

    def count(self) -> None:
        """Have the order know how they stand; whoever asks about the order does it before."""
        if self._uncounted:
            for group, size in self._uncounted.items():
                self._changed(group, size)
            self._uncounted.clear()

    def _changed(self, group: Group, size: int) -> None:
        """A group of that size has another one now, or another oldest command."""
        if group.size != size:
            self._sizes.move(size, group.size, may_coarsen=group.may_coarsen)
        if self._order is not None:
            self._order.see(group)

    def _keep_order(self) -> None:
        """From very many groups on, and until there are far fewer; the new one is not in it yet."""
        if self._order is None and self._keeper is not None and len(self) > self._many:
            self._order = self._keeper.order(self._sizes, self._live.look, merges=self._merges)
            for group in self:
                if group.size:
                    self._order.see(group)

    def _forget_order(self) -> None:
        """Those that were folded with their place in it are whole again."""
        self._order = None
        for glimpse in list(self._live.loners_folded()) if self._folded else ():
            self.whole(glimpse)

    def clear(self) -> None:
        """Forget the last line, now that nobody is left."""
        self._line.clear()

    # --- how they stand -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._live.groups) + len(self._folded)

    def __iter__(self) -> Iterator[Group]:
        """In the order in which they began; of those that are folded a glimpse."""
        groups = self._live.groups.values()
        folded = self._live.loners_folded() if self._folded else ()
        return iter(sorted([*groups, *folded], key=_NUMBER) if self._unordered else groups)

    @property
    def oldest(self) -> float | None:
        """The earliest arrival of what is open. Asked about once a second: to keep it at hand costs more."""
        folded = (self._live.oldest_folded(),) if self._folded else ()
        return min([group.oldest for group in self._live.groups.values()] + [*folded], default=None)

    def saying(self, choice: Choice) -> Iterable[Group]:
        """Those for which the choice's message is their full wording."""
        alike = self._alike.get(choice.message)
        if alike is None and self._folded:
            alike = self._unfolded(choice.message)
        if alike is None:
            return ()
        groups = (alike,) if isinstance(alike, Group) else alike.values()
        return [group for group in groups if group.terms.on_unsure is choice.on_unsure]

    def seconds_to_clear(self, gap_seconds: float, capacity: Capacity) -> float:
        """How long they take in full detail, one request a gap."""
        self.count()
        return -(-self._sizes.places(capacity.recipients) // capacity.parcels) * gap_seconds

    # --- folded with their only command -------------------------------------------------------------------------------

    def fold(self, group: Group, id_: bytes) -> bool:
        """One that stands in the order, and alone says what it says, needs no object of its own."""
        if self._order is None or self._alike.get(group.message) is not group:
            return False
        if group in self._uncounted:
            self.count()
        del self._alike[group.message], self._live.groups[group.number]
        self._folded.add(hash(group.message), id_)
        self._room.fold_group(group)
        self._unordered = True
        return True

    def unfold(self, group: Group, id_: bytes) -> None:
        self._folded.remove(hash(group.message), id_)
        self._room.unfold_group(group)
        self._alike[group.message] = self._live.groups[group.number] = group
        if self._order is not None:
            self._order.resume(group)

    def _unfolded(self, message: Message) -> Group | dict[GroupKey, Group] | None:
        """Who says it, whole from now on."""
        for id_ in self._folded.find(hash(message)):
            self._live.command(id_)
        return self._alike.get(message)

    def whole(self, group: Group) -> Group:
        """The group itself, for a glimpse of it; an empty one where it has left."""
        if not isinstance(group, Glimpse):
            return group
        live = None if group.only is None else self._live.get(group.only)
        if live is None or live.group is None:
            group.size = 0
            return group
        return live.group

    # --- the line -----------------------------------------------------------------------------------------------------

    def choices(self, moment: Moment) -> Iterator[Choice]:
        """The policy's line; of too many groups the first by their kept order, or for a little while the last line."""
        self.count()
        brisk = moment.gap_seconds / moment.capacity.parcels < _BRISK_SECONDS
        self._merges = moment.gap_seconds > 0
        if not self._merges and self._keeper is not None:
            self._many = 0
        if self._merges and self._order is not None and not self._order.merges:
            self._forget_order()
        self._keep_order()
        if not brisk or len(self) <= self._many:
            return self._policy.line(tuple(self), moment)
        if self._order is not None and self._keeper is not None:
            return self._keeper.brisk(self._order, moment)
        return self._rest_of_line(moment)

    def _rest_of_line(self, moment: Moment) -> Iterator[Choice]:
        if moment.now - self._ranked_at < _LINE_SECONDS:
            yield from self._line
        self._ranked_at = moment.now
        self._line = list(self._policy.line(tuple(self), moment))
        yield from self._line

    def explain(self, moment: Moment, limit: int) -> list[Waiting]:
        """Those that go out next, as things stand; it changes nothing. Of very many, by the kept order."""
        self.count()
        # A policy may remember its last decision, and this is none.
        order = self._order
        if order is not None and self._keeper is not None and (order.merges or not moment.gap_seconds):
            return explained(copy(self._keeper).brisk(order, moment), moment, limit)
        return explained(copy(self._policy).line(tuple(self), moment), moment, limit)
