"""What a sink watches of its texts: how long they are, and how many people were told one within a day."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from consumer.core.model import Batch, Delivered, Message, Parcel, Unsure, Verdict, Verdicts

DAY_SECONDS = 86_400.0
# What fewer are told at once is no campaign, and is not worth remembering.
CROWD = 10


class Measure(NamedTuple):
    """How long a part of a message is, beside what people will see of it. `unit`: letters or bytes."""

    part: str
    length: int
    most: int
    unit: str = "letters"

    @property
    def over(self) -> bool:
        return self.length > self.most


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many letters of a title and of a text people will see, as far as anybody knows; None is no advice.
    `line_bytes`: how much of both in one line; of a longer one the rest is cut off."""

    title: int | None = None
    text: int | None = None
    line_bytes: int | None = None

    def measures(self, message: Message) -> Iterator[Measure]:
        """Of a message, each part of which something is known."""
        for part, said, most in (("title", message.title, self.title), ("text", message.text, self.text)):
            if most is not None:
                yield Measure(part, len(said), most)
        if self.line_bytes is not None:
            yield Measure("text", len(one_line(message).encode("utf-8", "replace")), self.line_bytes, "bytes")

    def exceeded(self, message: Message) -> tuple[str, ...]:
        """The parts of a message that are longer: `title`, `text`."""
        return tuple(each.part for each in self.measures(message) if each.over)


NO_ADVICE = Lengths()


_PUNCTUATION = (".", "!", "?", ":", ";", "…")


def one_line(message: Message) -> str:
    """Title and text together, for a provider whose pushes have no title."""
    title, text = " ".join(message.title.split()), " ".join(message.text.split())
    if title and text:
        return title + (" " if title.endswith(_PUNCTUATION) else ". ") + text
    return title or text


class Campaigns:
    """How many were told one text within a day, so that a campaign ends where its provider wants no more of it. It is
    counted in this process and begins anew with it. `most` None is no ceiling."""

    def __init__(self, most: int | None, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._told: dict[Message, deque[tuple[float, int]]] = {}

    def full(self, batch: Batch) -> bool:
        """Whether a message of the batch would pass the ceiling."""
        return self._most is not None and any(
            crowd >= CROWD and self._count(parcel.message) + crowd > self._most
            for parcel in batch.parcels
            if (crowd := _crowd(parcel))
        )

    def note(self, batch: Batch, verdicts: Verdicts) -> None:
        """Count who was told, and who may have been."""
        if self._most is None:
            return
        each = iter(verdicts * len(batch.commands) if len(verdicts) == 1 else verdicts)
        for parcel in batch.parcels:
            told = {command.recipient for command in parcel.commands if _counts(next(each))}
            if len(told) >= CROWD:
                self._told.setdefault(parcel.message, deque()).append((self._clock(), len(told)))

    def _count(self, message: Message) -> int:
        told = self._told.get(message)
        if told is None:
            return 0
        while told and told[0][0] <= self._clock() - DAY_SECONDS:
            told.popleft()
        if not told:
            del self._told[message]
        return sum(count for _, count in told)


def _crowd(parcel: Parcel) -> int:
    return len({command.recipient for command in parcel.commands})


def _counts(verdict: Verdict) -> bool:
    return isinstance(verdict, (Delivered, Unsure))
