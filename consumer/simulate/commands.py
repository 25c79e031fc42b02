"""The command `vestnik simulate`."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from consumer.core.model import Quota
from consumer.core.policies import POLICIES
from consumer.core.routes import RouteSet
from consumer.core.units import Seconds
from consumer.simulate.day import Closed
from consumer.simulate.plot import NEEDS, draw, is_drawable
from consumer.simulate.recorded import RecordedTraffic, Sample, SampleTraffic, lanes_of, read_routes
from consumer.simulate.report import as_document, as_table
from consumer.simulate.scenarios import PRESETS, Arrivals, Result, Run, Scenario, perform_all, preset
from consumer.simulate.traffic import Traffic

FAILED, USAGE = 1, 2
_TABLE_WIDTH = 132

# A data set by its folder, the day of it that is wanted, and its speed; or what is wrong with it, in words.
ReadSample = Callable[[Path, datetime | None, float], Sample | str]


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
Olist = Annotated[
    Path | None, typer.Option(file_okay=False, help="Instead of a made-up day: real orders, the Olist CSV files.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --olist: this day alone.")]
Speed = Annotated[float | None, typer.Option(min=0.001, help="With --olist: seconds of the data in one second.")]
Routes = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="The folder of routes: with --events; with --olist not the catalogue's."
    ),
]
Lane = Annotated[str | None, typer.Option(help="With --events or --olist: the lane, where the routes have several.")]
Errors = Annotated[
    float, typer.Option(min=0, max=100, help="Percent of requests that fail: half refused, half without an answer.")
]
Plot = Annotated[Path | None, typer.Option(dir_okay=False, help="Also draw the day into this file, a PNG.")]
Compare = Annotated[bool, typer.Option("--compare", help="All policies side by side.")]
Processes = Annotated[int, typer.Option(min=1, max=64, help="How many policies are simulated at once.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="For people, or for machines.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Where the messages are to come from; None where nobody said."""

    unique: float | None
    scale: float | None
    texts: float | None
    events: Path | None
    olist: Path | None
    routes: Path | None
    lane: str | None
    day: datetime | None
    speed: float | None


def add_to(app: typer.Typer, olist: ReadSample | None = None) -> None:
    """Register the command. `olist` reads the data set of that name, which is another room's to know."""
    app.command("simulate", context_settings={"obj": olist})(simulate)


def simulate(  # noqa: PLR0913 - the options of a command, each with a name of its own
    context: typer.Context,
    policy: Policies = None,
    preset_name: Annotated[str, typer.Option("--preset", help=_PRESETS)] = "day",
    seed: Seed = 1,
    requests: Requests = None,
    *,
    per: Per = None,
    unique: Unique = None,
    scale: Scale = None,
    texts: Texts = None,
    closed: ClosedAt = None,
    errors: Errors = 0.0,
    events: Events = None,
    olist: Olist = None,
    day: Day = None,
    speed: Speed = None,
    routes: Routes = None,
    lane: Lane = None,
    compare: Compare = False,
    processes: Processes = 1,
    plot: Plot = None,
    output: Output = Format.TABLE,
) -> None:
    """A day of messages through the lane's own rules, in virtual time: who is told in time, and in which wording."""
    names = _policies(policy, compare=compare)
    if preset_name not in PRESETS:
        _refuse(f'unknown preset "{preset_name}"; there are {", ".join(PRESETS)}')
    _check_plot(plot)
    usual = preset(preset_name, seed)
    asked = _Asked(unique, scale, texts, events, olist, routes, lane, day, speed)
    scenario = replace(
        usual,
        traffic=_traffic(usual.traffic, asked, context.obj),
        quota=_quota(usual.quota, requests, per),
        closed=_closed(closed) or usual.closed,
        errors_ratio=errors / 100.0,
    )
    results = _results([Run(name, scenario) for name in names], processes, output)
    told = _told(scenario, preset_name)
    _tell(results, told, output)
    if plot is not None:
        _draw(results, _title(results, told), plot)


def _check_plot(plot: Path | None) -> None:
    """Before a minute is spent on what could not be drawn."""
    if plot is None:
        return
    if plot.suffix.lower() != ".png":
        _refuse(f"--plot: {plot} is not the name of a PNG")
    if not plot.parent.is_dir():
        _refuse(f"--plot: there is no folder {plot.parent}")
    if not is_drawable():
        _refuse(NEEDS)


