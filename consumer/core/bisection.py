"""Batches that were refused whole, taken apart until the guilty recipients stand alone."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from consumer.core.case import Case, Unit
from consumer.core.model import (
    Batch,
    Blocked,
    Command,
    Delivered,
    Message,
    Outcome,
    Parcel,
    Refused,
    Verdicts,
)

# Bad recipients may stand in several batches at once; more different texts in a row are not refused because of them.
_TEXTS = 4
_ALL_TOLD = {Outcome.DELIVERED}


class Refusal(NamedTuple):
    """What a provider refused at once, and what it said."""

    parcels: tuple[Parcel, ...]
    verdict: Refused


class Sentence(NamedTuple):
    """A command that will not be told: `refused` when it was refused alone, `unresolved` when nobody found out."""

    command: Command
    reason: str
    verdict: Refused


def refused_whole(verdicts: Verdicts) -> Refused | None:
    """The refusal of a whole batch at once, if that is what came of it."""
    first = verdicts[0]
    if not isinstance(first, Refused) or not first.letter:
        return None
    alike = len(verdicts) == 1 or all(isinstance(one, Refused) and one.shared for one in verdicts)
    return first if alike else None


class Bisection:
    """All refused batches of a lane, each with one request at a time.

    A batch of n with k guilty takes about k · (log2(n) + 1) requests. One that is refused more than log2(n) + 4 times
    in a row with nobody told is *stuck*: the next request with another text decides whether the batch was wrong (it is
    told: then its people are `unresolved`) or the provider refuses everything (then everybody waits, and the lane is
    blocked). The same is plain when so many requests in a row were refused, over more than four texts.
    """

    def __init__(self) -> None:
        self.refusing = False
        self.sentences: deque[Sentence] = deque()
        self._cases: list[Case] = []
        self._case_of: dict[bytes, Case] = {}
        self._threads: dict[int, set[bytes]] = {}
        self._in_a_row = 0
        self.refused_texts: set[Message] = set()

    def __contains__(self, id_: object) -> bool:
        """Whether a command of that id is part of a refused batch."""
        return id_ in self._case_of

    # --- what is asked ------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether a part could be asked now."""
        return any(case.ready for case in self._cases)

    @property
    def least(self) -> int:
        """How many recipients the next request of a part has; 0 when there is none."""
        return next((len(case.next()) for case in self._cases if case.ready), 0)

    def take(self) -> tuple[Parcel, ...]:
        """The next part of the oldest batch of which none is on the wire. Empty when there is none."""
        case = next((case for case in self._cases if case.ready), None)
        return () if case is None else case.parcels(case.ask())

    def withdraw(self, commands: Sequence[Command]) -> None:
        """These have ended between `take` and the wire."""
        cases = dict.fromkeys(self._case_of[command.id] for command in commands if command.id in self._case_of)
        for case in cases:
            self._forget(case.withdraw({command.id for command in commands}))
            self._close(case)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def suspects(self, batch: Batch) -> bool:
        """Whether a refusal says too little to bury even a single recipient: nobody of the refused batch was told yet,
        or the next answer decides about another one."""
        case = self._asked(batch.commands)
        return self.refusing or (not case.proven if case is not None else self._stuck)

    def hear(self, batch: Batch, verdicts: Verdicts) -> Verdicts:
        """Take note of an answer as soon as it is here. Where the provider refuses everything, no refusal says anything
        about a recipient: then it means that the lane is blocked."""
        refusal = refused_whole(verdicts)
        if any(isinstance(verdict, Delivered) for verdict in verdicts):
            self._in_a_row, self.refusing = 0, False
            self.refused_texts.clear()
        elif refusal is not None:
            texts = {parcel.message for parcel in batch.parcels}
            self._in_a_row += 1
            self.refused_texts |= texts
            self.refusing = self.refusing or self._everything_refused(texts)
            if self.refusing:
                return (Blocked("refusing_everything", refusal.reason),)
        return verdicts

    def follow(
        self, commands: Sequence[Command], outcomes: Collection[Outcome | None], refusal: Refusal | None, doubted: bool
    ) -> frozenset[bytes]:
        """A request has landed: its commands, the outcomes that there were, and what was refused together. `doubted`:
        its answer was lost. Returned are the ids of those who wait here for another part; the others end, or wait
        elsewhere."""
        if outcomes == _ALL_TOLD:
            self._accept(commands)
            return frozenset()
        ids = frozenset([command.id for command in commands])
        if refusal is not None:
            refused = frozenset(command.id for parcel in refusal.parcels for command in parcel.commands)
            if refused != ids:
                self._left(commands, outcomes)
            self._refuse(refusal)
            return refused
        if outcomes == {None} and not doubted and not self.refusing and self._returned(commands):
            return ids
        self._left(commands, outcomes)
        return frozenset()

    def _everything_refused(self, texts: set[Message]) -> bool:
        if any(case.stuck and not texts & case.messages for case in self._cases):
            return True
        unproven = [case.patience for case in self._cases if not case.proven]
        return bool(unproven) and self._in_a_row > max(unproven) and len(self.refused_texts) > _TEXTS

    def _refuse(self, refusal: Refusal) -> None:
        """A batch was refused whole: a part of a case, or a new one."""
        parcels, verdict = refusal
        commands = [command for parcel in parcels for command in parcel.commands]
        case = self._asked(commands)
        if case is not None:
            case.refused(verdict)
            self._close(case)
            return
        case = self._stuck_over({parcel.message for parcel in parcels})
        if case is None:
            case = Case(verdict)
            self._cases.append(case)
        case.join(parcels)
        for command in commands:
            self._enter(command, case)

    def _accept(self, commands: Sequence[Command]) -> None:
        """A whole batch was told, a part of a case or another one."""
        case = self._asked(commands)
        if case is not None:
            self._leave(case.asked)
            case.accepted()
        self._prove(case)

    def _left(self, commands: Sequence[Command], outcomes: Collection[Outcome | None]) -> None:
        """These ended, or wait again, by themselves."""
        case, told, refused = self._asked(commands), Outcome.DELIVERED in outcomes, outcomes == {Outcome.REFUSED}
        if case is not None:
            self._leave(case.asked)
            case.left(told=told, refused=refused)
            self._close(case)
        if told:
            self._prove(case)

    def _prove(self, told: Case | None) -> None:
        """The provider tells people: those whom it refused alone were refused, and stuck batches are at fault."""
        for case in list(self._cases):
            if case is told or case.stuck:
                self._sentence(case, case.condemned, "refused")
                case.condemned = []
            if case is not told and case.stuck:
                self._sentence(case, case.everybody(), "unresolved")
            self._close(case)

    def _returned(self, commands: Sequence[Command]) -> bool:
        """The request of a part did not happen: it is asked again. False when it was no part."""
        case = self._asked(commands)
        if case is not None:
            case.returned()
        return case is not None

    def give_up(self) -> list[Command]:
        """The provider refuses everything, so nothing is known of anybody: all but those on the wire wait again."""
        gone = [command for case in self._cases for unit in case.everybody() for command in unit]
        self._forget(gone)
        for case in list(self._cases):
            self._close(case)
        return gone

    # --- what time does -----------------------------------------------------------------------------------------------

    def expire(self, now: float) -> list[Command]:
        """Take out whose deadline has come, and look after those that are stuck."""
        for case in self._cases:
            case.tend(now)
        return self._drop(self._cases, lambda command: command.deadline <= now)

    def supersede(self, thread: int, rank: int) -> list[Command]:
        """Take out what is older than a new command of its thread."""
        ids = self._threads.get(thread)
        if ids is None:
            return []
        cases = list(dict.fromkeys(self._case_of[id_] for id_ in ids))
        return self._drop(cases, lambda command: command.id in ids and command.rank < rank)

    def remove(self, goes: Callable[[Command], bool], among: Sequence[Command]) -> list[Command]:
        """Take out some of these."""
        cases = list(dict.fromkeys(self._case_of[command.id] for command in among if command.id in self._case_of))
        return self._drop(cases, goes)

    def clear(self) -> None:
        self._cases.clear()
        self._case_of.clear()
        self._threads.clear()
        self.sentences.clear()

    # --- the register -------------------------------------------------------------------------------------------------

    @property
    def _stuck(self) -> bool:
        return any(case.stuck for case in self._cases)

    def _stuck_over(self, texts: set[Message]) -> Case | None:
        return next((case for case in self._cases if case.stuck and texts <= case.messages), None)

    def _asked(self, commands: Sequence[Command]) -> Case | None:
        """The case of which these are on the wire."""
        return self._case_of.get(commands[0].id) if commands else None

    def _close(self, case: Case) -> None:
        """At its end whoever was refused alone was refused, even if nobody was told."""
        if case.over and case in self._cases:
            self._sentence(case, case.condemned, "refused")
            self._cases.remove(case)

    def _sentence(self, case: Case, chosen: Sequence[Unit], reason: str) -> None:
        self._leave(chosen)
        self.sentences.extend(Sentence(command, reason, case.verdict) for unit in chosen for command in unit)

    def _drop(self, cases: Iterable[Case], goes: Callable[[Command], bool]) -> list[Command]:
        gone: list[Command] = []
        for case in list(cases):
            gone.extend(case.drop(goes))
            self._close(case)
        self._forget(gone)
        return gone

    def _enter(self, command: Command, case: Case) -> None:
        self._case_of[command.id] = case
        if command.thread is not None:
            self._threads.setdefault(command.thread, set()).add(command.id)

    def _leave(self, chosen: Iterable[Unit]) -> None:
        self._forget([command for unit in chosen for command in unit])

    def _forget(self, commands: Iterable[Command]) -> None:
        for command in commands:
            del self._case_of[command.id]
            if command.thread is not None:
                ids = self._threads[command.thread]
                ids.discard(command.id)
                if not ids:
                    del self._threads[command.thread]
