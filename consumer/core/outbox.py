"""What waits on a lane: open groups of equal messages, their threads, and the late binding of a request."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from heapq import merge
from operator import attrgetter
from typing import cast

from consumer.core.deadlines import Deadlines
from consumer.core.explain import Waiting
from consumer.core.group import Group
from consumer.core.groups import Groups
from consumer.core.model import Bounds, Capacity, Command, Ended, Message, Outcome, Parcel
from consumer.core.request import Request, fits
from consumer.core.room import Room
from consumer.core.shelf import Live, Place, Shelf
from consumer.core.turn import Choice, Moment, Policy

_ARRIVED = attrgetter("arrived")
_Left = defaultdict[Group, list[Command]]


class Outbox:
    """Pure state: nothing here waits for time to pass, and what ends is returned by the call that ended it.

    A waiting command is *open* (a request may take it), *held* (an older one of its thread is in flight or in doubt) or
    overdue (expired, until the next `expire` says so).
    """

    def __init__(self, bounds: Bounds, policy: Policy, live: Shelf | None = None) -> None:
        self._room = Room(bounds)
        # A desk has its commands in here too, wherever they are.
        self.live = Shelf() if live is None else live
        self._threads = self.live.threads
        self._groups = Groups(self.live, self._room, policy)
        self._open = 0
        self._held: dict[bytes, Command] = {}
        self._overdue: dict[bytes, Command] = {}
        self._deadlines = Deadlines(self._waits_until)

    # --- in -----------------------------------------------------------------------------------------------------------

    def put(self, command: Command, attempted: int | None = None) -> tuple[Ended, ...]:
        """Let a command wait; `attempted` is the highest rank ever attempted on its thread.

        Returned is what ends as superseded: older ones of the thread that waited, or the command itself. Raises
        ValueError when it waits already.
        """
        id_, live = command.id, self.live.get(command.id)
        if live is not None and (live.group is not None or id_ in self._held or id_ in self._overdue):
            raise ValueError(f"command {id_.hex()} waits already")
        if command.thread is None or (attempted is None and self._threads.is_free(command.thread)):
            self._admit(command, live, held=False)
            return ()
        if self._threads.is_outdated(command.thread, command.rank, attempted):
            return (Ended(command, Outcome.SUPERSEDED, "newer"),)
        ended = self._supersede(command.thread, command.rank)
        self._admit(command, live, held=self._threads.holds(command.thread, command.rank))
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
        ended = self._supersede(thread, rank)
        for id_ in self._threads.waiting(thread):
            live = self.live[id_]
            if live.group is not None and self._threads.holds(thread, live.command.rank):
                self._ungroup(live, live.group)
                self._held[id_] = live.command
        return ended

    def land(self, thread: int | None, rank: int) -> None:
        """A flight or a doubt is over; what it held back is open. Raises ValueError when nothing of that rank flies."""
        if thread is None:
            return
        self._threads.land(thread, rank)
        if not self._held:
            return
        for id_ in self._threads.waiting(thread):
            held = self._held.get(id_)
            if held is not None and not self._threads.holds(thread, held.rank):
                del self._held[id_]
                self._open += 1
                self._groups.add(self.live[id_])

    # --- out ----------------------------------------------------------------------------------------------------------

    def take(self, now: float, gap_seconds: float, capacity: Capacity) -> tuple[Parcel, ...]:
        """Bind the next request; what it takes is in flight until `land` or `put_back`.

        The policy decides which groups, and at which level. Each parcel has at most `capacity.recipients` recipients,
        the oldest arrivals first. Room that is left goes to groups for which the message is their full wording, so that
        nobody loses detail by it; and who is told once anyway is told for all commands that the message serves.
        """
        self._sweep(now)
        self.live.still = True
        try:
            return self._bound(Moment(now, gap_seconds, capacity), Request(capacity))
        finally:
            self.live.still = False

    def _bound(self, moment: Moment, request: Request) -> tuple[Parcel, ...]:
        capacity = moment.capacity
        choices: list[Choice] = []
        for choice in self._groups.choices(moment):
            if not choices or fits(choice, choices[0], capacity):
                parcel = self._parcel(choice, request.room)
                if parcel is not None:
                    choices.append(choice)
                    request.add(parcel)
            if choices and capacity.goes_alone(choices[0].message):
                return tuple(request.parcels)
            if request.full:
                break
        if not request.full:
            self._fill(request, choices)
        return tuple(request.parcels)

    def take_probe(self, now: float, capacity: Capacity, besides: Collection[Message] = ()) -> tuple[Parcel, ...]:
        """Bind a request that only finds out how the provider is: the smallest group of the most urgent priority, in
        its finest wording. Empty when nothing is open but the texts `besides`."""
        self._sweep(now)
        groups = sorted(self.groups(), key=lambda group: (-group.weight, group.size, group.oldest))
        least = next((group for group in groups if group.message not in besides), None)
        if least is None:
            return ()
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
        return self._deadlines.first()

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
        released = [id_ for id_ in self.live if self._waits(id_)]
        for id_ in released:
            self._drop(id_)
        self._deadlines.clear()
        self._groups.clear()
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
        return self._open + len(self._held) + len(self._overdue)

    @property
    def waiting_bytes(self) -> int:
        """About how much memory they take."""
        return self._room.bytes

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def open_count(self) -> int:
        return self._open

    @property
    def group_count(self) -> int:
        return len(self._groups)

    @property
    def oldest(self) -> float | None:
        """The earliest arrival of all that waits."""
        closed = [command.arrived for command in (*self._held.values(), *self._overdue.values())]
        opened = self._groups.oldest
        return min(closed if opened is None else [opened, *closed], default=None)

    def groups(self) -> tuple[Group, ...]:
        """The open groups, for explanation; they change with the outbox."""
        return tuple(self._groups)

    def group_of(self, id_: bytes) -> Group | None:
        """The open group in which a command waits; None where it is not open."""
        live = self.live.get(id_)
        return None if live is None else live.group

    def seconds_to_clear(self, gap_seconds: float, capacity: Capacity) -> float:
        """How long the open groups take in full detail, one request a gap."""
        return self._groups.seconds_to_clear(gap_seconds, capacity)

    def explain(self, now: float, gap_seconds: float, capacity: Capacity, limit: int = 50) -> list[Waiting]:
        """The open groups that go out next, as things stand; it changes nothing. Of very many, by the kept order."""
        return self._groups.explain(Moment(now, gap_seconds, capacity), limit)

    # --- places -------------------------------------------------------------------------------------------------------

    def _waits(self, id_: bytes) -> bool:
        return self._waits_until(id_) is not None or id_ in self._overdue

    def _waits_until(self, id_: bytes) -> float | None:
        """The deadline of what is open or held."""
        held = self._held.get(id_)
        return self.live.open_until(id_) if held is None else held.deadline

    def _admit(self, command: Command, live: Live | None, *, held: bool) -> None:
        self._room.add(command)
        if command.thread is not None:
            self._threads.wait(command.thread, command.id)
        self._deadlines.add(command.deadline, command.id)
        if live is None:
            live = Live(command, [], Place.LOOSE)
            self.live.add(live)
        if held:
            self._held[command.id] = command
        else:
            self._open += 1
            self._groups.add(live)

    def _supersede(self, thread: int, rank: int) -> tuple[Ended, ...]:
        """What waits and is older ends."""
        return tuple(Ended(self._drop(id_), Outcome.SUPERSEDED, "newer") for id_ in self._threads.older(thread, rank))

    def _drop(self, id_: bytes) -> Command:
        """Out of wherever it waits."""
        live = self.live[id_]
        command = live.command
        if live.group is not None:
            self._ungroup(live, live.group)
        elif id_ in self._held:
            del self._held[id_]
        else:
            del self._overdue[id_]
        self._room.remove(command)
        if command.thread is not None:
            self._threads.leave(command.thread, id_)
        if live.place is Place.LOOSE:
            self.live.pop(id_)
        self._deadlines.tidy(self.waiting)
        return command

    def _ungroup(self, live: Live, group: Group) -> None:
        self._open -= 1
        self._groups.remove(live, group)

    def _sweep(self, now: float) -> None:
        """What has expired is not open any more, though it only ends with the next `expire`."""
        while (id_ := self._deadlines.passed(now)) is not None:
            live = self.live[id_]
            if live.group is not None:
                self._ungroup(live, live.group)
            else:
                del self._held[id_]
            self._overdue[id_] = live.command

    # --- the binding of a request -------------------------------------------------------------------------------------

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
        wanted, saying = list(map(self._groups.whole, choice.groups)), self._groups.saying(choice)
        if len(wanted) == 1 and wanted == saying and (only := wanted[0].only) is not None:
            # One command alone says this, as it is with nearly every text that is somebody's own.
            lone = self.live.command(only)
            self._groups.discard(self._depart(lone), lone)
            self._deadlines.tidy(self.waiting)
            return Parcel(choice.message, choice.level, (lone,))
        chosen = [group for group in wanted if group.size]
        others = [group for group in saying if group not in wanted]
        told: set[str] = set()
        commands: list[Command] = []
        room = capacity if choice.most is None else min(capacity, choice.most)
        for groups in filter(None, (chosen, others)):
            commands.extend(self._oldest(groups, told, room))
        commands.extend(self._riders([group for group in (*chosen, *others) if group.size], told))
        self._groups.count()
        return Parcel(choice.message, choice.level, tuple(commands)) if commands else None

    def _oldest(self, groups: Iterable[Group], told: set[str], room: int) -> list[Command]:
        """Commands in the order of their arrival, until the room is full."""
        taken: list[Command] = []
        left: _Left = defaultdict(list)
        for command in merge(*[group.in_line() for group in groups], key=_ARRIVED):
            if command.recipient not in told and len(told) >= room:
                break
            told.add(command.recipient)
            taken.append(command)
            left[self._depart(command)].append(command)
        self._leave(left)
        self._deadlines.tidy(self.waiting)
        return taken

    def _riders(self, groups: Iterable[Group], told: set[str]) -> list[Command]:
        riders = [command for group in groups for command in group.of_recipients(told)]
        left: _Left = defaultdict(list)
        for command in riders:
            left[self._depart(command)].append(command)
        self._leave(left)
        return riders

    def _depart(self, command: Command) -> Group:
        """Into a request. The group that it leaves is told at once of all that do."""
        live = self.live[command.id]
        group = cast("Group", live.group)  # only what is open departs
        live.group = None
        self._open -= 1
        self._room.remove(command)
        if command.thread is not None:
            self._threads.leave(command.thread, command.id)
            self._threads.fly(command.thread, command.rank)
        if live.place is Place.LOOSE:
            self.live.pop(command.id)
        return group

    def _leave(self, left: _Left) -> None:
        for group, commands in left.items():
            self._groups.discard(group, *commands)
