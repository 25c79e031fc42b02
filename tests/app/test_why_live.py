"""Where commands wait, asked of the admin port: nobody's address, and no more than was asked."""

from collections.abc import Sequence

import aiohttp
import pytest

from consumer.app.admin import Admin, AdminSettings
from consumer.app.families import Expected
from consumer.app.metrics import Metrics
from consumer.app.state import LaneSheet, State
from consumer.app.why_live import COMMANDS_ASKED, live_report, read_ids
from consumer.core import facts
from consumer.core.explain import Waiting
from consumer.core.model import Position
from consumer.core.whereabouts import Where, Whereabouts
from tests.app.support import PHONE, Hand, sample

OPEN, ASLEEP, STRANGE = b"\1" * 12, b"\2" * 12, b"\3" * 12
PLACE = (Position("shop.orders", 0, 7),)


class Lane:
    """Has one command that waits for its turn, and one that sleeps."""

    def __init__(self) -> None:
        told = ("order-paid", PHONE, 1.0, 90.0, PLACE)
        self._held = {
            OPEN: Whereabouts(Where.OPEN, *told, f"Paid {PHONE}", people=3, oldest=1.0),
            ASLEEP: Whereabouts(Where.ASLEEP, *told, until=80.0),
        }

    def whereabouts(self, id_: bytes) -> Whereabouts | None:
        return self._held.get(id_)

    def open_groups(self, limit: int) -> Sequence[Waiting]:
        other = Waiting("Other", 0, 3, 1.0, 1.0, 0, 0.0)
        return (other, Waiting(f"Paid {PHONE}", 0, 3, 5.0, 60.0, 2, 12.04))[:limit]


def standing() -> State:
    state = State([LaneSheet("app-push", "imshop", "live")], Hand(), Hand())
    state.see(sample(facts.LaneGauges, holds="quota", gap_seconds=6.0))
    return state


def test_a_lane_tells_where_the_command_is_and_what_holds_the_lane() -> None:
    report = live_report({"app-push": Lane()}, standing(), [OPEN, ASLEEP, STRANGE], 5.0)
    lane = report["lanes"]["app-push"]
    assert (lane["holds"], lane["gap_seconds"]) == ("quota", 6.0)
    assert set(lane["commands"]) == {OPEN.hex(), ASLEEP.hex()}
    waiting = lane["commands"][OPEN.hex()]
    assert (waiting["where"], waiting["people"], waiting["goes_in_seconds"]) == ("open", 3, 12.0)
    assert waiting["positions"] == [["shop.orders", 0, 7]]
    assert (lane["commands"][ASLEEP.hex()]["until"], lane["commands"][ASLEEP.hex()]["goes_in_seconds"]) == (80.0, None)
    assert PHONE not in str(report)


@pytest.mark.parametrize("texts", [[], ["xyz"], ["00"], ["00" * 12] * (COMMANDS_ASKED + 1)])
def test_what_is_no_command_is_refused_in_words(texts: list[str]) -> None:
    assert isinstance(read_ids(texts), str)


async def test_the_admin_port_answers_for_commands_and_refuses_the_rest() -> None:
    state, lane = standing(), Lane()
    admin = Admin(
        AdminSettings(port=0),
        state,
        Metrics(Expected((), (), "1", "abc")),
        lambda ids: live_report({"app-push": lane}, state, ids, 5.0),
    )
    assert await admin.start() is None
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{admin.port}") as session:
            async with session.get("/api/why", params={"command": OPEN.hex()}) as answer:
                assert (answer.status, OPEN.hex() in await answer.text()) == (200, True)
            async with session.get("/api/why") as answer:
                assert (answer.status, "command=ID" in await answer.text()) == (400, True)
            async with session.get("/api/why", params={"command": "0" * 20_000}) as answer:
                assert answer.status == 400
    finally:
        await admin.stop()
