"""Mapping files: how another system's events become ours, field by field, written by people and read strictly.

A mapping is data and no program: each field of our event has an expression (JMESPath, https://jmespath.org) that finds
its value in the foreign event, a table from their words to ours, or a way of writing it. Sizes are bounded, so that no
file makes a record cost more than a record may.
"""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from consumer.core.document import Strict
from consumer.core.normalisers import As

EXPRESSION_CHARACTERS = 1000
FIELDS_LIMIT = 100
TABLE_LIMIT = 1000

Expression = Annotated[str, Field(min_length=1, max_length=EXPRESSION_CHARACTERS)]
Word = Annotated[str, Field(max_length=256)]
Table = Annotated[dict[Word, Word], Field(min_length=1, max_length=TABLE_LIMIT)]


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError('not a time zone; it is written as in "Europe/Moscow"')
    return ZoneInfo(value).key


def _pattern(value: str) -> str:
    """Words of a month depend on the machine's language; numbers do not."""
    named = {value[index + 1 : index + 2] for index, character in enumerate(value) if character == "%"}
    if not named <= set("dmYHMSfzy") or not {"d", "m"} <= named:
        raise ValueError('a pattern has day, month and year in numbers, as in "%d.%m.%Y %H:%M:%S"')
    return value


class TypeRule(Strict):
    """Which of our events it is: always the same one, or by a word of theirs."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Expression = Field(alias="from", description="where their word stands")
    table: Table = Field(description="their word: our type")
    otherwise: Literal["ignore", "refuse"] = Field(
        default="ignore", description="what becomes of words that are not in the table: nothing, or a dead letter"
    )


class FieldRule(Strict):
    """Where a field's value comes from, and how it is written. Exactly one of `from` and `value`."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Expression | None = Field(default=None, alias="from", description="an expression")
    value: str | int | bool | None = Field(default=None, description="always this")
    table: Table | None = Field(default=None, description="their word: ours; a word that is not in it is left out")
    otherwise: Word | None = Field(default=None, description="what stands for words that are not in the table")
    as_: As | None = Field(default=None, alias="as", description="how it is written in the event")
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(default=None, description="of times without an offset")
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None, description='of times that are not ISO 8601, as in "%d.%m.%Y %H:%M:%S"'
    )
    digits: int = Field(default=2, ge=0, le=4, description="how many digits of cents are behind the point")

    @model_validator(mode="after")
    def _sensible(self) -> "FieldRule":
        if (self.from_ is None) == (self.value is None):
            raise ValueError("a field has exactly one of from and value")
        if self.value is not None and (self.table is not None or self.as_ is not None):
            raise ValueError("a value is written as it stands; table and as go with from")
        if self.otherwise is not None and self.table is None:
            raise ValueError("otherwise goes with a table")
        if (self.zone or self.pattern) and self.as_ not in (As.TIME, As.DATE):
            raise ValueError("zone and pattern go with as: time or as: date")
        return self


class MappingExample(Strict):
    """A foreign event in a file, and fields of the event that must come of it; or that nothing must."""

    event: str = Field(min_length=1, description="file with the foreign event, beside the mapping")
    headers: dict[Word, str] = Field(default={}, max_length=100, description="of its record")
    key: str | None = Field(default=None, description="of its record")
    expect: dict[str, Any] | Literal["ignored"] = Field(description="fields of our event, as order.id: …; or ignored")


FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=128)]


class MappingFile(Strict):
    """One mapping. Expressions see `body` (the foreign event), `headers` (names in small letters), `key`, `topic` and
    `time` (of the record)."""

    about: str = Field(min_length=1, max_length=2000, description="which system, and where its shape is documented")
    where: Expression | None = Field(default=None, description="only these; others are nothing to us")
    type: str | TypeRule = Field(description="one of our types, or how to find it")
    fields: dict[FieldName, Expression | FieldRule] = Field(min_length=1, max_length=FIELDS_LIMIT)
    examples: list[MappingExample] = Field(default=[], max_length=100)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of ours that may come of it."""
        return (self.type,) if isinstance(self.type, str) else tuple(dict.fromkeys(self.type.table.values()))

    @property
    def rules(self) -> dict[str, FieldRule]:
        """A rule for each field; an expression alone is one without anything else."""
        return {
            name: FieldRule.model_validate({"from": rule}) if isinstance(rule, str) else rule
            for name, rule in self.fields.items()
        }
