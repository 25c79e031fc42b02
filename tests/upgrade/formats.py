"""Every format that we write and must be able to read for ever, as this version writes it.

`python -m tests.upgrade.formats` writes the golden files of the version in `VERSION`. It is run once for each version
that changes a format, and never again for one that is out: what stands in topics out there cannot be mended.
"""

import json
from pathlib import Path
from typing import Any

from consumer.core.backfill import Backfilled, next_life
from consumer.core.control import Order, order_row
from consumer.core.model import Planned, Position, Record, Rejection
from consumer.core.plan import LaneProfile
from consumer.core.ports import DeadLetter
from consumer.core.sending import Sending, sending_of
from consumer.core.suppressions import Suppression, suppression_row
from consumer.sinks.seal import key_of, seal
from consumer.streams.codec import encoded
from consumer.streams.letters import cut, letter_headers
from schemas.journal import (
    AnyRecord,
    Attempt,
    AttemptParcel,
    Claim,
    Columns,
    Landing,
    Outcomes,
    Parked,
    ParkedQuiet,
    ParkedTerms,
    Repeat,
    SentMessage,
)
from tests.core.planning import SHOPS, bonus, order, planner, record

GOLDEN = Path(__file__).resolve().parents[1] / "schemas" / "golden"
VERSION = "0.1.0"
SECRET = "a secret of the golden files, long enough"
PLACE = b"app-push"

A, B = "0102030405060708090a0b0c", "1112131415161718191a1b1c"
ROUTES = """
- id: order-ready
  on: order.ready_for_pickup
  lane: app
  thread: event.order.id
  ttl: 12h
  wordings: [{title: "Заказ", text: "готов"}]
- id: staff
  on: order.ready_for_pickup
  lane: app
  to: event.order.responsible_user_ids
  ttl: 12h
  wordings: [{title: "Заказ", text: "готов"}]
- id: accrued
  on: bonus.accrued
  lane: app
  ttl: 12h
  wordings: [{title: "Бонусы", text: "{{ bonus.amount | number }}"}]
"""


def _columns(*ids: str) -> Columns:
    return Columns(
        ids=list(ids),
        digests=["deadbeef" for _ in ids],
        routes=["order-ready" for _ in ids],
        recipients=[f"7999123456{number}" for number, _ in enumerate(ids)],
        threads=["0123456789abcdef", None][: len(ids)],
        ranks=[1_788_246_900_000_000 + number for number, _ in enumerate(ids)],
        arrived=[1_788_246_900.25 for _ in ids],
        deadlines=[1_788_290_100.5 for _ in ids],
        positions=[[("shop.orders", 2, 7 + number), ("shop.orders", 0, 1)] for number, _ in enumerate(ids)],
        quiets=[(1320, 480, "Europe/Moscow", True), None] if len(ids) > 1 else [],
    )


_FIRST = SentMessage(
    title="Заказ М-428", text="ждёт вас 🦆", link="ducky://account/orders/1", image="https://i.example/1"
)
_SECOND = SentMessage(title="", text="Заказ готов")


def journal_records() -> list[AnyRecord]:
    """One of each kind, with something in every field, and the short forms."""
    return [
        Claim(epoch=7, member="host-1:42:0a1b2c3d"),
        Attempt(
            id="7.1",
            epoch=7,
            parcels=[
                AttemptParcel(message=_FIRST, wording=0, commands=_columns(A), more=True),
                AttemptParcel(message=_SECOND, wording=1, commands=_columns(B)),
            ],
            on_unsure="repeat",
            marketing=["order-ready"],
            part=2,
            parts=3,
        ),
        Attempt(id="7.2", epoch=7, parcels=[AttemptParcel(message=_SECOND, wording=0, commands=_columns(A, B))]),
        Landing(attempt="7.1", epoch=7, verdict="delivered", outcome="delivered"),
        Landing(
            attempt="7.2",
            epoch=7,
            verdict="mixed",
            reason="partial",
            outcomes=["delivered", None],
            doubtful=[B],
            tried=True,
        ),
        Landing(attempt="7.3", epoch=7, verdict="withdrawn", reason="superseded_owner"),
        Repeat(attempt="7.4", epoch=7, sent=True, reason="timeout"),
        Outcomes(
            epoch=7, outcome="expired", reason="late", ids=[A, B], digests=["deadbeef"] * 2, routes=["order-ready"] * 2
        ),
        Parked(
            epoch=7,
            reason="quiet_hours",
            terms=[ParkedTerms(route="order-ready", priority="low", deliver_within_seconds=300.0, on_unsure="stop")],
            ladders=[[_FIRST, _SECOND]],
            quiets=[ParkedQuiet(start=1320, end=540, zone="Europe/Moscow", drop=False)],
            commands=_columns(A, B),
            until=[1_788_250_000.0, 1_788_250_000.5],
            term=[0, 0],
            rung=[0, 0],
            quiet=[0, None],
        ),
    ]


