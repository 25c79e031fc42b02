"""Events of an order's life, from `order.created` to `order.refunded`."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from schemas.envelope import Cardinality, Event, Identifier, Line, Money, Part, Word

_MAX_REVISION = 2**53 - 1


class Payment(Part):
    paid: Annotated[bool | None, Cardinality.ONE_OF_N] = None
    method: Annotated[Word | None, Cardinality.ONE_OF_N] = None


class Delivery(Part):
    """How the order gets to the customer. `title` names the place or the carrier as a customer knows it."""

    kind: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    title: Annotated[Line | None, Cardinality.BUCKETED] = None
    tracking_url: Annotated[Line | None, Cardinality.UNIQUE] = None
    storage_until: Annotated[date | None, Cardinality.BUCKETED] = Field(default=None, description="a date")


class Order(Part):
    """`revision` grows with each change of the order; `source_status` is the shop's own code."""

    id: Annotated[Identifier, Cardinality.UNIQUE]
    public_id: Annotated[Word | None, Cardinality.UNIQUE] = None
    status: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    source_status: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    revision: Annotated[int | None, Cardinality.BUCKETED] = Field(default=None, ge=0, le=_MAX_REVISION)
    currency: Annotated[str | None, Cardinality.ONE_OF_N] = Field(default=None, pattern="^[A-Z]{3}$")
    total: Annotated[Money | None, Cardinality.UNIQUE] = None
    items_count: Annotated[int | None, Cardinality.BUCKETED] = Field(default=None, ge=0, le=1_000_000)
    payment: Payment | None = None
    delivery: Delivery | None = None
    cancel_reason: Annotated[Line | None, Cardinality.ONE_OF_N] = None
    responsible_user_ids: Annotated[tuple[int, ...], Cardinality.ONE_OF_N] = Field(
        default=(), max_length=1000, description="staff of the portal who look after the order"
    )


class OrderEvent(Event):
    order: Order

    @property
    def operation(self) -> tuple[str, str]:
        return self.order.id, self.order.status or ""

    @property
    def revision(self) -> int | None:
        return self.order.revision


class OrderCreated(OrderEvent):
    type: Annotated[Literal["order.created"], Cardinality.ONE_OF_N]


class OrderPaid(OrderEvent):
    type: Annotated[Literal["order.paid"], Cardinality.ONE_OF_N]


class OrderPaymentFailed(OrderEvent):
    type: Annotated[Literal["order.payment_failed"], Cardinality.ONE_OF_N]


class OrderProcessing(OrderEvent):
    type: Annotated[Literal["order.processing"], Cardinality.ONE_OF_N]


class OrderReadyToDispatch(OrderEvent):
    type: Annotated[Literal["order.ready_to_dispatch"], Cardinality.ONE_OF_N]


class OrderShipped(OrderEvent):
    type: Annotated[Literal["order.shipped"], Cardinality.ONE_OF_N]


class OrderReadyForPickup(OrderEvent):
    type: Annotated[Literal["order.ready_for_pickup"], Cardinality.ONE_OF_N]


class OrderStorageExpiring(OrderEvent):
    type: Annotated[Literal["order.storage_expiring"], Cardinality.ONE_OF_N]


class OrderDelivered(OrderEvent):
    type: Annotated[Literal["order.delivered"], Cardinality.ONE_OF_N]


class OrderCompleted(OrderEvent):
    type: Annotated[Literal["order.completed"], Cardinality.ONE_OF_N]


class OrderPartiallyReceived(OrderEvent):
    type: Annotated[Literal["order.partially_received"], Cardinality.ONE_OF_N]


class OrderNotRedeemed(OrderEvent):
    type: Annotated[Literal["order.not_redeemed"], Cardinality.ONE_OF_N]


class OrderCancelled(OrderEvent):
    type: Annotated[Literal["order.cancelled"], Cardinality.ONE_OF_N]


class OrderRefunded(OrderEvent):
    type: Annotated[Literal["order.refunded"], Cardinality.ONE_OF_N]


ORDER_EVENTS: tuple[type[OrderEvent], ...] = (
    OrderCreated,
    OrderPaid,
    OrderPaymentFailed,
    OrderProcessing,
    OrderReadyToDispatch,
    OrderShipped,
    OrderReadyForPickup,
    OrderStorageExpiring,
    OrderDelivered,
    OrderCompleted,
    OrderPartiallyReceived,
    OrderNotRedeemed,
    OrderCancelled,
    OrderRefunded,
)
