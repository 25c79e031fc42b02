"""What somebody asks the story of, in every form in which it may stand in a record."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from consumer.core.model import Position, Record
from consumer.core.text import canonical_phone
from schemas.bonus import BonusEvent
from schemas.envelope import Event
from schemas.order import OrderEvent

_COMMAND = re.compile(r"[0-9a-f]{24}")
_POSITION = re.compile(r"([A-Za-z0-9._-]{1,249})[:/](\d{1,9})[:/](\d{1,18})")


class Kind(StrEnum):
    """What a term turned out to name."""

    EVENT = "event"
    ORDER = "order"
    OPERATION = "operation"
    CUSTOMER = "customer"
    COMMAND = "command"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Subject:
    """`phone`: the term as a phone's digits where it can be one. `needles`: it as it may stand in the bytes of JSON."""

    term: str
    phone: str | None
    needles: tuple[bytes, ...]

    @classmethod
    def of(cls, term: str) -> "Subject":
        plain = json.dumps(term, ensure_ascii=False)[1:-1]
        escaped = json.dumps(term)[1:-1]
        # Some writers escape a slash, and some write the digits of an escape in capitals.
        capitals = re.sub(r"\\u[0-9a-f]{4}", lambda match: r"\u" + match[0][2:].upper(), escaped)
        forms = dict.fromkeys(form for text in (plain, escaped, capitals) for form in (text, text.replace("/", r"\/")))
        return cls(term, canonical_phone(term), tuple(form.encode("utf-8", "surrogatepass") for form in forms))

    @property
    def command(self) -> str | None:
        """The term as the id of a command."""
        return self.term.lower() if _COMMAND.fullmatch(self.term.lower()) else None

    @property
    def position(self) -> Position | None:
        """The term as the place of a record: topic:partition:offset."""
        match = _POSITION.fullmatch(self.term)
        return None if match is None else Position(match[1], int(match[2]), int(match[3]))

    @property
    def recipients(self) -> frozenset[str]:
        """How a lane may name the term if it is somebody."""
        return frozenset({self.term} | ({self.phone} if self.phone else set()))

    def is_key_of(self, record: Record) -> bool:
        """Whether the record's key is the term."""
        return record.key == self.term.encode("utf-8", "surrogatepass")

    def may_be_in(self, record: Record) -> bool:
        """Whether it is worth while to read the record: False is certain, True is not."""
        if self.phone is not None or self.is_key_of(record):
            return True
        return record.value is not None and any(needle in record.value for needle in self.needles)

    def kind_in(self, event: Event) -> Kind | None:
        """As what the event names the term; None where it does not."""
        named: list[tuple[Kind, str | None]] = [(Kind.EVENT, event.event_id)]
        if isinstance(event, OrderEvent):
            named += [(Kind.ORDER, event.order.id), (Kind.ORDER, event.order.public_id)]
        if isinstance(event, BonusEvent):
            named += [(Kind.ORDER, event.bonus.order_id), (Kind.OPERATION, event.bonus.operation_id)]
        customer = event.customer
        if customer is not None:
            named += [(Kind.CUSTOMER, customer.id), (Kind.CUSTOMER, customer.install_id)]
        kind = next((kind for kind, value in named if value == self.term), None)
        return kind or (Kind.CUSTOMER if self._is_phone_of(customer.phone if customer else None) else None)

    def _is_phone_of(self, phone: str | None) -> bool:
        return bool(phone) and self.phone is not None and canonical_phone(phone or "") == self.phone
