"""How long a lane's quota needs for a replay: from the texts of the first commands, and a guess for the rest."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from consumer.core.ceiling import PeopleLimit
from consumer.core.model import Capacity, Command, Quota

SAMPLE_COMMANDS = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """What a lane may send: None is no bound."""

    capacity: Capacity
    quota: Quota | None = None
    ceiling: PeopleLimit | None = None

    def seconds(self, parcels: int, people: int) -> float:
        """How long so many parcels to so many people take if nothing else is sent."""
        requests = ceil(parcels / self.capacity.parcels)
        by_quota = requests * self.quota.gap_seconds if self.quota is not None else 0.0
        by_people = people / self.ceiling.recipients * self.ceiling.per_seconds if self.ceiling is not None else 0.0
        return max(by_quota, by_people)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Texts, requests and seconds with the whole quota: everybody in the most personal wording, and in the coarsest.
    `looked_at`: the texts of so many commands were rendered; beyond them it is a guess."""

    looked_at: int
    texts: int
    texts_coarse: int
    requests: int
    requests_coarse: int
    seconds: float
    seconds_coarse: float


class Saying(NamedTuple):
    """What one command would say, as hashes of its most personal and of its coarsest wording."""

    thread: int | None
    rank: int
    full: int
    coarse: int


Outdated = Callable[[int, int], bool]
"""Whether there is something newer on a thread than what has this rank."""


def no_news(_thread: int, _rank: int) -> bool:
    """Nothing is newer."""
    return False


@dataclass(slots=True)
class Sayings:
    """What the first commands of a replay say. Texts are kept as hashes."""

    most: int = SAMPLE_COMMANDS
    _said: list[Saying] = field(default_factory=list)

    @property
    def wanted(self) -> bool:
        return len(self._said) < self.most

    def add(self, command: Command) -> None:
        coarse = command.wordings[-1 if command.terms.ladder else 0]
        self._said.append(Saying(command.thread, command.rank, hash(command.wordings[0]), hash(coarse)))

    def estimate(self, told: int, people: int, pace: Pace, outdated: Outdated = no_news) -> Estimate:
        """For so many commands to so many people. What was not looked at says what the others say, and as often
        something new as the last of those did: the share of texts that were seen once (Good and Turing). What is
        `outdated` is not said after all."""
        said = [each for each in self._said if each.thread is None or not outdated(each.thread, each.rank)]
        texts = Counter(each.full for each in said), Counter(each.coarse for each in said)
        full, coarse = (_Guess.of(each, len(said), told, pace.capacity) for each in texts)
        coarse = coarse if coarse.parcels < full.parcels else full
        requests = [ceil(guess.parcels / pace.capacity.parcels) for guess in (full, coarse)]
        seconds = [pace.seconds(guess.parcels, people) for guess in (full, coarse)]
        return Estimate(len(said), full.texts, coarse.texts, *requests, *seconds)


@dataclass(frozen=True, slots=True)
class _Guess:
    texts: int
    parcels: int

    @classmethod
    def of(cls, texts: Counter[int], looked_at: int, told: int, capacity: Capacity) -> "_Guess":
        if not looked_at:
            return cls(0, 0)
        factor = told / looked_at
        unseen = round(max(told - looked_at, 0) * _singles(texts.values()) / looked_at)
        parcels = sum(ceil(count * factor / capacity.recipients) for count in texts.values())
        return cls(len(texts) + unseen, parcels + unseen)


def _singles(counts: Collection[int]) -> int:
    return sum(count == 1 for count in counts)
