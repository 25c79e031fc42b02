"""Events of a bonus account, from `bonus.accrued` to `bonus.tier_changed`."""

from typing import Annotated, Literal

from schemas.envelope import Cardinality, Event, Identifier, Line, Moment, Money, Part, Word


class Bonus(Part):
    """One movement of an account. `balance` is what the account holds after it."""

    operation_id: Annotated[Identifier | None, Cardinality.UNIQUE] = None
    amount: Annotated[Money | None, Cardinality.BUCKETED] = None
    balance: Annotated[Money | None, Cardinality.UNIQUE] = None
    reason: Annotated[Line | None, Cardinality.ONE_OF_N] = None
    order_id: Annotated[Identifier | None, Cardinality.UNIQUE] = None
    expires_at: Annotated[Moment | None, Cardinality.BUCKETED] = None
    kind: Annotated[Word | None, Cardinality.ONE_OF_N] = None


class Movement(Bonus):
    """A movement of so many bonuses: its amount is what the event is about."""

    amount: Annotated[Money, Cardinality.BUCKETED]


class Tier(Bonus):
    """A customer's level in the programme: `tier` is the new one, `previous_tier` the old one."""

    tier: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    previous_tier: Annotated[Word | None, Cardinality.ONE_OF_N] = None


class BonusEvent(Event):
    bonus: Bonus

    @property
    def operation(self) -> tuple[str, str]:
        return self.bonus.operation_id or "", ""


class BonusAccrued(BonusEvent):
    type: Annotated[Literal["bonus.accrued"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusActivated(BonusEvent):
    type: Annotated[Literal["bonus.activated"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusSpent(BonusEvent):
    type: Annotated[Literal["bonus.spent"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusReturned(BonusEvent):
    type: Annotated[Literal["bonus.returned"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusExpiring(BonusEvent):
    type: Annotated[Literal["bonus.expiring"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusExpired(BonusEvent):
    type: Annotated[Literal["bonus.expired"], Cardinality.ONE_OF_N]
    bonus: Movement


class BonusTierChanged(BonusEvent):
    type: Annotated[Literal["bonus.tier_changed"], Cardinality.ONE_OF_N]
    bonus: Tier


BONUS_EVENTS: tuple[type[BonusEvent], ...] = (
    BonusAccrued,
    BonusActivated,
    BonusSpent,
    BonusReturned,
    BonusExpiring,
    BonusExpired,
    BonusTierChanged,
)
