"""`vestnik lag`: how far each lane is behind, and how long its quota needs for that."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    ConfigPath,
    Format,
    OutputFormat,
    admin_ports_or_own,
    brokers,
    known_lanes,
    load,
    partly,
)

if TYPE_CHECKING:
    from consumer.app.lagging import LaneLag, PartitionLag

CLEAR = "\x1b[H\x1b[2J"
HEADINGS = ("topic", "partition", "committed", "read", "end", "records", "seconds")

Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url", help="Admin port of a process to ask too; the configuration's when left out. May be repeated."
    ),
]


def lag(
    lane: Annotated[list[str] | None, typer.Argument(help="Only these lanes.", autocompletion=lanes)] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
    url: Urls = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks of --watch.")] = 5.0,
) -> None:
    """How far each lane is behind: records, seconds, what is committed, who owns it, seconds to clear by its quota.

    It asks Kafka, so that it answers when no process runs; a running owner that is reached tells what it has read.

    1: no lane could be looked at; 3: some could not.
    """
    import asyncio  # noqa: PLC0415

    from consumer.app.lagging import lags  # noqa: PLC0415

    setup = load(config, output)
    brokers(setup)
    wanted, addresses = known_lanes(setup, lane), admin_ports_or_own(setup, url)
    pause = threading.Event()
    try:
        while True:
            found = asyncio.run(lags(setup, wanted, addresses, time.time()))
            _tell(found, output, watched=watch)
            if not watch:
                break
            pause.wait(every)
    except KeyboardInterrupt:
        raise typer.Exit(FINE if watch else FAILED) from None
    raise typer.Exit(partly(sum(bool(each.trouble) for each in found), len(found)))


def _tell(found: Sequence["LaneLag"], output: Format, *, watched: bool) -> None:
    """Tables, on a cleared screen when they are watched there; or JSON, one line a look when it is watched."""
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415

    if output is Format.JSON:
        plain = [plain_lag(each) for each in found]
        if watched:
            typer.echo(json.dumps(plain, ensure_ascii=False))
        else:
            told.as_json(plain)
        return
    if watched and sys.stdout.isatty():
        typer.echo(CLEAR, nl=False)
    for each in found:
        tell_lane(each)


def plain_lag(lane: "LaneLag") -> dict[str, Any]:
    """A lane for machines; sums beside the partitions."""
    from dataclasses import asdict  # noqa: PLC0415

    paused = lane.paused.model_dump(mode="json") if lane.paused is not None else None
    sums = {"records": lane.records, "seconds": round(lane.seconds, 3)}
    return {**asdict(lane), "paused": paused, **sums}


def tell_lane(lane: "LaneLag") -> None:
    """A lane for people."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.masking import clipped  # noqa: PLC0415
    from consumer.app.page.words import spelt  # noqa: PLC0415

    if lane.trouble:
        told.complain(f"{lane.lane}: {lane.trouble}")
        return
    told.say(f"{lane.lane}: {lane.records} records, {spelt(lane.seconds)} behind; to clear: {_clear(lane)}")
    told.say(f"  {_owner(lane)}")
    if lane.paused is not None:
        told.say(f"  paused {clipped(lane.paused.words)}")
    if gone := sum(each.gone for each in lane.partitions):
        told.say(f"  {gone} records are gone: the topic kept them for a shorter time than the lane needed")
    told.tell_columns([HEADINGS, *map(_row, lane.partitions)])


def _clear(lane: "LaneLag") -> str:
    from consumer.app.page.words import spelt  # noqa: PLC0415

    if lane.clear_seconds is None:
        return "no quota"
    waiting = "" if lane.waiting is None else f"{lane.waiting} commands wait; "
    return f"{spelt(lane.clear_seconds)} ({waiting}estimated at {lane.people:.3g} people a request)"


def _owner(lane: "LaneLag") -> str:
    owner = lane.owner
    claim = (
        f"epoch {owner.epoch}, claimed by {owner.member or 'a member of long ago'}" if owner.epoch else "never claimed"
    )
    holder = f"owner at {owner.host}" if owner.host else f"nobody owns it (its group is {owner.group or 'unknown'})"
    standbys = f", {len(owner.standbys)} standing by at {', '.join(owner.standbys)}" if owner.standbys else ""
    return f"{holder}; {claim}{standbys}"


def _row(each: "PartitionLag") -> Sequence[str]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}"

    return (
        each.topic,
        str(each.partition),
        shown(each.committed),
        shown(each.read),
        str(each.end),
        shown(each.records),
        shown(each.seconds),
    )
