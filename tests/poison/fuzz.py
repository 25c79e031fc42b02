"""Inputs that two parsers may read differently, against our one: `python -m tests.poison.fuzz --inputs 100000`.

What it takes for an event every parser must read alike; what any two read differently it must refuse; and it gives the
same answer each time, whichever lane asks.
"""

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic_core import from_json

from consumer.core.decode import Undecodable, decode
from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.model import Rejected
from consumer.core.plan import LaneProfile, Planner
from schemas.envelope import Event
from tests.core.planning import SHOPS, bonus, order, record, routes
from tests.poison.corpus import USUAL_LIMIT, cases

_STRANGE = (
    b"NaN", b"-Infinity", b"1e999", b"-1e999", b"1e-999", str(2**70).encode(), str(2**63).encode(), b"-0", b"0.1e1",
    b"1.0", b"9007199254740993", b"\\ud800", b"\\udc00\\ud800", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"\\u0000",
    b'"id": "9", ', b'"\\u0069d": "9", ', b'"type": "order.paid", ', b'"version": 1, ', b"null", b"true", b"[]", b"{}",
    b"[[[[", b"]]]]", b"{" * 40, b'"', b"\\", b",", b":", b"\n", b"\t", b"//", b"/**/", b"'", b"1_000", b"01", b"+1",
    b".5", b"5.", b"0x10", b"\xff", b"\xc3\x28", "\u2028".encode(), "і".encode(), b"True", b"None", b"undefined",
)  # fmt: skip


def _seeds() -> list[bytes]:
    """Good events, and the small files of the corpus."""
    good = [json.dumps(event, ensure_ascii=False).encode() for event in (order(), bonus(), order(event_id=...))]
    return good * 8 + [case.payload.value or b"" for case in cases() if case.size < 2000 and case.row != "E-8"]


_VALUE = re.compile(rb'(?<=: )("(?:[^"\\\\]|\\\\.)*"|[-\w.+]+)')
_VALUES = (
    b"NaN", b"Infinity", b"1e999", b"1e-999", str(2**70).encode(), str(2**63 - 1).encode(), str(-(2**63)).encode(),
    b"-0", b"-0.0", b"1.0", b"4.0", b"9007199254740993", b"0.1e1", b"1E2", b"123456789012345678901.5", b"null", b"true",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83e\\udd86"', b'"\\u0000"', b'"\\/"', b'"\xed\xa0\x80"', b'"\x7f"', b'""',
    b"[]", b"{}", b"[[[1]]]", b'{"a": 1, "a": 2}', b'{"a": 1, "A": 2}', b'{"": null}', b"[NaN]", b'{"x": 1e400}',
)  # fmt: skip
_MEMBERS = (
    b'"id": "9", ', b'"\\u0069d": "9", ', b'"ID": "9", ', b'"type": "order.paid", ', b'"version": 1, ', b'"": 0, ',
    b'"x": 1, "x": 1, ', b'"\\ud800": 1, ', b'"\\u0000": 1, ', b'"order": null, ', b'"__proto__": {}, ',
)  # fmt: skip


def mutated(dice: Random, seeds: list[bytes]) -> bytes:
    """One of the seeds with one to three changes: another value, one more member, or bytes of any kind anywhere."""
    text = dice.choice(seeds)
    for _ in range(dice.randint(1, 3)):
        text = dice.choice((_with_value, _with_value, _with_member, _with_bytes))(dice, text)
    return text


def _with_value(dice: Random, text: bytes) -> bytes:
    found = list(_VALUE.finditer(text))
    if not found:
        return _with_bytes(dice, text)
    at = dice.choice(found)
    return text[: at.start()] + dice.choice(_VALUES) + text[at.end() :]


def _with_member(dice: Random, text: bytes) -> bytes:
    places = [at + 1 for at, byte in enumerate(text) if byte == ord("{")]
    at = dice.choice(places) if places else 0
    return text[:at] + dice.choice(_MEMBERS) + text[at:]


def _with_bytes(dice: Random, text: bytes) -> bytes:
    at = dice.randint(0, len(text))
    end = min(len(text), at + dice.choice((0, 0, 1, 1, 3, 9)))
    new = dice.choice(_STRANGE) if dice.random() < 0.8 else dice.randbytes(dice.randint(1, 3))
    return text[:at] + new + text[end:]


