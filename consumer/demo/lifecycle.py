"""How an order of the demo's shop lives: which statuses follow each other, how often, and how many seconds apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Step:
    """One status of an order. The event follows the one before it after `least_seconds` to `most_seconds`, in the
    demo's time, where an hour of a real shop takes about a second."""

    type: str
    source_status: str
    least_seconds: float
    most_seconds: float

    @property
    def status(self) -> str:
        """The status alone, as it stands in the event's `order.status`."""
        return self.type.removeprefix("order.")

    def gap_seconds(self, random: Random) -> float:
        return random.uniform(self.least_seconds, self.most_seconds)


@dataclass(frozen=True, slots=True)
class Path:
    """A whole life. `kind` is how the order travels; `weight` is how often a life goes this way."""

    name: str
    kind: str
    weight: int
    steps: tuple[Step, ...]


_CREATED = Step("order.created", "N", 0.0, 0.0)
_PAID = Step("order.paid", "P", 0.4, 4.0)
_PAYMENT_FAILED = Step("order.payment_failed", "payment_error", 0.4, 3.0)
_PROCESSING = Step("order.processing", "assembling", 1.0, 5.0)
_READY_TO_DISPATCH = Step("order.ready_to_dispatch", "packed", 1.0, 6.0)
_SHIPPED = Step("order.shipped", "S", 1.0, 6.0)
_READY_FOR_PICKUP = Step("order.ready_for_pickup", "arrived", 2.0, 8.0)
_STORAGE_EXPIRING = Step("order.storage_expiring", "storage_2d", 4.0, 9.0)
_DELIVERED = Step("order.delivered", "handed_over", 2.0, 9.0)
_COMPLETED = Step("order.completed", "F", 3.0, 9.0)
_PARTIALLY_RECEIVED = Step("order.partially_received", "partial", 2.0, 8.0)
_NOT_REDEEMED = Step("order.not_redeemed", "D_return", 5.0, 9.0)
_CANCELLED = Step("order.cancelled", "D", 0.5, 5.0)
_REFUNDED = Step("order.refunded", "refund_done", 2.0, 8.0)

_PACKED = (_CREATED, _PAID, _PROCESSING, _READY_TO_DISPATCH)
_AT_THE_POINT = (*_PACKED, _SHIPPED, _READY_FOR_PICKUP)

PATHS: tuple[Path, ...] = (
    Path("picked_up", "pickup", 30, (*_AT_THE_POINT, _DELIVERED, _COMPLETED)),
    Path("by_courier", "courier", 24, (*_PACKED, _SHIPPED, _DELIVERED, _COMPLETED)),
    Path("from_the_store", "store", 10, (*_PACKED, _READY_FOR_PICKUP, _DELIVERED, _COMPLETED)),
    Path("picked_up_late", "pickup", 8, (*_AT_THE_POINT, _STORAGE_EXPIRING, _DELIVERED, _COMPLETED)),
    Path("forgotten", "pickup", 6, (*_AT_THE_POINT, _STORAGE_EXPIRING, _NOT_REDEEMED, _REFUNDED)),
    Path("partly_taken", "courier", 6, (*_PACKED, _SHIPPED, _PARTIALLY_RECEIVED, _REFUNDED, _COMPLETED)),
    Path("second_card", "courier", 6, (_CREATED, _PAYMENT_FAILED, *_PACKED[1:], _SHIPPED, _DELIVERED, _COMPLETED)),
    Path("never_paid", "pickup", 5, (_CREATED, _PAYMENT_FAILED, _CANCELLED)),
    Path("changed_mind", "courier", 5, (_CREATED, _PAID, _CANCELLED, _REFUNDED)),
)


def choose_path(random: Random, paths: Sequence[Path] = PATHS) -> Path:
    """One of the lives, as often as its weight says."""
    return random.choices(paths, weights=[path.weight for path in paths])[0]


CANCEL_REASONS = ("Покупатель передумал", "Нет в наличии", "Не удалось оплатить", "Изменились планы")

BONUS_REASONS = {
    "bonus.accrued": "За покупку",
    "bonus.activated": "За покупку",
    "bonus.spent": "Оплата заказа бонусами",
    "bonus.returned": "Возврат за отменённый заказ",
    "bonus.expiring": "Бонусы ко дню рождения",
    "bonus.expired": "Бонусы ко дню рождения",
    "bonus.tier_changed": "Сумма покупок за год",
}

# Few distinct amounts: equal news to many people is what lets them share a request.
BONUS_AMOUNTS = (50, 100, 100, 150, 250, 500)

PICKUP_POINTS = (
    "ПВЗ Boxberry, ул. Ленина, 12",
    "ПВЗ СДЭК, пр. Мира, 40",
    "Постамат PickPoint, ТЦ «Европейский»",
    "ПВЗ 5Post, ул. Гагарина, 7",
)
STORES = ("Магазин «Уточка» на Тверской", "Магазин «Уточка» на Невском")
COURIERS = ("Курьер «Уточки», с 10 до 14", "Курьер СДЭК, с 14 до 18", "Курьер Dalli, с 18 до 22")

TITLES_BY_KIND = {"pickup": PICKUP_POINTS, "store": STORES, "courier": COURIERS}
TIERS = ("Серебряный", "Золотой", "Платиновый")
