"""When something befalls a process: at which call of an adapter, or how its lane stands then."""

from collections.abc import Callable

from consumer.engine.view import LaneView

CALLS = (
    "source.poll",
    "source.poll",
    "source.commit",
    "source.commit",
    "source.seek",
    "source.committed",
    "source.extents",
    "source.fetch",
    "journal.append",
    "journal.append",
    "journal.append",
    "journal.read",
    "journal.rewind",
    "dead_letters.append",
    "table.read",
    "sink.ready",
    "sink.send",
    "sink.send",
)

MOMENTS: dict[str, Callable[[LaneView], bool]] = {
    "standby": lambda view: view.state == "standby",
    "recovering": lambda view: view.state == "recovering",
    "in flight": lambda view: view.requests_in_flight > 0,
    "quota": lambda view: view.holds == "quota" and view.waiting > 0,
    "in doubt": lambda view: view.in_doubt > 0,
    "blocked": lambda view: bool(view.blockages),
    "asleep": lambda view: view.parked > 0,
}
