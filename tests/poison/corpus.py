"""Payloads that no shop should publish and some shop will: a file for each, and an index of what must become of them.

A `.bin` file is the record's value as a producer sends it. A `.recipe.json` file says how to make what is too large to
keep: a value as a list of texts and of [text, times], or none at all; headers as [name, value, times]; a topic.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "files"
USUAL_LIMIT = 256 * 1024

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Payload:
    """What the producer sends."""

    value: bytes | None
    headers: Headers = ()
    by_hand: bool = False

    @property
    def size(self) -> int:
        return len(self.value or b"") + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(frozen=True)
class Case:
    """One line of the index. `ends`: dead_letter, ignored, ended or told. `limit` is the lane's `event_limit`;
    `says` and `link` are what a person sees, `to` who does."""

    file: str
    row: str
    ends: str
    reason: str
    limit: int = USUAL_LIMIT
    says: str | None = None
    link: str | None = None
    to: str | list[str] | None = None

    @property
    def name(self) -> str:
        return self.file.partition(".")[0]

    @property
    def recipients(self) -> set[str] | None:
        return {self.to} if isinstance(self.to, str) else None if self.to is None else set(self.to)

    @property
    def payload(self) -> Payload:
        recipe = self._recipe()
        return Payload((CORPUS / self.file).read_bytes()) if recipe is None else _cooked(recipe)

    @property
    def size(self) -> int:
        """Bytes of the value, without making it."""
        recipe = self._recipe()
        if recipe is None:
            return (CORPUS / self.file).stat().st_size
        return sum(len(_repeated(part, once=True)) * _times(part) for part in recipe["value"] or ())

    def _recipe(self) -> dict[str, Any] | None:
        if not self.file.endswith(".json"):
            return None
        recipe: dict[str, Any] = json.loads((CORPUS / self.file).read_text("utf-8"))
        return recipe


@cache
def cases() -> tuple[Case, ...]:
    """The whole index, in its order."""
    return tuple(Case(**entry) for entry in yaml.safe_load((HERE / "index.yaml").read_text("utf-8")))


def _cooked(recipe: dict[str, Any]) -> Payload:
    value = None if recipe["value"] is None else b"".join(_repeated(part) for part in recipe["value"])
    headers = tuple(
        (name.replace("{n}", str(number)), _repeated(text))
        for name, text, times in recipe.get("headers", [])
        for number in range(times)
    )
    return Payload(value, headers, recipe.get("topic") == "backfill")


def _repeated(part: str | list[Any], *, once: bool = False) -> bytes:
    if isinstance(part, str):
        return part.encode()
    text, times = part
    made: bytes = text.encode() * (1 if once else times)
    return made


def _times(part: str | list[Any]) -> int:
    return 1 if isinstance(part, str) else int(part[1])
