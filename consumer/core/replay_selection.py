"""Which events of a range a replay is about: by type, customer and order."""

import re
from dataclasses import dataclass
from functools import cached_property

from consumer.core.text import canonical_phone
from schemas.envelope import Event


@dataclass(frozen=True)
class Selection:
    """Empty sets are everything. A customer is named by id, phone or install id, an order by its id or its public one,
    exactly as the events have them; only phones may be written in any way."""

    types: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        return not (self.types or self.customers or self.orders)

    def may_have(self, value: bytes | None) -> bool:
        """Whether the bytes could be such an event: a cheap look that spares reading most of the others. Bytes in which
        something is escaped are always worth reading."""
        if value is None:
            return self.whole
        return b"\\" in value or all(pattern.search(value) is not None for pattern in self._patterns)

    def has(self, event: Event) -> bool:
        """Whether the event is one of them."""
        return (
            (not self.types or event.type in self.types)
            and (not self.customers or self._names_customer(event))
            and (not self.orders or self._names_order(event))
        )

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[bytes], ...]:
        # A phone has too many spellings to be looked for.
        customers = frozenset() if self._phones else self.customers
        wanted = (names for names in (self.types, customers, self.orders) if names)
        return tuple(
            re.compile(b'"(?:' + b"|".join(re.escape(name.encode()) for name in sorted(names)) + b')"')
            for names in wanted
        )

    @cached_property
    def _phones(self) -> frozenset[str]:
        return frozenset(phone for name in self.customers if (phone := canonical_phone(name)) is not None)

    def _names_customer(self, event: Event) -> bool:
        customer = event.customer
        if customer is None:
            return False
        phone = canonical_phone(customer.phone) if customer.phone else None
        return bool({customer.id, customer.install_id, customer.phone} & self.customers) or phone in self._phones

    def _names_order(self, event: Event) -> bool:
        order = getattr(event, "order", None)
        return order is not None and bool({order.id, order.public_id} & self.orders)
