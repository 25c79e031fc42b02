"""What the core makes of strange input, a line each: it must be the same with the compiled core and without it.

    PYTHONHASHSEED=0 python -m tests.compiled.strange 2000 1 > plain.txt
    PYTHONHASHSEED=0 python -m scripts.compiled tests.compiled.strange 2000 1 > compiled.txt

for 2000 inputs of each kind, of the first seed.

Machine code checks types while it runs, and keeps whole numbers and floats in its own way: what an annotation promises
and does not keep is an error of another kind there, or another number.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from consumer.core.caps import Told
from consumer.core.decode import decode
from consumer.core.desk import Desk
from consumer.core.formats import Format, Formats, SourceFormat
from consumer.core.hindsight import Hindsight
from consumer.core.landing import attempt_records, land, lost
from consumer.core.ledger import Ledger
from consumer.core.memory import Memory
from consumer.core.model import (
    Batch,
    Blocked,
    Bounds,
    Cap,
    Capacity,
    Command,
    Deferred,
    Delivered,
    Message,
    OnUnsure,
    Planned,
    Position,
    Priority,
    Quiet,
    Quota,
    Record,
    Refused,
    Terms,
    Unsure,
)
from consumer.core.outbox import Outbox
from consumer.core.parking import Sleeper, parked_records
from consumer.core.plan import LaneProfile, Planner
from consumer.core.policies import POLICIES
from consumer.core.ports import Entry
from consumer.core.profile import Mode, QuietProfile, ShopProfile
from consumer.core.replay import Asked, Forecast, Foresight, Outlook
from consumer.core.replay_quota import Pace
from consumer.core.shelf import Shelf
from consumer.core.story import Asked as Lives
from consumer.core.story import Chronicle
from consumer.streams.codec import decoded, encoded
from schemas.journal import AnyRecord, Claim, Landing, OutcomeName, Repeat
from tests.core import formats
from tests.core.journal import attempt, columns, command_id, digest, outcomes, parcel
from tests.core.planning import READY, bonus, order, routes
from tests.poison.corpus import USUAL_LIMIT, cases
from tests.poison.fuzz import mutated

NOW = 1_788_246_905.0
WHOLE = (0, 1, -1, 2, 255, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), 2**63, -(2**64), 10**30)
FRACTIONS = (0, -0.0, 0.5, 1, 1e-308, 1e308, -1e308, NOW, NOW + 1, 2**53 + 1, 10**22, float("inf"), float("-inf"))
# What a command may have: no such record can be written, and none is read.
FINITE = tuple(map(float, FRACTIONS[:-2]))
TEXTS = ("", " ", "0", "é" * 12, "00" * 12, "0" * 24, "f" * 16, "g" * 24, " 1" * 12, "١" * 24, "\0", "🎁", "a" * 70_000)
IDS = tuple(command_id(number) for number in range(12))


def given(call: Callable[[], object]) -> str:
    """What a call gives, or the kind of its error: machine code words those of Python in its own way."""
    try:
        return repr(call())
    except Exception as error:  # noqa: BLE001  # any kind is compared
        return f"! {type(error).__name__}"


# --- the journal ------------------------------------------------------------------------------------------------------


def journals(dice: Random, inputs: int) -> Iterator[str]:
    """Memories that are fed spoilt records, what they say afterwards, and who takes over from them."""
    for number in range(inputs):
        memory = Memory(dice.choice((3600.0, 8 * 86_400.0)), Told((Cap(2, 600.0),), b"key"))
        hindsight, story = Hindsight(3600.0), Chronicle(Lives([id_.hex() for id_ in IDS]))
        for offset, record in enumerate(_life(dice)):
            document = json.loads(encoded(record))
            for _ in range(dice.choice((0, 0, 1, 1, 2))):
                spoil(dice, document)
            at = dice.choice((NOW + offset, NOW + offset, NOW + 600.0 * offset, NOW - offset))
            read = decoded(json.dumps(document).encode())
            entry = Entry(offset, at, read)
            each = [given(partial(one.apply, entry)) for one in (memory, hindsight, story)]
            yield f"journal {number}.{offset} {each} {repr(read)[:200]}"
        for line in (*_remembered(memory), *_remembered(hindsight), *_foretold(hindsight)):
            yield f"journal {number} {line}"
        for line in _taken_over(dice, memory):
            yield f"journal {number} {line}"


_ENDS: tuple[OutcomeName | None, ...] = (None, "delivered", "unknown")


def _life(dice: Random) -> list[AnyRecord]:
    """Some records of a lane, as they were written."""
    found: list[AnyRecord] = [Claim(epoch=1, member="a")]
    for epoch in (1, 1, dice.choice((1, 2))):
        numbers = dice.sample(range(12), dice.randint(1, 4))
        name = f"{epoch}.{len(found)}"
        told = parcel(columns(numbers, dice.choice((None, 7, 2**64 - 1)), dice.choice(WHOLE)))
        if dice.random() < 0.3:
            found.append(attempt(name, parcel(told.commands, more=True), part=1, parts=2))
            found.append(attempt(name, told, part=2, parts=2))
        else:
            found.append(replace(attempt(name, told), marketing=dice.choice(([], ["order-ready"]))))
        ends = [dice.choice(_ENDS) for _ in numbers]
        doubtful = [command_id(each).hex() for each in numbers if dice.random() < 0.3]
        ways = (
            Landing(attempt=name, epoch=epoch, verdict="mixed", outcomes=ends, doubtful=doubtful, tried=True),
            Landing(attempt=name, epoch=epoch, verdict="delivered", outcome="delivered"),
            Repeat(attempt=name, epoch=epoch, sent=dice.random() < 0.5),
            outcomes(epoch, numbers),
            _parked(dice, epoch),
            Claim(epoch=2, member="b"),
        )
        found.append(dice.choice(ways))
    return found


def _parked(dice: Random, epoch: int) -> AnyRecord:
    sleepers = [
        Sleeper(command(dice, number), dice.choice(FINITE), (Position("shop.orders", 0, number),))
        for number in dice.sample(range(12), 3)
    ]
    return next(parked_records(sleepers, epoch, "quiet_hours"))[0]


def spoil(dice: Random, document: Any) -> None:
    """One value somewhere in it becomes another one; a list may lose one or gain one."""
    places = list(_places(document))
    holder, key = dice.choice(places)
    value = holder[key]
    if isinstance(value, list) and dice.random() < 0.5:
        value.append(dice.choice(value)) if value and dice.random() < 0.5 else value.clear()
    elif isinstance(value, bool) or value is None:
        holder[key] = dice.choice((True, False, None, 0, 1, "x"))
    elif isinstance(value, int):
        holder[key] = dice.choice((*WHOLE, *WHOLE, float(2**40), None))
    elif isinstance(value, float):
        holder[key] = dice.choice((*FRACTIONS, float("nan"), None))
    else:
        holder[key] = dice.choice((*TEXTS, None))


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    members = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in members:
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _remembered(memory: Memory) -> Iterator[str]:
    yield given(lambda: (memory.epoch, memory.owner, memory.claim_offset, memory.offset, memory.unreadable))
    for id_ in IDS:
        for ask in (memory.ended, memory.doubtful, memory.tries, memory.parked.get):
            yield given(partial(ask, id_))
    yield given(lambda: [memory.attempted(thread) for thread in (7, 2**64 - 1)])
    yield given(lambda: [memory.past(since) for since in (NOW, -float("inf"))])
    for one in list(memory.open_attempts.values()):
        yield repr((one.id, one.timestamp, one.on_unsure, sorted(one.marketing), one.deaths, one.on_wire))
        yield repr((one.commands, sorted(one.ids), sorted(one.recipients), one.endings))
    yield given(lambda: memory.told.full("customer-1", NOW))
    yield given(lambda: memory.forget(NOW + 1800.0))


def _foretold(hindsight: Hindsight) -> Iterator[str]:
    for number, id_ in enumerate(IDS):
        yield given(partial(hindsight.end_of, id_, digest(number)))
    yield from _forecast(hindsight, [formats.record(order()), formats.record(order(order__revision=9, event_id="e-2"))])


def _taken_over(dice: Random, memory: Memory) -> Iterator[str]:
    """A new owner of what the journal says."""
    desk = Desk(Outbox(Bounds(), POLICIES["turn"]()), Ledger(), memory)
    yield given(lambda: desk.doubts.add(memory.open_attempts.values()))
    for one in list(memory.open_attempts.values()):
        yield given(partial(lost, one, 3, memory))
    for step in range(6):
        yield from _tended(desk, NOW + dice.choice((0.0, 60.0 * step, 86_400.0 * step)))
    yield given(lambda: (desk.drift, desk.parked, desk.in_doubt, desk.bound, desk.joined, desk.release()))


def _tended(desk: Desk, now: float) -> Iterator[str]:
    yield given(lambda: desk.wake(now))
    yield given(lambda: desk.hush(now))
    yield given(lambda: [each.command.id for each in desk.lot.unwritten(now)])
    yield given(lambda: desk.expire(now))
    yield given(lambda: (desk.lot.next_alarm(), desk.outbox.next_expiry(), desk.outbox.oldest, desk.drift))


# --- commands ---------------------------------------------------------------------------------------------------------


def command(dice: Random, number: int) -> Command:
    """One with strange numbers and texts."""
    wordings = tuple(
        Message(dice.choice(("", "A", "B")), dice.choice(("x", *TEXTS)), dice.choice((None, "ducky://x")))
        for _ in range(dice.randint(1, 3))
    )
    marketing = dice.random() < 0.3
    within, unsure = dice.choice((0.0, 60.0, 1e308)), dice.choice(tuple(OnUnsure))
    unique = tuple(dice.random() < 0.5 for _ in wordings)
    return Command(
        command_id(number),
        digest(number),
        Terms(
            dice.choice(("a", "b")),
            dice.choice(tuple(Priority)),
            within,
            unsure,
            unique,
            dice.random() < 0.8,
            marketing,
        ),
        dice.choice((f"customer-{number}", "customer-1", *TEXTS)),
        wordings,
        dice.choice((None, 7, 7, 0, 2**64 - 1)),
        dice.choice((1, 2, *WHOLE)),
        dice.choice((NOW, *FINITE)),
        dice.choice((NOW + 60.0, NOW + 3600.0, *FINITE)),
        dice.choice(("shop.orders", "shop.bonuses", "")),
        dice.choice((None, None, Quiet(1320, 540, "Europe/Moscow"), Quiet(0, 1439, "Asia/Kathmandu", drop=True))),
    )


def desks(dice: Random, inputs: int) -> Iterator[str]:
    """A desk that is given strange commands, and whose requests come back in every way."""
    for number in range(inputs):
        memory = Memory(8 * 86_400.0, Told((Cap(2, 600.0),), b"key"))
        memory.apply(Entry(0, NOW, Claim(epoch=1, member="a")))
        shelf = Shelf(*dice.choice(((), (2, 1))))
        bounds = Bounds(20, 1_000_000, {"shop.orders": 0.5})
        desk = Desk(Outbox(bounds, POLICIES[dice.choice(tuple(POLICIES))](), shelf), Ledger(), memory)
        for step in range(dice.randint(4, 20)):
            now = NOW + dice.choice((0.0, 1.0, 60.0, 7200.0))
            made = tuple(command(dice, dice.randrange(40)) for _ in range(dice.randint(0, 4)))
            record = Record(Position("shop.orders", 0, step), now)
            yield f"desk {number} {given(partial(desk.admit, record, Planned('x', made), now))}"
            for line in (*_tended(desk, now), *_asked_for(desk, dice, now), *_sent(desk, dice, step + 1, now)):
                yield f"desk {number}.{step} {line}"


def _asked_for(desk: Desk, dice: Random, now: float) -> Iterator[str]:
    box, gap, room = desk.outbox, dice.choice((0.0, 0.01, 6.0)), Capacity(2, 3)
    yield given(lambda: box.explain(now, gap, room))
    yield given(lambda: (box.waiting, box.waiting_bytes, box.held, box.open_count, box.group_count, box.full))
    yield given(lambda: [box.has_room(source) for source in ("shop.orders", "other", "")])
    yield given(lambda: (box.seconds_to_clear(gap, room), desk.ledger.committable()))


def _sent(desk: Desk, dice: Random, number: int, now: float) -> Iterator[str]:
    room = Capacity(dice.randint(1, 3), dice.choice((1, 3, 1000)), ("a",), dice.choice((None, 4)))
    gap, probe = dice.choice((0.0, 0.01, 6.0)), dice.random() < 0.2
    if not (parcels := desk.take(now, gap, room, probe=probe)):
        return
    batch = Batch(f"1.{number}", 1, parcels)
    places = {each.id: desk.positions(each) for each in batch.commands}
    verdict = dice.choice((
        Delivered(), Deferred("x", at_most=2), Deferred("x", limit=True, left=False), Unsure("x"),
        Refused("x", shared=True), Refused("x", letter=False), Blocked("x"),
    ))  # fmt: skip
    each = dice.choice(((verdict,), (verdict,), tuple(dice.choice((verdict, Delivered())) for _ in batch.commands)))
    yield given(lambda: _landed(desk, batch, each, places, now))


def _landed(desk: Desk, batch: Batch, each: Any, places: Any, now: float) -> object:
    memory = desk.memory
    for record in attempt_records(batch, places):
        memory.apply(Entry(memory.offset, now, record))
    landed = land(batch, desk.bisection.hear(batch, each), memory, desk.bisection.suspects(batch))
    memory.apply(Entry(memory.offset, now, landed.record))
    ended = desk.land(batch.commands, landed.outcomes, landed.refused)
    buried = [desk.convict(sentence) for sentence in list(desk.bisection.sentences)]
    return batch.parcels, encoded(landed.record), landed, ended, buried, desk.drift


# --- events -----------------------------------------------------------------------------------------------------------

ANY = """
- id: any
  on: [order.ready_for_pickup, order.created, order.paid, order.shipped, order.cancelled]
  when: event.order.total > 10 and event.order.items_count
  lane: app
  to: event.order.responsible_user_ids
  thread: event.order.revision
  ttl: 12h
  wordings: [{title: "{{ order.total | money }}", text: "{{ order.public_id }} {{ event.occurred_at | day }}"}]
