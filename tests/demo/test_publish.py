"""Publishing at a pace, with an honest account."""

import asyncio

from consumer.core.model import Position, Trouble
from consumer.demo.publish import Account, publish_all
from consumer.demo.shop import Headers, Publication


class Shelf:
    """Takes records until it has enough of them."""

    def __init__(self, room: int = 100) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.room = room

    async def publish(self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()) -> Position | Trouble:
        if len(self.taken) == self.room:
            return Trouble("broker_unreachable")
        self.taken.append((topic, value))
        return Position(topic, 0, len(self.taken) - 1)


def records(count: int, delay_seconds: float = 0.0) -> list[Publication]:
    return [
        Publication("shop.orders", None, bytes([n]), (), delay_seconds, "cut_json" if n == 1 else "")
        for n in range(count)
    ]


def clock() -> float:
    return 7.0


async def test_every_record_is_published_in_order_and_accounted_for_with_its_place() -> None:
    shelf, account = Shelf(), Account()
    await publish_all(shelf, records(3), clock, asyncio.Event(), account)
    assert [value for _, value in shelf.taken] == [b"\0", b"\1", b"\2"]
    assert [sent.position.offset for sent in account.sent] == [0, 1, 2]
    assert (account.poisoned, account.trouble) == (1, None)


async def test_a_trouble_ends_it_and_only_what_the_broker_took_counts_as_published() -> None:
    account = Account()
    await publish_all(Shelf(room=2), records(5), clock, asyncio.Event(), account)
    assert len(account.sent) == 2
    assert account.trouble == Trouble("broker_unreachable")


async def test_a_stop_ends_a_long_wait_at_once() -> None:
    account, stop = Account(), asyncio.Event()
    stop.set()
    await publish_all(Shelf(), records(5, delay_seconds=3600.0), clock, stop, account)
    assert account.sent == []
