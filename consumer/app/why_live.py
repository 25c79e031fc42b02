"""Where commands are that wait just now, for `/api/why`: what stands in no topic, and nobody's address."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from consumer.app.masking import clipped
from consumer.app.state import State
from consumer.core.attempts import ID_BYTES
from consumer.core.explain import Waiting
from consumer.core.whereabouts import Where, Whereabouts

COMMANDS_ASKED = 50
GROUPS_SEARCHED = 500
_LANE_TOLD = (
    "state", "owner", "epoch", "blocked", "breaker", "holds", "gap_seconds", "quota_used", "quota_requests",
    "seconds_to_clear",
)  # fmt: skip


class Holds(Protocol):
    """A lane that can be asked for a command of its own, and for what goes out next."""

    def whereabouts(self, id_: bytes) -> Whereabouts | None: ...

    def open_groups(self, limit: int) -> Sequence[Waiting]: ...


def read_ids(texts: Sequence[str]) -> list[bytes] | str:
    """The ids of commands in hexadecimal digits, or what is wrong with them."""
    if not 0 < len(texts) <= COMMANDS_ASKED:
        return f"say command=ID, once or up to {COMMANDS_ASKED} times"
    try:
        ids = [bytes.fromhex(text) for text in texts]
    except ValueError:
        ids = []
    if not ids or any(len(id_) != ID_BYTES for id_ in ids):
        return f"the id of a command has {2 * ID_BYTES} hexadecimal digits"
    return ids


def live_report(lanes: Mapping[str, Holds], state: State, ids: Sequence[bytes], now: float) -> dict[str, Any]:
    """How each lane stands, and where it has the commands. `now` is wall-clock seconds."""
    told = state.report()["lanes"]
    return {
        "now": now,
        "lanes": {
            name: {key: told[name].get(key) for key in _LANE_TOLD if name in told} | {"commands": _commands(lane, ids)}
            for name, lane in lanes.items()
        },
    }


def _commands(lane: Holds, ids: Sequence[bytes]) -> dict[str, Any]:
    found = {id_.hex(): where for id_ in ids if (where := lane.whereabouts(id_)) is not None}
    groups = lane.open_groups(GROUPS_SEARCHED) if any(each.where is Where.OPEN for each in found.values()) else ()
    return {id_: _told(where, groups) for id_, where in found.items()}


def _told(where: Whereabouts, groups: Sequence[Waiting]) -> dict[str, Any]:
    told = where._asdict()
    del told["recipient"]
    told["where"] = str(where.where)
    told["title"] = clipped(where.title)
    told["positions"] = [list(position) for position in where.positions]
    told["goes_in_seconds"] = _goes_in(where, groups)
    return told


def _goes_in(where: Whereabouts, groups: Sequence[Waiting]) -> float | None:
    """When its group goes out as things stand; None where it is not among the first."""
    for group in groups:
        if where.where is Where.OPEN and (group.title, group.size) == (where.title, where.people):
            return round(group.goes_in_seconds, 1)
    return None
