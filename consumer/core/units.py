"""Durations and sizes as people write them in YAML: "12h", "1h30m", "250ms", "64KiB", "900KB"."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_BYTES = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024, "GB": 1000**3, "MB": 1000**2, "KB": 1000, "B": 1}

_NUMBER = r"\d{1,12}(?:\.\d{1,6})?"
_SECONDS_PART = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_SECONDS_WHOLE = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h|d))+")
_BYTES_WHOLE = re.compile(rf"({_NUMBER})\s?(B|KB|MB|GB|KiB|MiB|GiB)")


def parse_seconds(value: object) -> float:
    """Seconds of "12h", "1h30m", "250ms". Raises ValueError, naming the units, for everything else."""
    if not isinstance(value, str):
        raise ValueError('a duration needs a unit: ms, s, m, h or d, as in "30s" or "1h30m"')  # noqa: TRY004
    if not _SECONDS_WHOLE.fullmatch(value.strip()):
        raise ValueError(f'"{value}" is not a duration; the units are ms, s, m, h and d, as in "30s" or "1h30m"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _SECONDS_PART.findall(value))


def parse_bytes(value: object) -> int:
    """Bytes of "64KiB", "900KB". Raises ValueError, naming the units, for everything else."""
    if not isinstance(value, str):
        raise ValueError('a size needs a unit: B, KB, MB, GB, KiB, MiB or GiB, as in "64KiB"')  # noqa: TRY004
    match = _BYTES_WHOLE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f'"{value}" is not a size; the units are B, KB, MB, GB, KiB, MiB and GiB, as in "64KiB"')
    return round(float(match[1]) * _BYTES[match[2]])


def spell_seconds(seconds: float) -> str:
    """The shortest exact spelling down to a millisecond: 5400 is "1h30m", 0 is "0s"."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in _SECONDS.items():
        count, left = divmod(left, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def spell_bytes(size: int) -> str:
    """In the largest unit that divides it evenly: 65536 is "64KiB", 900000 is "900KB"."""
    unit = next(unit for unit, each in _BYTES.items() if size % each == 0 and (size or unit == "B"))
    return f"{size // _BYTES[unit]}{unit}"


Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    PlainSerializer(spell_seconds, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SECONDS_WHOLE.pattern}$", "examples": ["30s", "1h30m", "8d"]}),
]
"""A duration in seconds. A bare number is an error: nobody can see its unit."""

Bytes = Annotated[
    int,
    BeforeValidator(parse_bytes),
    PlainSerializer(spell_bytes, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_BYTES_WHOLE.pattern}$", "examples": ["64KiB", "900KB"]}),
]
"""A size in bytes. A bare number is an error."""
