"""What an earlier owner attempted and nobody knows the end of: its commands wait, and their threads with them."""

from collections.abc import Callable, Iterable, Iterator

from consumer.core.books import Books
from consumer.core.memory import Memory, OpenAttempt
from consumer.core.model import Ended
from consumer.core.outbox import Outbox
from consumer.core.shelf import Live, Place

Again = Callable[[Live], tuple[Ended, ...]]
"""Lets a live command wait again; returned is what ended by it."""


class Doubts:
    """The attempts without a landing that were found when the lane was taken over, the oldest first."""

    def __init__(self, books: Books, outbox: Outbox, memory: Memory, again: Again) -> None:
        self._books = books
        self._outbox = outbox
        self._memory = memory
        self._again = again
        self._attempts: dict[str, OpenAttempt] = {}
        self._commands: set[bytes] = set()

    def __iter__(self) -> Iterator[OpenAttempt]:
        return iter(tuple(self._attempts.values()))

    def __len__(self) -> int:
        return len(self._attempts)

    def about(self, command_id: bytes) -> bool:
        """Whether the command was in an attempt that is in doubt, and had not ended before."""
        return command_id in self._commands

    def add(self, attempts: Iterable[OpenAttempt]) -> None:
        """From now on their commands and threads wait."""
        for attempt in attempts:
            self._attempts[attempt.id] = attempt
            for command in attempt.commands:
                if self._memory.ended(command.id) is None:
                    self._commands.add(command.id)
                for end in self._outbox.fly(command.thread, command.rank):
                    self._books.finish(end)

    def resolve(self) -> tuple[Ended, ...]:
        """Let go of what is in doubt no longer: the memory has a landing for its attempt."""
        ended: list[Ended] = []
        for attempt in self:
            if attempt.id not in self._memory.open_attempts:
                del self._attempts[attempt.id]
                for command in attempt.commands:
                    if command.thread is not None:
                        self._outbox.land(command.thread, command.rank)
                    ended.extend(self._let_go(command.id))
        return tuple(ended)

    def _let_go(self, command_id: bytes) -> tuple[Ended, ...]:
        if any(command_id in attempt.ids for attempt in self._attempts.values()):
            return ()
        self._commands.discard(command_id)
        live = self._books.live.get(command_id)
        if live is None or live.place is not Place.IN_DOUBT:
            return ()
        if self._memory.ended(command_id) is not None:
            self._books.joined += 1
            self._books.settle(live.command)
            return ()
        return self._again(live)

    def clear(self) -> None:
        """Another owner has them now."""
        self._attempts.clear()