- id: bonus
  on: [bonus.accrued, bonus.spent, bonus.expiring]
  lane: app
  to: event.customer.phone
  ttl: 30d
  deliver_within: 1h
  wordings: [{title: "{{ bonus.amount | money }}", text: "{{ bonus.reason }}", link: "ducky://{{ bonus.order_id }}"}]
"""
ENVELOPES = (
    formats.record, formats.structured, formats.structured_in_base64, formats.binary, formats.change, formats.routed,
    formats.routed_text,
)  # fmt: skip


def events(dice: Random, inputs: int) -> Iterator[str]:
    """Planners that are given spoilt events, plain and in every envelope."""
    planners = _planners()
    seeds = [json.dumps(each, ensure_ascii=False).encode() for each in (order(), bonus())] * 4
    seeds += [case.payload.value or b"" for case in cases() if case.size < 2000]
    envelopes = [each(event) for each in ENVELOPES for event in formats.events(5, 1)]
    for number in range(inputs):
        headers = dice.choice(
            ((), (), ((dice.choice(("ce_id", "ce_type", "id", "é")), dice.choice((b"", b"\xff", b"1"))),))
        )
        if dice.random() < 0.5:
            record = Record(Position("shop.orders", 2, number), NOW, None, mutated(dice, seeds), headers)
        else:
            enveloped = dice.choice(envelopes)
            value = mutated(dice, [enveloped.value or b""])
            record = Record(
                Position(dice.choice(("t", "json", "debezium")), 0, 1), NOW, None, value, enveloped.headers + headers
            )
        for planner in planners:
            yield f"event {number} {given(partial(planner.plan, record))}"


def times(dice: Random, inputs: int) -> Iterator[str]:
    """Events of every time, with strange numbers, and what a replay would do with them."""
    planners = _planners()
    for number in range(inputs):
        records = []
        for each in range(6):
            year = dice.choice((1, 1900, 1969, 1970, 2026, 2255, 2256, 9999, 10_000))
            zone = dice.choice(("Z", "+14:00", "-23:59"))
            event = order(
                event_id=str(each),
                occurred_at=f"{year:04}-12-31T23:59:59.99999{dice.randrange(10)}{zone}",
                order__revision=dice.choice((None, *WHOLE)),
                order__items_count=dice.choice(WHOLE),
                order__total=dice.choice(("0", "-1", "1e30", "1e-30", "99999999999999999999.99", *TEXTS[:4])),
                order__responsible_user_ids=[dice.choice(WHOLE) for _ in range(3)],
            )
            at = dice.choice((NOW, 0.0, -0.001, 2.0**53, 1e18))
            records.append(Record(Position("shop.orders", 0, each), at, None, json.dumps(event).encode()))
            yield from (f"time {number} {given(partial(planner.plan, records[-1]))}" for planner in planners)
        yield from (f"time {number} {line}" for line in _forecast(Hindsight(3600.0), records))


def _planners() -> list[Planner]:
    night = ShopProfile("ducky", "ducky", quiet=QuietProfile(1320, 540))
    taken = Formats({each.value: SourceFormat(each) for each in (Format.JSON, Format.DEBEZIUM)})
    profile = LaneProfile("app", {"ducky": night}, default_shop="ducky", event_bytes_limit=USUAL_LIMIT, formats=taken)
    listed = LaneProfile("app", {"ducky": night}, Mode.ALLOW_LIST, frozenset({"123", "17"}))
    return [Planner(profile, routes(READY + ANY)), Planner(listed, routes(READY + ANY))]


def _forecast(hindsight: Hindsight, records: list[Record]) -> Iterator[str]:
    profile = LaneProfile("app", {"ducky": ShopProfile("ducky", "ducky")})
    loaded = routes(READY + ANY)
    outlook = Outlook(Foresight(profile, loaded), Planner(profile, loaded), hindsight, NOW + 60.0)
    forecast = Forecast(outlook, Asked("r", extend_ttl_seconds=3600.0))
    for record in records:
        yield given(partial(forecast.see, record, decode(record.value, USUAL_LIMIT)))
    pace = Pace(Capacity(1, 1000), Quota(10, 60.0))
    yield given(lambda: (forecast.told, forecast.people, forecast.tallies(), forecast.estimate(pace)))
    for record in records:
        yield given(partial(forecast.wanted, record, decode(record.value, USUAL_LIMIT), NOW))


def lines(inputs: int, seed: int) -> Iterator[str]:
    """Everything, of so many inputs of each kind."""
    for kind in (journals, desks, events, times):
        yield from kind(Random(seed), inputs)


def main() -> int:
    inputs, seed = map(int, sys.argv[1:])
    for line in lines(inputs, seed):
        sys.stdout.write(line.encode("unicode_escape").decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
