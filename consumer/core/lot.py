"""Where commands sleep that wait for a time of their own: whose night begins, and whose ends."""

from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from consumer.core.books import Books
from consumer.core.model import Command, Ended, Outcome, Quiet
from consumer.core.outbox import Outbox
from consumer.core.parking import Parking, Sleeper
from consumer.core.quiet import Nights
from consumer.core.shelf import Live, Place

# Who sleeps for less is not worth a record.
SHORT_SECONDS = 60.0
# What may be kept whole for later, in each process that follows the journal.
PARKED_COMMANDS = 200_000
PARKED_BYTES = 256 * 1024 * 1024


class Lot:
    """A desk's sleepers: first *asleep*, with their records open and their part of the bound; then *parked*, durable in
    the journal and whole in the memory, with their records settled."""

    def __init__(self, books: Books, outbox: Outbox) -> None:
        self._books = books
        self._outbox = outbox
        self._parked = books.memory.parked
        self._asleep = Parking()
        self._nights = Nights()
        self._begins: dict[Quiet, float] = {}
        self._drowsy: deque[bytes] = deque()
        self._alarms = [(sleeper.until, sleeper.command.id) for sleeper in self._parked]
        heapify(self._alarms)

    @property
    def occupied(self) -> bool:
        """Whether anybody sleeps."""
        return bool(self._asleep.sleepers or self._parked.sleepers)

    # --- who goes to sleep --------------------------------------------------------------------------------------------

    def drowse(self, command: Command) -> None:
        """It waits from now on, and may have to sleep: the next look tells."""
        if command.quiet is not None:
            self._drowsy.append(command.id)

    @property
    def drowsy(self) -> bool:
        """Whether somebody waits who was not looked at: nothing may be taken before."""
        return bool(self._drowsy)

    def hush(self, now: float, most: int) -> list[Ended]:
        """Look at those that came to wait, and at all whose night has begun; at most so many a call. Who may wait until
        the morning sleeps; for others the night is the end."""
        if not (self._drowsy or self._begins):
            return []
        self._look_again(now)
        ended: list[Ended] = []
        for _ in range(min(most, len(self._drowsy))):
            live = self._books.live.get(self._drowsy.popleft())
            if live is not None and live.place is Place.WAITING:
                ended.extend(self._retire(live, now))
        return ended

    def _look_again(self, now: float) -> None:
        begun = {quiet for quiet, begin in self._begins.items() if begin <= now}
        if begun:
            for quiet in begun:
                del self._begins[quiet]
            self._drowsy.extend(self._books.live.of_quiet(begun))

    def _retire(self, live: Live, now: float) -> Iterable[Ended]:
        command, quiet = live.command, live.command.quiet
        if quiet is None or (until := self.quiet_until(quiet, now)) is None:
            return
        self._outbox.remove(command)
        if quiet.drop:
            end = Ended(command, Outcome.SUPPRESSED, "quiet_hours")
        elif command.deadline <= until:
            end = Ended(command, Outcome.EXPIRED, "quiet_hours")
        else:
            self._sleep(Sleeper(command, until, tuple(live.positions)))
            return
        self._books.finish(end)
        yield end

    def quiet_until(self, quiet: Quiet, now: float) -> float | None:
        """When the quiet that holds now ends; None where it is not quiet. The rule is watched from then on."""
        begin, end = self._nights.night(quiet, now)
        if begin <= now:
            return end
        self._begins[quiet] = begin
        return None

    def is_quiet(self, commands: Iterable[Command], now: float) -> bool:
        """Whether it is quiet for any of these now."""
        quiets = {command.quiet for command in commands if command.quiet is not None}
        return any(self.quiet_until(quiet, now) is not None for quiet in quiets)

    def _sleep(self, sleeper: Sleeper) -> None:
        self._books.move(sleeper.command, Place.ASLEEP)
        self._outbox.reserve(sleeper.command)
        self._asleep.put(sleeper)
        heappush(self._alarms, (sleeper.until, sleeper.command.id))

    def asleep_until(self, id_: bytes) -> float | None:
        """When a command that sleeps, and is not parked, wakes; None of any other."""
        sleeper = self._asleep.get(id_)
        return None if sleeper is None else sleeper.until

    # --- into the journal ---------------------------------------------------------------------------------------------

    def unwritten(self, now: float) -> list[Sleeper]:
        """Those that sleep for long and have no record yet, as many as may be parked. Others stay asleep, with their
        records open and their part of the bound."""
        room = PARKED_COMMANDS - len(self._parked) if self._parked.bytes < PARKED_BYTES else 0
        return [sleeper for sleeper in self._asleep if sleeper.until - now > SHORT_SECONDS][: max(room, 0)]

    def park(self, sleepers: Sequence[Sleeper]) -> int:
        """Their record was written and read back; how many it has parked. Who has woken or ended since is left out."""
        parked = 0
        for sleeper in sleepers:
            command = sleeper.command
            if command.id in self._asleep and command.id in self._parked:
                self._asleep.pop(command.id)
                self._outbox.free(command)
                self._books.park(command.id)
                parked += 1
        return parked

    # --- who wakes ----------------------------------------------------------------------------------------------------

    def wake(self, now: float) -> Live | None:
        """Somebody whose time has come and for whom the outbox has room, asleep no more; None when there is nobody."""
        while self._alarms and self._alarms[0][0] <= now and not self._outbox.full:
            id_ = heappop(self._alarms)[1]
            sleeper = self._asleep.get(id_) or self._parked.get(id_)
            if sleeper is None or sleeper.until <= now:
                live = self.rouse(id_)
                if live is not None:
                    return live
        return None

    def next_alarm(self) -> float | None:
        """When somebody wakes next, in broker seconds."""
        return self._alarms[0][0] if self._alarms else None

    def rouse(self, id_: bytes) -> Live | None:
        """Out of its sleep; None when it does not sleep (any more)."""
        sleeper = self._asleep.pop(id_)
        if sleeper is not None:
            self._outbox.free(sleeper.command)
            return self._books.live[id_]
        return self._books.unpark(id_) if id_ in self._books.parked else None

    # --- threads ------------------------------------------------------------------------------------------------------

    def outdated(self, command: Command) -> Sequence[Ended]:
        """A newer command of a thread replaces older ones that sleep."""
        ended: list[Ended] = []
        for sleeper in self._sleepers(command):
            if sleeper.command.rank < command.rank and self.rouse(sleeper.command.id) is not None:
                end = Ended(sleeper.command, Outcome.SUPERSEDED, "newer")
                self._books.finish(end)
                ended.append(end)
        return ended

    def newest(self, command: Command) -> int | None:
        """The highest rank that sleeps on its thread."""
        return max((sleeper.command.rank for sleeper in self._sleepers(command)), default=None)

    def _sleepers(self, command: Command) -> list[Sleeper]:
        """Who sleeps on the same thread; the woken, whom the memory keeps until they have ended, are left out."""
        thread = command.thread
        if thread is None:
            return []
        parked = (each for each in self._parked.of_thread(thread) if each.command.id in self._books.parked)
        return [*self._asleep.of_thread(thread), *parked]

    def clear(self) -> None:
        self._asleep.clear()
        self._drowsy.clear()
        self._alarms.clear()
