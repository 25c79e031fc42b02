"""What came of everything that was published, counted from the fakes' ledger, the publisher and the topics."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from consumer.core.model import Command, OnUnsure, Planned, Rejected
from consumer.demo.evidence import Evidence, LaneEvidence, attempts_of, outcomes_of
from consumer.demo.fakes_base import FakeProvider
from consumer.demo.report import most_requests
from schemas.journal import Attempt, Claim, Landing

Pair = tuple[str, str]
"""Recipient and text: in a yard each pair is one command."""


@dataclass(slots=True)
class Ledger:
    """Counts over all lanes.

    `lost`       records or commands that nobody was told and that nothing accounts for
    `unknown`    commands given up in doubt
    `in_flight`  commands of requests whose process died before they landed, or that no answer came to
    `backwards`  steps of an order that were told after a later one
    `letters_missing` rejected records without a dead letter; `copies` is the most copies of one letter
    `over_quota` requests over it, in the worst window
    """

    published: int = 0
    planned: int = 0
    delivered: int = 0
    lost: int = 0
    waiting: int = 0
    unknown: int = 0
    in_flight: int = 0
    duplicates: int = 0
    stop_duplicates: int = 0
    backwards: int = 0
    letters_missing: int = 0
    copies: int = 0
    over_quota: int = 0
    requests: int = 0

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        broken = self.lost + self.waiting + self.stop_duplicates + self.backwards + self.letters_missing
        bounded = self.duplicates <= self.in_flight and self.unknown <= self.in_flight
        return broken == 0 and bounded and self.over_quota == 0

    @property
    def clean(self) -> bool:
        """Whether besides that nobody was told twice and nothing was given up."""
        return self.kept and self.duplicates == 0 and self.unknown == 0

    @property
    def said(self) -> str:
        """The figures in words, for a row's outcome."""
        text = (
            f"{self.published} events, lost {self.lost}, duplicates {self.duplicates} of at most {self.in_flight} in "
            f"flight, of stop routes {self.stop_duplicates}, given up in doubt {self.unknown}"
        )
        odd = {
            "waiting": self.waiting,
            "backwards": self.backwards,
            "letters missing": self.letters_missing,
            "over the quota": self.over_quota,
        }
        return text + "".join(f", {name} {count}" for name, count in odd.items() if count)

    def figures(self) -> dict[str, float | int | str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def merged(ledgers: list[Ledger]) -> Ledger:
    """Several worlds as one; copies and quota are the worst of them."""
    total = Ledger()
    for name in Ledger.__dataclass_fields__:
        values = [getattr(ledger, name) for ledger in ledgers]
        setattr(total, name, max(values) if name in ("copies", "over_quota") else sum(values))
    return total


def judged(evidence: Evidence, fakes: Mapping[str, FakeProvider]) -> Ledger:
    ledger = Ledger(published=len(evidence.sent))
    letters = Counter((letter.lane, letter.id) for letter in evidence.letters)
    ledger.copies = max(letters.values(), default=0)
    for name, lane in evidence.lanes.items():
        fake = fakes[name]
        shown: dict[Pair, list[float]] = defaultdict(list)
        for delivery in fake.deliveries:
            shown[delivery.recipient, delivery.message.text].append(delivery.at)
        _count_commands(ledger, lane, shown)
        ledger.lost += sum(sent.position not in lane.plans for sent in evidence.sent)
        ledger.backwards += sum(_backwards(lane, shown))
        ledger.in_flight += _in_flight(lane)
        ledger.requests += lane.requests
        ledger.over_quota = max(ledger.over_quota, lane.worst_window - most_requests(lane.quota))
        rejected = [plan.rejection.id for plan in lane.plans.values() if isinstance(plan, Rejected)]
        # What no lane can read is one letter, whichever lane wrote it first.
        known = {letter for _, letter in letters}
        ledger.letters_missing += sum(letter not in known for letter in rejected)
    ledger.over_quota = max(0, ledger.over_quota)
    return ledger


def _commands(lane: LaneEvidence) -> Iterator[Command]:
    known: set[bytes] = set()
    for plan in lane.plans.values():
        for command in plan.commands if isinstance(plan, Planned) else ():
            if command.id not in known:  # a record that was published twice is one command
                known.add(command.id)
                yield command


def _pair(command: Command) -> Pair:
    return command.recipient, command.wordings[0].text


def _count_commands(ledger: Ledger, lane: LaneEvidence, shown: Mapping[Pair, list[float]]) -> None:
    outcomes = outcomes_of(lane.journal)
    for command in _commands(lane):
        ledger.planned += 1
        outcome, times = outcomes.get(command.id.hex()), len(shown.get(_pair(command), ()))
        again = max(0, times - 1)
        ledger.duplicates += again
        ledger.stop_duplicates += again if command.terms.on_unsure is OnUnsure.STOP else 0
        if outcome is None:
            ledger.waiting += 1
        elif outcome == "unknown":
            ledger.unknown += 1
        elif outcome == "delivered":
            ledger.delivered += times > 0
            ledger.lost += times == 0
        elif outcome != "superseded" or command.thread is None:
            ledger.lost += 1


def _backwards(lane: LaneEvidence, shown: Mapping[Pair, list[float]]) -> Iterator[bool]:
    """Of each thread, whether a step was first told after a later one."""
    threads: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for command in _commands(lane):
        if command.thread is not None and (times := shown.get(_pair(command))):
            threads[command.thread].append((times[0], command.rank))
    for steps in threads.values():
        for (_, earlier), (_, later) in pairwise(sorted(steps)):
            yield later < earlier


def _in_flight(lane: LaneEvidence) -> int:
    """Commands of the attempts that were open when somebody else took the lane, or at the end, or landed in doubt."""
    attempts = attempts_of(lane.journal)
    recipients = {
        name: sum(len(parcel.commands) for parcel in attempt.parcels.values()) for name, attempt in attempts.items()
    }
    opened: dict[str, int] = {}
    total, owner = 0, ""
    for record in lane.journal:
        if isinstance(record, Attempt):
            opened[record.id] = recipients[record.id]
        elif isinstance(record, Landing):
            count = opened.pop(record.attempt, 0)
            total += count if record.verdict in ("unsure", "mixed") else 0
        elif isinstance(record, Claim) and record.member != owner:
            owner = record.member
            total += sum(opened.values())
            opened.clear()
    return total + sum(opened.values())