Parser = Callable[[bytes], Any]
_FAILED = object()


def _read(parse: Parser, value: bytes) -> Any:
    try:
        return parse(value)
    except (ValueError, RecursionError):
        return _FAILED


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, each in pairs:
        found.setdefault(key, each)
    return found


PARSERS: dict[str, Parser] = {
    "json": json.loads,
    "json, first key wins": lambda value: json.loads(value, object_pairs_hook=_first_wins),
    "json, numbers as doubles": lambda value: json.loads(value, parse_int=float),
    "pydantic": from_json,
    "utf-8 first": lambda value: json.loads(value.decode("utf-8")),
}


def alike(one: Any, other: Any) -> bool:
    """Whether two parsers read the same: numbers by their worth as far as 64 bits go, everything else exactly."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return isinstance(one, bool) is isinstance(other, bool) and _same_number(one, other)
    return type(one) is type(other) and bool(one == other)


def _same_number(one: float, other: float) -> bool:
    """A reader with doubles alone keeps 53 bits; what lies between there and 64 bits is read by whole numbers here."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return False
    return one == other or (abs(one) < 2**63 and float(one) == float(other))


@dataclass
class Score:
    """What came of the inputs, and each that broke a rule."""

    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    divergent: int = 0
    breaches: list[tuple[str, bytes]] = field(default_factory=list)


class Judge:
    """Holds one input after the other against the rules."""

    def __init__(self) -> None:
        self.score = Score()
        # The rules are those of plain JSON: a lane that finds out formats takes more than its parser does.
        plain = Formats({record(None).position.topic: SourceFormat(Format.JSON)})
        self._lanes = [
            Planner(LaneProfile(lane, SHOPS, formats=plain), routes(_ROUTE.replace("LANE", lane)))
            for lane in ("app", "staff")
        ]

    def try_out(self, value: bytes) -> None:
        found = decode(value, USUAL_LIMIT)
        refused = isinstance(found, Undecodable)
        self.score.inputs += 1
        self.score.ends[found.reason.value if isinstance(found, Undecodable) else type(found).__name__.lower()] += 1
        readings = {name: _read(parse, value) for name, parse in PARSERS.items()}
        divergent = self._divergent(readings)
        self.score.divergent += divergent
        if divergent and not refused:
            self.score.breaches.append(("taken, though parsers disagree", value))
        if isinstance(found, Event) and any(reading is _FAILED for reading in readings.values()):
            self.score.breaches.append(("taken, though a parser refuses it", value))
        self._same_in_each_lane(value, refused=refused)

    @staticmethod
    def _divergent(readings: dict[str, Any]) -> bool:
        """Two parsers read two documents, or one reads what another cannot."""
        done = [reading for reading in readings.values() if reading is not _FAILED]
        return bool(done) and (len(done) < len(readings) or not all(alike(done[0], each) for each in done[1:]))

    def _same_in_each_lane(self, value: bytes, *, refused: bool) -> None:
        plans = [lane.plan(record(value)) for lane in self._lanes]
        said = {plan.rejection if isinstance(plan, Rejected) else None for plan in plans}
        if len(said) > 1 or (None in said) is refused:
            self.score.breaches.append(("lanes disagree", value))


_ROUTE = """
- id: any
  on: [order.ready_for_pickup, bonus.accrued]
  lane: LANE
  ttl: 12h
  wordings: [{title: "Title", text: "Text"}]
"""


def run(inputs: int, seed: int) -> Score:
    dice, seeds, judge = Random(seed), _seeds(), Judge()
    for _ in range(inputs):
        judge.try_out(mutated(dice, seeds))
    return judge.score


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    score = run(asked.inputs, asked.seed)
    seconds = time.monotonic() - began
    lines = [f"{score.inputs} inputs of seed {asked.seed}, {seconds:.0f} s: {dict(score.ends.most_common())}"]
    lines.append(f"{score.divergent} that parsers read differently, {len(score.breaches)} breaches")
    lines += [f"{what}: {value!r}" for what, value in score.breaches[:20]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if score.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
