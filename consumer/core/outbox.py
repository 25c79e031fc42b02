"""What waits on a lane: open groups of equal messages, their threads, and the late binding of a request."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from heapq import heapify, heappop, heappush, heapreplace

from consumer.core.earliest import Earliest
from consumer.core.explain import Waiting, explained
from consumer.core.group import Group, GroupKey, group_key
from consumer.core.model import Bounds, Capacity, Command, Ended, Message, OnUnsure, Outcome, Parcel
from consumer.core.order import KeepsOrder, Order
from consumer.core.request import Request, fits
from consumer.core.room import Room
from consumer.core.sizes import Sizes
from consumer.core.threads import Threads
from consumer.core.turn import Choice, Moment, Policy

# Entries of commands that are gone stay in the heap of deadlines up to this many times what waits.
_STALE_FACTOR = 2
_STALE_ROOM = 1024
# With more groups than this a lane that sends its parcels faster than this keeps their order, for ranking them all at
# each request costs too much (without a quota any number does); a policy that cannot has its line used for so long.
_MANY_GROUPS = 1000
_BRISK_SECONDS = _LINE_SECONDS = 2.0


class Outbox:
    """Pure state: nothing here waits for time to pass, and what ends is returned by the call that ended it.

    A waiting command is *open* (a request may take it), *held* (an older one of its thread is in flight or in doubt) or
    overdue (expired, until the next `expire` says so).
    """

    def __init__(self, bounds: Bounds, policy: Policy) -> None:
        self._policy = policy
        # Asked once: to look whether a class has all methods of a protocol takes longer than to take a command.
        self._keeper = policy if isinstance(policy, KeepsOrder) else None
        self._room = Room(bounds)
        self._threads = Threads()
        self._groups: dict[GroupKey, Group] = {}
        self._alike: dict[tuple[Message, OnUnsure], dict[GroupKey, Group]] = {}
        self._open: dict[bytes, Group] = {}
        self._held: dict[bytes, Command] = {}
        self._overdue: dict[bytes, Command] = {}
        self._deadlines: list[tuple[float, bytes]] = []
        self._sizes = Sizes()
        self._eldest: Earliest[Group] = Earliest(lambda group: group.oldest)
        self._eldest_held: Earliest[bytes] = Earliest(lambda id_: self._held[id_].arrived)
        self._order: Order | None = None
        self._many = _MANY_GROUPS
        self._line: list[Choice] = []
        self._ranked_at = -math.inf

    # --- in -----------------------------------------------------------------------------------------------------------

    def put(self, command: Command, attempted: int | None = None) -> tuple[Ended, ...]:
        """Let a command wait; `attempted` is the highest rank ever attempted on its thread.

        Returned is what ends as superseded: older ones of the thread that waited, or the command itself. Raises
        ValueError when it waits already.
        """
        if self._waits(command.id):
            raise ValueError(f"command {command.id.hex()} waits already")
        if command.thread is None:
            self._admit(command, held=False)
            return ()
        if self._threads.newest(command.thread, attempted) > command.rank:
            return (Ended(command, Outcome.SUPERSEDED, "newer"),)
        older = self._threads.older(command.thread, command.rank)
        ended = tuple(Ended(self._drop(id_), Outcome.SUPERSEDED, "newer") for id_ in older)
        self._admit(command, held=self._threads.holds(command.thread, command.rank))
        return ended

    def put_back(self, command: Command, attempted: int | None = None) -> tuple[Ended, ...]:
        """A flight came back without an outcome: the command waits again, with its age, even over the bound."""
        self.land(command.thread, command.rank)
        return self.put(command, attempted)

    def fly(self, thread: int | None, rank: int) -> tuple[Ended, ...]:
        """Something of this thread is in doubt: newer ones are held from now on, older ones end as superseded."""
        if thread is None:
            return ()
        self._threads.fly(thread, rank)
        ended = tuple(Ended(self._drop(id_), Outcome.SUPERSEDED, "newer") for id_ in self._threads.older(thread, rank))
        for id_ in self._threads.waiting(thread):
            if id_ in self._open and self._threads.holds(thread, self._open[id_].commands[id_].rank):
                self._hold(self._ungroup(id_))
        return ended

    def land(self, thread: int | None, rank: int) -> None:
        """A flight or a doubt is over; what it held back is open. Raises ValueError when nothing of that rank flies."""
        if thread is None:
            return
        self._threads.land(thread, rank)
        for id_ in self._threads.waiting(thread):
            held = self._held.get(id_)
            if held is not None and not self._threads.holds(thread, held.rank):
                self._group(self._unhold(id_))

    # --- out ----------------------------------------------------------------------------------------------------------

    def take(self, now: float, gap_seconds: float, capacity: Capacity) -> tuple[Parcel, ...]:
        """Bind the next request; what it takes is in flight until `land` or `put_back`.

        The policy decides which groups, and at which level. Each parcel has at most `capacity.recipients` recipients,
        the oldest arrivals first. Room that is left goes to groups for which the message is their full wording, so that
        nobody loses detail by it; and who is told once anyway is told for all commands that the message serves.
        """
        self._sweep(now)
        request = Request(capacity)
        choices: list[Choice] = []
        for choice in self._choices(Moment(now, gap_seconds, capacity)):
            if not choices or fits(choice, choices[0], capacity):
                parcel = self._parcel(choice, request.room)
                if parcel is not None:
                    choices.append(choice)
                    request.add(parcel)
            if choices and capacity.goes_alone(choices[0].message):
                return tuple(request.parcels)
            if request.full:
                break
        self._fill(request, choices)
        return tuple(request.parcels)

    def take_probe(self, now: float, capacity: Capacity, besides: Collection[Message] = ()) -> tuple[Parcel, ...]:
        """Bind a request that only finds out how the provider is: the smallest group of the most urgent priority, in
        its finest wording. Empty when nothing is open but the texts `besides`."""
        self._sweep(now)
        groups = [group for group in self._groups.values() if group.message not in besides]
        if not groups:
            return ()
        least = min(groups, key=lambda group: (-group.weight, group.size, group.oldest))
        parcel = self._parcel(Choice((least,), least.message, 0, least.size), Request(capacity).room)
        return () if parcel is None else (parcel,)

    def expire(self, now: float) -> tuple[Ended, ...]:
        """End what waits at or beyond its deadline."""
        self._sweep(now)
        return tuple(Ended(self._drop(id_), Outcome.EXPIRED, "ttl") for id_ in list(self._overdue))

    def next_expiry(self) -> float | None:
        """The next deadline of what waits, in broker seconds."""
        if self._overdue:
            return min(command.deadline for command in self._overdue.values())
        while self._deadlines and not self._waits(self._deadlines[0][1]):
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def newer_waits(self, command: Command) -> bool:
        """Whether a newer one of its thread waits."""
        return command.thread is not None and self._threads.newer(command.thread, command.rank)

    def remove(self, command: Command) -> bool:
        """It ended elsewhere; False when it does not wait here."""
        if not self._waits(command.id):
            return False
        self._drop(command.id)
        return True

    def clear(self) -> int:
        """Let go of all that waits, and say how much that was. Flights still fly: they land as ever."""
        released = [*self._open, *self._held, *self._overdue]
        for id_ in released:
            self._drop(id_)
        self._deadlines.clear()
        self._line.clear()
        return len(released)

    # --- how it stands ------------------------------------------------------------------------------------------------

    def has_room(self, source: str) -> bool:
        """Whether the next records of this source may be read. See `Room` for the shares."""
        return self._room.has_room(source)

    @property
    def full(self) -> bool:
        """Whether all sources together have reached the bound."""
        return self._room.full

    def reserve(self, command: Command) -> None:
        """Something that does not wait here takes its part of the bound all the same, until `free`."""
        self._room.add(command)

    def free(self, command: Command) -> None:
        self._room.remove(command)

    @property
    def waiting(self) -> int:
        """Commands that wait, open, held and overdue; not those in flight."""
        return len(self._open) + len(self._held) + len(self._overdue)

    @property
    def waiting_bytes(self) -> int:
        """About how much memory they take."""
        return self._room.bytes

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def group_count(self) -> int:
        return len(self._groups)

    @property
    def oldest(self) -> float | None:
        """The earliest arrival of all that waits."""
        arrivals = [at for at in (self._eldest.first(), self._eldest_held.first()) if at is not None]
        # The next `expire` ends these, so there are hardly ever any.
        arrivals.extend(command.arrived for command in self._overdue.values())
        return min(arrivals, default=None)

    def groups(self) -> tuple[Group, ...]:
        """The open groups, for explanation; they change with the outbox."""
        return tuple(self._groups.values())

    def group_of(self, id_: bytes) -> Group | None:
        """The open group in which a command waits; None where it is not open."""
        return self._open.get(id_)

    def seconds_to_clear(self, gap_seconds: float, capacity: Capacity) -> float:
        """How long the open groups take in full detail, one request a gap."""
        return -(-self._sizes.places(capacity.recipients) // capacity.parcels) * gap_seconds

    def explain(self, now: float, gap_seconds: float, capacity: Capacity, limit: int = 50) -> list[Waiting]:
        """The open groups that go out next, as things stand; it changes nothing. Of very many, by the kept order."""
        moment = Moment(now, gap_seconds, capacity)
        # A policy may remember its last decision, and this is none.
        if self._order is not None and self._keeper is not None:
            return explained(copy(self._keeper).brisk(self._order, moment), moment, limit)
        return explained(copy(self._policy).line(self.groups(), moment), moment, limit)

    # --- places -------------------------------------------------------------------------------------------------------

    def _waits(self, id_: bytes) -> bool:
        return id_ in self._open or id_ in self._held or id_ in self._overdue

    def _admit(self, command: Command, *, held: bool) -> None:
        self._room.add(command)
        if command.thread is not None:
            self._threads.wait(command.thread, command.rank, command.id)
        heappush(self._deadlines, (command.deadline, command.id))
        if held:
            self._hold(command)
        else:
            self._group(command)

    def _drop(self, id_: bytes) -> Command:
        """Out of wherever it waits."""
        if id_ in self._open:
            command = self._ungroup(id_)
        else:
            command = self._unhold(id_) if id_ in self._held else self._overdue.pop(id_)
        self._room.remove(command)
        if command.thread is not None:
            self._threads.leave(command.thread, id_)
        if len(self._deadlines) > _STALE_FACTOR * self.waiting + _STALE_ROOM:
            self._deadlines = [entry for entry in set(self._deadlines) if self._waits(entry[1])]
            heapify(self._deadlines)
        return command

    def _group(self, command: Command) -> None:
        key = group_key(command)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(command, key)
            self._alike.setdefault((group.message, group.terms.on_unsure), {})[key] = group
            self._room.add_group(group)
            self._keep_order()
        size = group.size
        group.add(command)
        self._open[command.id] = group
        self._eldest.note(group)
        self._changed(group, size)

    def _ungroup(self, id_: bytes) -> Command:
        group = self._open.pop(id_)
        size = group.size
        command = group.discard(id_)
        self._changed(group, size)
        if not group.commands:
            self._eldest.remove(group)
            del self._groups[group.key]
            alike = self._alike[group.message, group.terms.on_unsure]
            del alike[group.key]
            if not alike:
                del self._alike[group.message, group.terms.on_unsure]
            self._room.remove_group(group)
            if len(self._groups) < self._many // 2:
                self._order = None
        return command

    def _changed(self, group: Group, size: int) -> None:
        """A group of that size has another one now, or another oldest command."""
        if group.size != size:
            self._sizes.move(size, group.size, may_coarsen=group.may_coarsen)
        if self._order is not None:
            self._order.see(group)

    def _keep_order(self) -> None:
        """From very many groups on, and until there are far fewer; the new one is not in it yet."""
        if self._order is None and len(self._groups) > self._many and self._keeper is not None:
            self._order = self._keeper.order(self._sizes)
            for group in self._groups.values():
                if group.commands:
                    self._order.see(group)

    def _hold(self, command: Command) -> None:
        self._held[command.id] = command
        self._eldest_held.note(command.id)

    def _unhold(self, id_: bytes) -> Command:
        self._eldest_held.remove(id_)
        return self._held.pop(id_)

    def _sweep(self, now: float) -> None:
        """What has expired is not open any more, though it only ends with the next `expire`."""
        while self._deadlines and self._deadlines[0][0] <= now:
            id_ = heappop(self._deadlines)[1]
            if id_ in self._open:
                self._overdue[id_] = self._ungroup(id_)
            elif id_ in self._held:
                self._overdue[id_] = self._unhold(id_)

    # --- the binding of a request -------------------------------------------------------------------------------------

    def _choices(self, moment: Moment) -> Iterator[Choice]:
        """The policy's line; of too many groups the first by their kept order, or for a little while the last line."""
        brisk = moment.gap_seconds / moment.capacity.parcels < _BRISK_SECONDS
        if self._many and not moment.gap_seconds and self._keeper is not None:
            self._many = 0
        self._keep_order()
        if not brisk or len(self._groups) <= self._many:
            yield from self._policy.line(self.groups(), moment)
        elif self._order is not None and self._keeper is not None:
            yield from self._keeper.brisk(self._order, moment)
        else:
            yield from self._rest_of_line(moment)

    def _rest_of_line(self, moment: Moment) -> Iterator[Choice]:
        if moment.now - self._ranked_at < _LINE_SECONDS:
            yield from self._line
        self._ranked_at = moment.now
        self._line = list(self._policy.line(self.groups(), moment))
        yield from self._line

    def _fill(self, request: Request, choices: Sequence[Choice]) -> None:
        """Parcels that are left go round the same choices again, as long as those have recipients left."""
        more = True
        while more:
            more = False
            for choice in choices:
                parcel = None if request.full else self._parcel(choice, request.room)
                if parcel is not None:
                    request.add(parcel)
                    more = True

    def _parcel(self, choice: Choice, capacity: int) -> Parcel | None:
        """The parcel of a choice, or nothing where an earlier parcel has taken all of it."""
        alike = self._alike.get((choice.message, choice.on_unsure), {})
        chosen = [group for group in choice.groups if group.commands]
        known = set(chosen)
        others = [group for group in alike.values() if group not in known]
        told: set[str] = set()
        commands: list[Command] = []
        room = capacity if choice.most is None else min(capacity, choice.most)
        for groups in (chosen, others):
            commands.extend(self._oldest(groups, told, room))
        commands.extend(self._riders([*chosen, *others], told))
        return Parcel(choice.message, choice.level, tuple(commands)) if commands else None

    def _oldest(self, groups: Iterable[Group], told: set[str], room: int) -> list[Command]:
        """Commands in the order of their arrival, until the room is full."""
        heads = [(group.oldest, number, group) for number, group in enumerate(groups)]
        heapify(heads)
        taken: list[Command] = []
        while heads:
            _, number, group = heads[0]
            command = group.first()
            if command.recipient not in told and len(told) >= room:
                break
            told.add(command.recipient)
            taken.append(self._depart(command))
            if group.commands:
                heapreplace(heads, (group.oldest, number, group))
            else:
                heappop(heads)
        return taken

    def _riders(self, groups: Iterable[Group], told: set[str]) -> list[Command]:
        return [self._depart(command) for group in groups for command in group.of_recipients(told)]

    def _depart(self, command: Command) -> Command:
        self._drop(command.id)
        if command.thread is not None:
            self._threads.fly(command.thread, command.rank)
        return command
