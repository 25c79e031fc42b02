"""Rows on poisoned events: the corpus through a real lane, parsers against each other, and loops of dead letters."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random

from consumer.app.setup import Setup, load_setup
from consumer.core.decode import Undecodable, decode
from consumer.core.redrive import MAX_REDRIVES, Guard, Wanted
from schemas.envelope import Event
from tests.app.support import CONFIG, ENVIRON, write
from tests.chaos.lanes import Run
from tests.chaos.row import Outcome, Row
from tests.core.poison.corpus import GOOD
from tests.core.test_redrive import letter
from tests.poison.corpus import Case, cases
from tests.poison.lane import GOOD_RECIPIENT, Seen, feed
from tests.poison.test_poison import CPU_SECONDS, MEMORY_FACTOR, OWN_BYTES, SMALL_BYTES

FUZZ = 100_000
LIMIT_BYTES = 256 * 1024


def _end(seen: Seen) -> tuple[str, str]:
    """How the first record ended."""
    if seen.buried:
        return "dead_letter", seen.buried[0].reason
    if ignored := seen.planned("ignored"):
        return "ignored", ignored[0].reason
    others = seen.ends - {("delivered", "")}
    return ("ended", next(iter(others))[0]) if others else ("told", "delivered")


def _fed(row: str) -> dict[str, float | int]:
    """Every file of the row through a lane of its own, with a good record after it."""
    counts: Counter[str] = Counter()
    cpu, factor = 0.0, 0.0
    for case in (case for case in cases() if case.row == row):
        seen = feed(case.payload, case.limit)
        counts["files"] += 1
        counts["otherwise"] += _end(seen) != (case.ends, case.reason)
        counts["next_told"] += GOOD_RECIPIENT in seen.provider.told and seen.committed == 2
        counts["said_otherwise"] += _said_otherwise(case, seen)
        cpu = max(cpu, seen.cpu_seconds)
        if case.size > SMALL_BYTES:
            peak = feed(case.payload, case.limit, measured=True).peak_bytes
            factor = max(factor, (peak - OWN_BYTES) / case.payload.size)
    return {**counts, "cpu_seconds": round(cpu, 3), "memory_factor": round(max(0.0, factor), 2)}


def _said_otherwise(case: Case, seen: Seen) -> bool:
    poisoned = [push for push in seen.provider.pushes if push.recipient != GOOD_RECIPIENT]
    wrong_words = case.says is not None and {push.message.title for push in poisoned} != {case.says}
    wrong_people = case.recipients is not None and {push.recipient for push in poisoned} != case.recipients
    return wrong_words or wrong_people


def corpus(row: str) -> Run:
    """The row's files: each ends as the index says, the next record is told, within CPU and memory."""

    async def run(folder: Path) -> Outcome:
        found = await asyncio.to_thread(_fed, row)
        files, cpu, factor = found["files"], found["cpu_seconds"], found["memory_factor"]
        well = not found["otherwise"] and not found["said_otherwise"] and found["next_told"] == files > 0
        return Outcome(
            well and cpu <= CPU_SECONDS and factor <= MEMORY_FACTOR,
            f"{files} files: ended otherwise than the index says {found['otherwise']}, said otherwise "
            f"{found['said_otherwise']}, the next record told after {found['next_told']}; at most {cpu:.2f} s of CPU"
            f"{f' and {factor:.1f} times their size beyond what a lane takes' if factor else ''}",
            found,
        )

    return run


# --- E-4: parsers against each other ----------------------------------------------------------------------------------


class TwiceError(ValueError):
    """A key stands twice in one object."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise TwiceError
    return dict(pairs)


def _mutated(dice: Random) -> bytes:
    """A good event with some bytes cut, doubled, changed or put elsewhere."""
    value = bytearray(GOOD)
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(value))
        end = min(len(value), start + dice.choice((1, 1, 2, 5, 20, 60)))
        match dice.randrange(4):
            case 0:
                del value[start:end]
            case 1:
                value[start:start] = value[start:end]
            case 2:
                value[start] = dice.choice(b'{}[]",:0123456789eE.-+ntfal \\u\x00\xff\xd0')
            case _:
                value[start:start] = dice.choice(
                    (b'"customer":{"id":"9"},', b"1e999", b'"ID":"1",', b"NaN", b"\\ud83d", b"2.5", b'"version":1,')
                )
    return bytes(value)


def _differential() -> dict[str, int]:
    """What our reader takes, the standard library's must read as the same event."""
    dice, counts = Random(4), Counter[str]()
    for _ in range(FUZZ):
        value = _mutated(dice)
        found = decode(value, LIMIT_BYTES)
        counts["inputs"] += 1
        counts["rejected"] += isinstance(found, Undecodable)
        if isinstance(found, Event):
            counts["accepted"] += 1
            counts["divergences"] += not _agrees(value, found)
    return {name: counts[name] for name in ("inputs", "accepted", "rejected", "divergences")}