def _letter() -> DeadLetter:
    original = Record(
        Position("shop.orders", 2, 7), 1_788_246_905.25, b"123", b'{"a": 1}',
        (("trace", b"x"), ("vestnik-redrives", b"1")),
    )  # fmt: skip
    return DeadLetter("app-push", original, Rejection(f"{A}-refused", "refused", "no such user", "order-ready"), A)


def _headers(headers: tuple[tuple[str, bytes], ...]) -> list[list[str]]:
    return [[name, value.decode()] for name, value in headers]


def _backfilled() -> Backfilled:
    original = Record(Position("shop.orders", 2, 7), 1_788_246_905.25, b"123", b"{}", (("trace", b"x"),))
    revived = frozenset({bytes.fromhex(A), bytes.fromhex(B)})
    routes = frozenset({"order-ready", "staff"})
    return Backfilled(original, "replay-1", routes, True, 3600.5, revived, 1, f"{A}-refused")


def _order() -> Order:
    return Order.model_validate_json(
        '{"paused": true, "who": "ann@host", "reason": "стоп", '
        '"since": "2026-09-01T10:15:00Z", "until": "2026-09-01T12:15:00Z"}'
    )


def _suppression() -> Suppression:
    return Suppression.model_validate_json(
        '{"reason": "asked", "until": "2026-09-01T12:15:00Z", "lanes": ["app-push"]}'
    )


def _row(row: tuple[bytes, bytes | None]) -> dict[str, str | None]:
    key, value = row
    return {"key": key.decode(), "value": None if value is None else value.decode()}


def ids() -> dict[str, str]:
    """What is told to whom, and the id that it has for ever."""
    found: dict[str, str] = {}
    events = {
        "by event id": order(),
        "by what it says": order(event_id=...),
        "by what it says, without a revision": order(event_id=..., order__revision=...),
        "without a source": order(source=...),
        "bonus by event id": bonus(),
        "bonus by what it says": bonus(event_id=...),
    }
    lane = planner(ROUTES, LaneProfile("app", SHOPS))
    for what, event in events.items():
        made = lane.plan(record(event))
        assert isinstance(made, Planned)
        for command in made.commands:
            name = f"{what}: {command.terms.route} to {command.recipient}"
            found[name] = command.id.hex()
            found[f"{name}: thread"] = "" if command.thread is None else f"{command.thread:016x}"
    return found | _other_ids()


def _other_ids() -> dict[str, str]:
    key, value, headers = _sending().to_record()
    sent = sending_of(Record(Position("vestnik.backfill.app", 0, 1), 1.0, key, value, headers), "app", 60.0)
    bad = planner(ROUTES, LaneProfile("app", SHOPS)).plan(record(order(order__delivery__storage_until="9999-99-99")))
    return {
        "a message of vestnik send": sent.id.hex() if hasattr(sent, "id") else "",
        "the next life of a command": next_life(bytes.fromhex(A)).hex(),
        "an unreadable record": bad.rejection.id if hasattr(bad, "rejection") else "",
        "whom not to tell": suppression_row(b"a key for the tests", "79991234567", None)[0].decode(),
    }


def _sending() -> Sending:
    return Sending(id="0123456789abcdef", recipient="79991234567", title="Проба", text="Это проба", link="ducky://home")


def _lines(values: list[Any]) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n" for value in values).encode()


def sealed() -> bytes:
    """A pair under the golden secret; each time other bytes, for each has a nonce of its own."""
    key = key_of(SECRET)
    assert key is not None
    return seal(key, PLACE, b'{"access_token": "a", "refresh_token": "b"}')


def written() -> dict[str, bytes]:
    """Each golden file but that of sealed tokens, as today's code writes it."""
    letter = _letter()
    key, value, headers = _sending().to_record()
    return {
        "journal.jsonl": b"".join(encoded(each) + b"\n" for each in journal_records()),
        "dead_letter.jsonl": _lines(
            [_headers(letter_headers(letter)), _headers(cut(letter_headers(letter), b"x" * 100_000)[0])]
        ),
        "backfill.jsonl": _lines([_headers(_backfilled().to_headers())]),
        "send.jsonl": _lines([{"key": key.decode(), "value": value.decode(), "headers": _headers(headers)}]),
        "control.jsonl": _lines([_row(order_row("app-push", _order()))]),
        "suppressions.jsonl": _lines(
            [
                _row(suppression_row(b"a key for the tests", "79991234567", _suppression())),
                _row(suppression_row(b"a key for the tests", "79991234567", Suppression())),
                _row(suppression_row(b"a key for the tests", "79991234567", None)),
            ]
        ),
        "ids.json": (json.dumps(ids(), ensure_ascii=False, indent=1) + "\n").encode(),
    }


def main() -> None:
    """Write the golden files of `VERSION`; what is there stays, but for files that are not."""
    folder = GOLDEN / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (written() | {"token.hex": sealed().hex().encode() + b"\n"}).items():
        if not (folder / name).exists():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
