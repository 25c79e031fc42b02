"""A group of one is folded with its command, and nobody can tell: an outbox of folded ones does what one of whole ones
does."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from consumer.core.glimpse import Glimpse
from consumer.core.model import Bounds, Capacity, Command, Message, OnUnsure, Parcel, Priority
from consumer.core.outbox import Outbox
from consumer.core.price import turn_and_price
from consumer.core.room import _FOLDED_GROUP_BYTES, _GROUP_BYTES
from consumer.core.shelf import Shelf
from tests.core.waiting import command, terms

TERMS = [
    terms(Priority.NORMAL, 30.0, unique=(True, False)),
    terms(Priority.URGENT, 20.0, unique=(True, True, False)),
    terms(Priority.NORMAL, 60.0, OnUnsure.STOP, unique=(True, False)),
    terms(Priority.LOW, 600.0, ladder=False),
]
CAPACITIES = [Capacity(1, 1), Capacity(1, 3), Capacity(4, 2), Capacity(3, 1, ("7",))]


GAPS = {"brisk": (0.5,), "slow": (6.0,), "both": (0.5, 6.0), "free": (0.0,), "changing": (0.5, 6.0, 0.0)}


def new_outbox(shelf: Shelf) -> Outbox:
    outbox = Outbox(Bounds(), turn_and_price(), shelf)
    # An order is kept from the fourth group on.
    outbox._groups._many = 3
    return outbox


def some_command(dice: Random, number: int, now: float) -> Command:
    text = dice.randrange(100)
    wordings: tuple[Message, ...] = (
        Message(f"order {text}", f"\u20bd {text}", f"app://{text}"),
        Message(f"shop {text % 3}", ""),
    )
    if dice.random() < 0.5:
        wordings = (*wordings, Message("any", ""))
    under = dice.choice(TERMS)
    return Command(
        id=number.to_bytes(12),
        digest=b"1234",
        terms=under,
        recipient=f"customer {dice.randrange(40)}",
        wordings=wordings,
        thread=dice.choice([None, None, dice.randrange(30)]),
        rank=number,
        arrived=now - dice.choice([0.0, 0.0, 5 * dice.random()]),
        deadline=now + 200 * dice.random(),
        source="shop.orders",
    )


class Both:
    """What is done to an outbox in which nothing is folded is done to one in which nearly all is."""

    def __init__(self, dice: Random, gaps: Sequence[float]) -> None:
        self._dice = dice
        self._gaps = gaps
        self.whole = new_outbox(Shelf())
        self.folded = new_outbox(Shelf(all_whole=1, last_whole=1))
        self.most_folded = 0
        self.now = 1000.0
        self._number = 0
        self._flying: list[Command] = []

    def same(self, name: str, *arguments: object) -> Any:
        """A question or a call, by its name."""
        got = []
        for outbox in (self.whole, self.folded):
            asked = getattr(outbox, name)
            # One may change the wordings of what it is given for equal ones.
            given = [replace(each) if isinstance(each, Command) else each for each in arguments]
            got.append(asked(*given) if callable(asked) else asked)
        assert got[0] == got[1]
        self.most_folded = max(self.most_folded, len(self.folded._groups._folded))
        return got[0]

    def put(self) -> None:
        self._number += 1
        self.same("put", some_command(self._dice, self._number, self.now))

    def take(self) -> None:
        self._fly(self.same("take", self.now, self._dice.choice(self._gaps), self._dice.choice(CAPACITIES)))

    def probe(self) -> None:
        besides = [Message(f"order {text}", f"\u20bd {text}", f"app://{text}") for text in range(30)]
        self._fly(self.same("take_probe", self.now, Capacity(1, 2), besides))

    def _fly(self, parcels: Sequence[Parcel]) -> None:
        self._flying += [command for parcel in parcels for command in parcel.commands]

    def land(self) -> None:
        if self._flying:
            landed = self._flying.pop(self._dice.randrange(len(self._flying)))
            if self._dice.random() < 0.3:
                self.same("put_back", landed)
            else:
                self.same("land", landed.thread, landed.rank)

    def expire(self) -> None:
        self.same("expire", self.now)

    def explain(self) -> None:
        for gap in (0.0, 0.5, 6.0):
            self.same("explain", self.now, gap, Capacity(2, 2), 20)

    def ask(self) -> None:
        for name in ("waiting", "held", "open_count", "group_count", "oldest", "full"):
            self.same(name)
        saved = self.whole.waiting_bytes - self.folded.waiting_bytes
        assert saved == (_GROUP_BYTES - _FOLDED_GROUP_BYTES) * len(self.folded._groups._folded)
        self.same("next_expiry")
        self.same("seconds_to_clear", 1.0, Capacity(1, 2))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gaps", GAPS)
def test_an_outbox_of_folded_groups_does_what_one_of_whole_groups_does(gaps: str, seed: int) -> None:
    dice = Random(seed)
    both = Both(dice, GAPS[gaps])
    does = (both.put, both.take, both.probe, both.land, both.expire, both.explain)
    for step in range(600):
        both.now += dice.random()
        # It fills and empties in turn.
        (do,) = dice.choices(does, (80 if step // 100 % 2 == 0 else 10, 15, 2, 15, 1, 2))
        do()
        both.ask()
    assert both.most_folded > 10
    shown = [
        [(group.message, group.size, group.oldest) for group in each.groups()] for each in (both.whole, both.folded)
    ]
    assert shown[0] == shown[1]
    both.same("clear")
    assert both.same("waiting_bytes") == 0
    assert len(both.folded._groups._folded) == 0
    assert both.folded.live._folds._rungs.things == {}


def filled(*commands: Command) -> Outbox:
    """All but the last one may be folded."""
    outbox = new_outbox(Shelf(all_whole=1, last_whole=1))
    for each in (*(command(f"filler {number}") for number in range(8)), *commands, command("last"), command("end")):
        outbox.put(each)
    return outbox


def folded(outbox: Outbox) -> list[Glimpse]:
    return [group for group in outbox.groups() if isinstance(group, Glimpse)]


def test_what_is_too_great_to_be_folded_stays_whole_with_its_group() -> None:
    long, late = command("x" * 65_536), command("late", rank=2**70)
    outbox = filled(long, late)
    assert len(folded(outbox)) > 5
    shown = {group.message: group for group in outbox.groups()}
    for each in (long, late):
        group = shown[each.wordings[0]]
        assert not isinstance(group, Glimpse)
        assert list(group) == [each]
    equal = command("x" * 65_536)
    outbox.put(equal)
    assert outbox.group_of(equal.id) is outbox.group_of(long.id)


def test_a_glimpse_tells_what_its_group_would_and_nothing_else() -> None:
    one = command("ours", "all", arrived=7.0, under=terms(Priority.URGENT, 60.0, unique=(True, False)))
    outbox = filled(one)
    (seen,) = [group for group in folded(outbox) if group.oldest == 7.0]
    with pytest.raises(AttributeError, match="colour"):
        seen.colour  # noqa: B018
    told = (seen.message, seen.size, seen.due, seen.weight, seen.may_coarsen, seen.is_unique, seen.source)
    whole = outbox.group_of(one.id)
    assert whole is not None
    assert told == (
        whole.message, whole.size, whole.due, whole.weight, whole.may_coarsen, whole.is_unique, whole.source,
    )  # fmt: skip


def test_a_text_with_anything_in_it_comes_back_as_it_was() -> None:
    said = Message("\ud800 is half a letter", "\0\u20bd", None, "")
    one = replace(command(to="\ud800"), wordings=(said, Message("", "", "", None)))
    outbox = filled(one)
    assert len(folded(outbox)) > 5
    assert outbox.live.command(one.id) == one