def _agrees(value: bytes, event: Event) -> bool:
    try:
        other = json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    same_ids = other.get("event_id") == event.event_id and other.get("type") == event.type
    customer, theirs = event.customer, other.get("customer") or {}
    return same_ids and (customer.id if customer else None) == theirs.get("id")


async def parsers(folder: Path) -> Outcome:
    found, fuzzed = await asyncio.to_thread(_fed, "E-4"), await asyncio.to_thread(_differential)
    well = not found["otherwise"] and found["next_told"] == found["files"] and not fuzzed["divergences"]
    return Outcome(
        well and fuzzed["accepted"] > 1000,
        f"{found['files']} files: ended otherwise {found['otherwise']}; {fuzzed['inputs']} changed events, "
        f"{fuzzed['accepted']} accepted: read otherwise by a second parser {fuzzed['divergences']}",
        {**found, **fuzzed},
    )


# --- E-9 --------------------------------------------------------------------------------------------------------------


async def loops(folder: Path) -> Outcome:
    """Dead letters as a source; and a letter that dies again after each redrive, and is asked for again."""
    path = write(folder, CONFIG.replace("[shop.orders, shop.bonuses]", "[shop.orders, vestnik.dead-letters]"))
    found = load_setup(path, ENVIRON)
    refused = not isinstance(found, Setup) and any("dead letter" in str(problem) for problem in found)
    hops = 0
    while hops < 100 and Guard({}, {}).stops(letter(redrives=hops), Wanted()) is None:
        hops += 1
    return Outcome(
        refused and hops <= MAX_REDRIVES,
        f"dead letters as a source: {'refused at start' if refused else 'taken'}; a letter that dies each time "
        f"went out {hops} times",
        {"refused": int(refused), "hops": hops},
    )


CORPUS_PASSES = "each ends as the index says; the next record is told; ≤ 1 s of CPU, ≤ 3 times its size"
FAULTS = {
    "E-1": "empty, null, tombstones, no JSON, cut short, BOM, UTF-16, bad UTF-8, control characters",
    "E-2": "wrong types, missing fields, unknown types and versions",
    "E-3": "nested 200,000 deep, 10 MB, 150 MB, a million elements, 5,000 digits, 1e999, NaN",
    "E-5": "template syntax, markup, CRLF, ANSI, NUL, RTL, zero width, surrogates, combining marks",
    "E-6": "phones as people write them, 0, negative, very many, doubled, foreign recipients",
    "E-7": "1970, year 9999, milliseconds, no zone, the future",
    "E-8": "10,000 headers, 1 MB of a header, bad UTF-8 in names, forged headers of ours",
}
PROMISES = {"E-5": "text is said literally or cleaned, never run", "E-6": "cleaned or rejected, one push a person",
            "E-7": "stale, clamped or rejected by a rule", "E-8": "passed over or cut"}  # fmt: skip
ROWS = (
    *(
        Row(row, fault, PROMISES.get(row, "a dead letter or a skip with a stable reason"), CORPUS_PASSES, corpus(row),
            2.0 if row == "E-3" else 0.1, selection=row != "E-3", compressed="virtual time", again="no",
            test="tests/poison/test_poison.py::test_it_ends_as_the_index_says_and_the_next_record_is_told")
        for row, fault in FAULTS.items()
    ),
    Row(
        "E-4", "doubled keys, keys in other letters, look-alike keys", "rejected; parsers never disagree",
        "100,000 changed events: divergences 0", parsers, 1.0, selection=False, compressed="virtual time", again="no",
        test="tests/core/test_decode.py::test_a_poisoned_payload_has_its_reason",
    ),
    Row(
        "E-9", "dead letters as a source; a redriven record dies again", "refused at start; a cap on redrives",
        "refused; at most 2 redrives", loops, 0.1, selection=True, again="no",
        test="tests/core/test_redrive.py::test_letters_go_neither_twice_nor_in_circles",
    ),
)  # fmt: skip
