"""The command `vestnik simulate`."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from consumer.core.model import Quota
from consumer.core.policies import POLICIES
from consumer.core.units import Seconds
from consumer.simulate.day import Closed
from consumer.simulate.recorded import RecordedTraffic, lanes_of, read_routes
from consumer.simulate.report import as_document, as_table
from consumer.simulate.scenarios import PRESETS, Result, Run, Scenario, perform_all, preset
from consumer.simulate.traffic import Traffic

USAGE = 2
_TABLE_WIDTH = 132


class Format(StrEnum):
    """How the command prints."""

    TABLE = "table"
    JSON = "json"


_PRESETS = f"A day: {', '.join(PRESETS)}. The options below change it."
_POLICIES = f"Once or several times: {', '.join(POLICIES)}."

Policies = Annotated[list[str] | None, typer.Option("--policy", "-p", help=_POLICIES)]
Seed = Annotated[int, typer.Option(help="One seed is one day.")]
Requests = Annotated[int | None, typer.Option(min=1, help="How many requests the quota allows …")]
Per = Annotated[str | None, typer.Option(help="… in what time, e.g. 60s.")]
Unique = Annotated[float | None, typer.Option(min=0, max=100, help="Percent of messages with a text of their own.")]
Scale = Annotated[float | None, typer.Option(min=0.0001, max=100, help="Times as many messages as the plain day has.")]
Texts = Annotated[float | None, typer.Option(min=0.01, max=100, help="Times as many texts.")]
ClosedAt = Annotated[str | None, typer.Option("--closed", help="When the gate grants nothing, e.g. 12:00-13:00.")]
Events = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Instead of a made-up day: records or events, JSON lines."),
]
Routes = Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="With --events: the folder of routes.")]
Lane = Annotated[str | None, typer.Option(help="With --events: the lane, where the routes have several.")]
Compare = Annotated[bool, typer.Option("--compare", help="All policies side by side.")]
Processes = Annotated[int, typer.Option(min=1, max=64, help="How many policies are simulated at once.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="For people, or for machines.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("simulate")(simulate)


def simulate(  # noqa: PLR0913 - the options of a command, each with a name of its own
    policy: Policies = None,
    preset_name: Annotated[str, typer.Option("--preset", help=_PRESETS)] = "day",
    seed: Seed = 1,
    requests: Requests = None,
    per: Per = None,
    *,
    unique: Unique = None,
    scale: Scale = None,
    texts: Texts = None,
    closed: ClosedAt = None,
    events: Events = None,
    routes: Routes = None,
    lane: Lane = None,
    compare: Compare = False,
    processes: Processes = 1,
    output: Output = Format.TABLE,
) -> None:
    """A day of messages through the lane's own rules, in virtual time: who is told in time, and in which wording."""
    names = _policies(policy, compare=compare)
    if preset_name not in PRESETS:
        _refuse(f'unknown preset "{preset_name}"; there are {", ".join(PRESETS)}')
    scenario = preset(preset_name, seed)
    scenario = replace(scenario, quota=_quota(scenario.quota, requests, per), closed=_closed(closed) or scenario.closed)
    if events is not None:
        if unique is not None or scale is not None or texts is not None:
            _refuse("--unique, --scale and --texts belong to a made-up day, not to --events")
        scenario = replace(scenario, traffic=_recorded(events, routes, lane))
    else:
        if routes is not None or lane is not None:
            _refuse("--routes and --lane belong to --events")
        scenario = replace(scenario, traffic=_changed(scenario.traffic, unique, scale, texts))
    results = _results([Run(name, scenario) for name in names], processes, output)
    _tell(results, _told(scenario, preset_name), output)


def _policies(asked: Sequence[str] | None, *, compare: bool) -> list[str]:
    if compare:
        return list(dict.fromkeys([*POLICIES, *(asked or [])]))
    for name in asked or ():
        if name not in POLICIES:
            _refuse(f'unknown policy "{name}"; there are {", ".join(POLICIES)}')
    return list(dict.fromkeys(asked or ["turn"]))


def _quota(usual: Quota, requests: int | None, per: str | None) -> Quota:
    return Quota(requests or usual.requests, usual.per_seconds if per is None else _seconds(per))


def _seconds(text: str) -> float:
    try:
        seconds: float = TypeAdapter(Seconds).validate_python(text)
    except ValidationError as invalid:
        _refuse(f"--per: {invalid.errors()[0]['msg']}")
    if seconds <= 0:
        _refuse("--per: a quota is counted in a time longer than nothing")
    return seconds


_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")


def _closed(text: str | None) -> Closed | None:
    if text is None:
        return None
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        _refuse(f'--closed: "{text}" is not like 12:00-13:00')
    hours, minutes, hours_until, minutes_until = map(int, match.groups())
    closed = Closed(hours * 3600.0 + minutes * 60.0, hours_until * 3600.0 + minutes_until * 60.0)
    if closed.since >= closed.until:
        _refuse("--closed: it must end after it begins")
    return closed


def _changed(traffic: object, unique: float | None, scale: float | None, texts: float | None) -> Traffic:
    if not isinstance(traffic, Traffic):
        raise TypeError("a preset is made up")
    return replace(
        traffic,
        unique=traffic.unique if unique is None else unique / 100.0,
        scale=traffic.scale if scale is None else scale,
        texts_scale=traffic.texts_scale if texts is None else texts,
    )


def _recorded(events: Path, folder: Path | None, lane: str | None) -> RecordedTraffic:
    if folder is None:
        _refuse("--events wants --routes, the folder of the routes that make messages of them")
    routes = read_routes(folder)
    if isinstance(routes, list):
        _refuse("\n".join(str(problem) for problem in routes))
    lanes = lanes_of(routes)
    if lane is None and len(lanes) == 1:
        lane = lanes[0]
    if lane not in lanes:
        _refuse(
            f"--lane: {'say which one' if lane is None else f'unknown lane {lane!r}'}: {', '.join(lanes) or 'none'}"
        )
    return RecordedTraffic(events, routes, lane)


def _results(runs: Sequence[Run], processes: int, output: Format) -> list[Result]:
    console = Console(stderr=True, highlight=False)
    results: list[Result] = []
    with console.status("simulating …") as status:
        for result in perform_all(runs, min(processes, len(runs), os.cpu_count() or 1)):
            results.append(result)
            status.update(f"simulating: {len(results)} of {len(runs)} policies …")
    return results


def _tell(results: Sequence[Result], told: Mapping[str, Any], output: Format) -> None:
    if output is Format.JSON:
        told = {**told, "read": dict(results[0].read)}
        typer.echo(json.dumps(as_document(results, told), ensure_ascii=False, indent=2))
        return
    published = results[0].figures.whole.published
    title = f"{published:,} messages, {told['requests']} requests in {told['per_seconds']:g} s, seed {told['seed']}"
    if results[0].read:
        title += "\n" + ", ".join(f"{count:,} {what}" for what, count in results[0].read.items())
    # A table that is cut at the edge of a narrow terminal, or of none, would hide what was asked for.
    width = max(Console().width, _TABLE_WIDTH)
    Console(highlight=False, width=width).print(as_table(results, title))


def _told(scenario: Scenario, preset_name: str) -> dict[str, Any]:
    traffic = scenario.traffic
    made_up = isinstance(traffic, Traffic)
    return {
        "preset": preset_name if made_up else None,
        "events": None if made_up else str(getattr(traffic, "path", "")),
        "seed": scenario.seed,
        "requests": scenario.quota.requests,
        "per_seconds": scenario.quota.per_seconds,
    }


def _refuse(what: str) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(USAGE)
