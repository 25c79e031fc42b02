"""`vestnik lane`: how a lane stands and why it waits, asked of the process that runs it; pausing it, from anywhere."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import DEFAULT_CONFIG, FAILED, USAGE, ConfigPath, Format, OutputFormat, leave, load

if TYPE_CHECKING:
    from consumer.app.controlling import Wish
    from consumer.core.control import Order

Standing = Mapping[str, Any]


lane_app = typer.Typer(help="Look at a lane; pause it and let it go on.", no_args_is_help=True)
LaneId = Annotated[str, typer.Argument(help="The lane's id.", autocompletion=lanes)]
Who = Annotated[str | None, typer.Option(help="Who says so, for people; your user and host when left out.")]


@lane_app.command("show")
def lane_show(
    lane: LaneId,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="VESTNIK_CONFIG", help="Says where the admin port is.")
    ] = Path("vestnik.yaml"),
    url: Annotated[str | None, typer.Option(help="Ask here instead, e.g. http://127.0.0.1:9464.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="For people, or for machines.")] = Format.TABLE,
) -> None:
    """How a lane stands, or each of its shares: its state, why it is blocked, its quota, what waits and when that goes
    out. 1: no answer."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.asking import NO_PORT, Unfit, admin_address, checked_address, fetched  # noqa: PLC0415
    from consumer.core.shares import lane_of  # noqa: PLC0415
    from consumer.core.templates import nearest  # noqa: PLC0415

    address = admin_address(load(config, output)) if url is None else checked_address(url)
    if address is None or isinstance(address, Unfit):
        leave(NO_PORT if address is None else address.why, USAGE)
    report = asyncio.run(fetched(address))
    if isinstance(report, str):
        leave(report, FAILED)
    lanes = report["lanes"]
    shares = [name for name in lanes if name == lane or lane_of(name) == lane]
    if not shares:
        leave(f'{address} runs no lane "{lane}"; {nearest(lane, list(lanes))}', USAGE)
    if output is Format.JSON:
        plain = [{"lane": name, **lanes[name]} for name in shares]
        told.as_json(plain[0] if len(plain) == 1 else plain)
        return
    try:
        words = [(list(lines_of(name, lanes[name])), rows_of(lanes[name])) for name in shares]
    except (KeyError, TypeError, AttributeError):
        leave(f"{address} tells its state otherwise than this version; -o json prints it as it is", FAILED)
    for lines, rows in words:
        for line in lines:
            told.say(line)
        if rows:
            told.tell_columns(rows)


@lane_app.command("pause")
def lane_pause(
    lane: LaneId,
    reason: Annotated[str, typer.Option(help="Why, for people.")],
    until: Annotated[str | None, typer.Option(help="Go on by itself then: 2h, or 2026-12-31T18:00+03:00.")] = None,
    *,
    who: Who = None,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Send nothing more on this lane, on whatever machine it runs; what is on its way lands, and nothing is lost."""
    from consumer.app.controlling import Wish  # noqa: PLC0415

    order = _told(Wish(lane, paused=True, reason=reason, until=until, who=who), config, output)
    if output is Format.TABLE:
        typer.echo(f"{lane} is paused {order.words}. It goes on with: vestnik lane resume {lane}")


@lane_app.command("resume")
def lane_resume(
    lane: LaneId,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    who: Who = None,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Let the lane send again. Said to a lane that is not paused it does no harm."""
    from consumer.app.controlling import Wish  # noqa: PLC0415

    _told(Wish(lane, paused=False, reason=reason, who=who), config, output)
    if output is Format.TABLE:
        typer.echo(f"{lane} may send again.")


def _told(wish: "Wish", config: Path, output: Format) -> "Order":
    """Write the order and print it for machines; the end of the command when it cannot be given."""
    import asyncio  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from consumer.app import controlling, told  # noqa: PLC0415

    setup = load(config, output)
    order = controlling.ordered(setup, wish, datetime.now(UTC))
    if isinstance(order, str):
        leave(order, USAGE)
    trouble = asyncio.run(controlling.tell(setup, wish.lane, order))
    if trouble is not None:
        leave(f"the lane was not told: {trouble}", FAILED)
    if output is Format.JSON:
        told.as_json(controlling.plain(wish.lane, order))
    return order


# --- telling ----------------------------------------------------------------------------------------------------------


def lines_of(name: str, lane: Standing) -> Iterator[str]:
    """The lane in sentences; what its report does not have is left out."""
    epoch = f", epoch {lane['epoch']}" if lane.get("epoch") else ""
    yield f"{name}: {lane.get('state', 'unknown')}{epoch}; {lane.get('provider')}, {lane.get('mode')}"
    yield from _troubles(lane)
    if "holds" in lane:
        yield from _gauges(lane)
    if "told_last_minute" in lane:
        yield f"told in the last minute: {lane['told_last_minute']}"


def _troubles(lane: Standing) -> Iterator[str]:
    from consumer.app.masking import clipped  # noqa: PLC0415
    from consumer.app.page.words import spelt  # noqa: PLC0415

    for each in lane.get("blocked", ()):
        yield f"blocked for {spelt(each['seconds'])}: {clipped(' '.join((each['reason'], each['detail'])).rstrip())}"
    for each in lane.get("streams", ()):
        words = clipped(f"{each['reason']} {each['detail']}".rstrip())
        yield f"{each['stream']} in trouble for {spelt(each['seconds'])}: {words}"
    if breaker := lane.get("breaker"):
        yield f"breaker open for {spelt(breaker['seconds'])}: {clipped(breaker['reason'])}"


def _gauges(lane: Standing) -> Iterator[str]:
    from consumer.app.page.words import spelt  # noqa: PLC0415

    quota = f"{lane['quota_used']} of {lane['quota_requests']} requests" if lane["quota_requests"] else "none"
    gap = f", one every {lane['gap_seconds']:g} s" if lane["quota_requests"] else ""
    yield f"held by: {lane['holds']}; quota: {quota}{gap}"
    yield (
        f"waiting: {lane['waiting']} in {lane['groups']} groups, parked {lane['parked']},"
        f" in flight {lane['in_flight']}, in doubt {lane['in_doubt']}"
    )
    oldest, clear = spelt(lane["oldest_waiting_seconds"]), spelt(lane["seconds_to_clear"])
    yield f"oldest: {oldest}; to clear: {clear}; lag: {lane['lag_records']} records, {spelt(lane['lag_seconds'])}"


_HEADINGS = ("rank", "people", "age", "left", "goes in", "wording", "message")


def rows_of(lane: Standing) -> Sequence[Sequence[str]]:
    """The open groups as a table with its headings, in the order in which they go out; empty when none are told."""
    groups = lane.get("open_groups") or ()
    return [_HEADINGS, *map(_row, groups)] if groups else []


def _row(group: Standing) -> Sequence[str]:
    from consumer.app.masking import clipped  # noqa: PLC0415
    from consumer.app.page.words import spelt  # noqa: PLC0415

    left = group["slack_seconds"]
    return (
        str(group["rank"]),
        str(group["size"]),
        spelt(group["age_seconds"]),
        spelt(left) if left >= 0 else f"late {spelt(-left)}",
        spelt(group["goes_in_seconds"]),
        "in full" if group["level"] == 0 else f"step {group['level']}",
        clipped(str(group["title"])),
    )