def _draw(results: Sequence[Result], title: str, plot: Path) -> None:
    try:
        draw(results, title, plot)
    except OSError as error:
        typer.echo(f"--plot: {plot} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(FAILED) from None


def _traffic(usual: Arrivals, asked: _Asked, read_sample: ReadSample | None) -> Arrivals:
    if asked.events is not None and asked.olist is not None:
        _refuse("say --events or --olist")
    if asked.olist is None and (asked.day, asked.speed) != (None, None):
        _refuse("--day and --speed belong to --olist")
    name = "--events" if asked.events else "--olist"
    if asked.events is None and asked.olist is None:
        if asked.routes is not None or asked.lane is not None:
            _refuse("--routes and --lane belong to --events or --olist")
        return _changed(usual, asked.unique, asked.scale, asked.texts)
    if (asked.unique, asked.scale, asked.texts) != (None, None, None):
        _refuse(f"--unique, --scale and --texts belong to a made-up day, not to {name}")
    return _recorded(asked.events, asked) if asked.events is not None else _sampled(asked, read_sample)


def _recorded(events: Path, asked: _Asked) -> RecordedTraffic:
    if asked.routes is None:
        _refuse("--events wants --routes, the folder of the routes that make messages of them")
    routes = _routes(asked.routes)
    return RecordedTraffic(events, routes, _lane(asked.lane, routes))


def _sampled(asked: _Asked, read_sample: ReadSample | None) -> SampleTraffic:
    if read_sample is None or asked.olist is None:
        _refuse("--olist is not known here")
    sample = read_sample(asked.olist, asked.day, asked.speed or 1.0)
    if isinstance(sample, str):
        _refuse(f"--olist: {sample}")
    if asked.routes is not None:
        routes = _routes(asked.routes)
        sample = replace(sample, routes=routes, lane=_lane(asked.lane, routes))
    elif asked.lane is not None:
        sample = replace(sample, lane=_lane(asked.lane, sample.routes))
    return SampleTraffic(sample)


def _routes(folder: Path) -> RouteSet:
    routes = read_routes(folder)
    if isinstance(routes, list):
        _refuse("\n".join(str(problem) for problem in routes))
    return routes


def _lane(lane: str | None, routes: RouteSet) -> str:
    lanes = lanes_of(routes)
    if lane is None and len(lanes) == 1:
        return lanes[0]
    if lane is None or lane not in lanes:
        _refuse(
            f"--lane: {'say which one' if lane is None else f'unknown lane {lane!r}'}: {', '.join(lanes) or 'none'}"
        )
    return lane


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


def _changed(traffic: Arrivals, unique: float | None, scale: float | None, texts: float | None) -> Traffic:
    if not isinstance(traffic, Traffic):
        raise TypeError("a preset is made up")
    return replace(
        traffic,
        unique=traffic.unique if unique is None else unique / 100.0,
        scale=traffic.scale if scale is None else scale,
        texts_scale=traffic.texts_scale if texts is None else texts,
    )


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
    # A table that is cut at the edge of a narrow terminal, or of none, would hide what was asked for.
    width = max(Console().width, _TABLE_WIDTH)
    Console(highlight=False, width=width).print(as_table(results, _title(results, told)))


def _title(results: Sequence[Result], told: Mapping[str, Any]) -> str:
    published = results[0].figures.whole.published
    title = f"{published:,} messages, {told['requests']} requests in {told['per_seconds']:g} s, seed {told['seed']}"
    if told["errors_ratio"]:
        title += f", {told['errors_ratio']:.1%} of requests fail"
    if results[0].read:
        title += "\n" + ", ".join(f"{count:,} {what}" for what, count in results[0].read.items())
    return title


def _told(scenario: Scenario, preset_name: str) -> dict[str, Any]:
    traffic = scenario.traffic
    return {
        "preset": preset_name if isinstance(traffic, Traffic) else None,
        "events": str(traffic.path) if isinstance(traffic, RecordedTraffic) else None,
        "olist": traffic.sample.name if isinstance(traffic, SampleTraffic) else None,
        "seed": scenario.seed,
        "requests": scenario.quota.requests,
        "per_seconds": scenario.quota.per_seconds,
        "errors_ratio": scenario.errors_ratio,
    }


def _refuse(what: str) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(USAGE)
