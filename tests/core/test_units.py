"""Durations and sizes with their units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from consumer.core.units import Bytes, Seconds, parse_bytes, parse_seconds, spell_bytes, spell_seconds


class Sample(BaseModel):
    ttl: Seconds = Field(default=43_200.0, gt=0)
    size: Bytes = 65_536


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12h", 43_200), ("5m", 300), ("30s", 30), ("250ms", 0.25), ("8d", 691_200), ("1h30m", 5_400), ("1.5h", 5_400)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("value", [30, 1.5, None, True, "", "30", "h", "5 minutes", "-5m", "1h 30m", "5x"])
def test_a_duration_without_a_known_unit_is_an_error_that_names_the_units(value: object) -> None:
    with pytest.raises(ValueError, match="ms, s, m, h"):
        parse_seconds(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64KiB", 65_536), ("128MiB", 134_217_728), ("900KB", 900_000), ("7B", 7), ("1.5 GiB", 1610612736)],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("value", [64, None, "", "64", "64K", "64kb", "KiB", "-1B"])
def test_a_size_without_a_known_unit_is_an_error_that_names_the_units(value: object) -> None:
    with pytest.raises(ValueError, match="KiB, MiB"):
        parse_bytes(value)


@given(st.integers(0, 10**11))
def test_a_spelt_duration_reads_back_as_itself(milliseconds: int) -> None:
    assert parse_seconds(spell_seconds(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.integers(0, 10**11))
def test_a_spelt_size_reads_back_as_itself(size: int) -> None:
    assert parse_bytes(spell_bytes(size)) == size


def test_the_spelling_is_short() -> None:
    assert [spell_seconds(seconds) for seconds in (0, 5_400, 0.25, 691_200)] == ["0s", "1h30m", "250ms", "8d"]
    assert [spell_bytes(size) for size in (0, 65_536, 900_000, 1_001)] == ["0B", "64KiB", "900KB", "1001B"]


def test_a_model_reads_and_writes_units_and_keeps_its_bounds() -> None:
    assert Sample.model_validate_json('{"ttl": "1h", "size": "1KiB"}').model_dump() == {"ttl": 3600.0, "size": 1024}
    assert Sample().model_dump_json() == '{"ttl":"12h","size":"64KiB"}'
    with pytest.raises(ValidationError, match="greater than 0"):
        Sample.model_validate({"ttl": "0s"})


def test_the_schema_for_editors_knows_a_text_and_its_units() -> None:
    size = Sample.model_json_schema()["properties"]["size"]
    assert (size["type"], "KiB" in size["pattern"]) == ("string", True)
