"""What every event has in common: who published it, when, for which shop, about which customer.

Values are strict: a number is not a text and "12" is not a number. Money is a decimal text, a time is RFC 3339 with its
offset. Unknown fields are passed over, so that a shop may add its own.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

VERSION = 1


class Cardinality(StrEnum):
    """How many different values a field takes over a day: what a template says with it decides how large a group of
    equal messages can grow."""

    ONE_OF_N = "one_of_n"
    BUCKETED = "bucketed"
    UNIQUE = "unique"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"x-cardinality": self.value}


_RANKS = {Cardinality.ONE_OF_N: 0, Cardinality.BUCKETED: 1, Cardinality.UNIQUE: 2}


class MoneyText:
    """A decimal number written as a text. A JSON number is refused: it has been a binary fraction somewhere."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$")
        return core_schema.chain_schema([text, core_schema.decimal_schema(strict=False)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"examples": ["2450.00"]}


class TimeText:
    """RFC 3339 with seconds and an offset: a time without one is a different moment in every zone."""

    _PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=self._PATTERN)
        return core_schema.chain_schema([text, core_schema.datetime_schema(strict=False, tz_constraint="aware")])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"format": "date-time", "examples": ["2026-09-01T10:15:00+03:00"]}


Money = Annotated[Decimal, MoneyText()]
Moment = Annotated[datetime, TimeText()]
Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
Word = Annotated[str, Field(max_length=64)]
Line = Annotated[str, Field(max_length=4096)]


class Part(BaseModel):
    """A part of an event: strict, frozen, unknown fields passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Consents(Part):
    """What the customer agreed to. Absent is not agreed."""

    push: Annotated[bool | None, Cardinality.ONE_OF_N] = None
    marketing: Annotated[bool | None, Cardinality.ONE_OF_N] = None


class Customer(Part):
    """Whom the event is about. Each identity is a field of its own: a numeric customer id is never a phone."""

    id: Annotated[Identifier | None, Cardinality.UNIQUE] = None
    phone: Annotated[Word | None, Cardinality.UNIQUE] = Field(default=None, description="as written; see the rules")
    install_id: Annotated[Identifier | None, Cardinality.UNIQUE] = None
    locale: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    timezone: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    consents: Consents | None = None


class Event(Part):
    """The envelope. Without an `event_id` the event's identity is made of what it says."""

    type: Annotated[str, Cardinality.ONE_OF_N]
    version: Annotated[int, Cardinality.ONE_OF_N] = Field(ge=VERSION, le=VERSION, description="the major version")
    event_id: Annotated[Identifier | None, Cardinality.UNIQUE] = None
    occurred_at: Annotated[Moment, Cardinality.UNIQUE]
    source: Annotated[Word, Cardinality.ONE_OF_N] = ""
    shop: Annotated[Word | None, Cardinality.ONE_OF_N] = None
    customer: Customer | None = None

    # Parts that templates know by their own names, not only as `event.order`.
    PARTS: ClassVar[tuple[str, ...]] = ("order", "bonus")

    @property
    def operation(self) -> tuple[str, str]:
        """What the event is about and where that stands: its identity beside shop, source, type and time when the
        publisher gave it no `event_id`."""
        raise NotImplementedError

    @property
    def revision(self) -> int | None:
        """The publisher's own count of changes, where there is one."""
        return None
