"""`vestnik dead`: the letters that need a person, listed, counted, shown, exported, and sent on their way again."""

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, TypeVar

import typer

from consumer.app.commands.dead_choosing import choosing
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    PARTLY,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    brokers,
    leave,
    load,
)

if TYPE_CHECKING:
    from consumer.app.dead import Shelf
    from consumer.app.dead_redrive import Asked, Survey
    from consumer.app.setup import Setup
    from consumer.core.redrive import Wanted

T = TypeVar("T")

dead_app = typer.Typer(help="Dead letters: what needs a person, and why.", no_args_is_help=True)


Reveal = Annotated[bool, typer.Option("--reveal", help="Show customers' data as it is.")]
Letters = Annotated[list[str] | None, typer.Argument(help="Letters by id, or by its beginning; all without one.")]


@dead_app.command("list")
@choosing
def dead_list(
    wanted: "Wanted",
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """The letters, the newest first."""
    from consumer.app import dead_told, told  # noqa: PLC0415

    setup = load(config, output)
    dead_told.tell_letters(_shelf(setup, wanted).letters, limit, told.Output(output))


@dead_app.command("stats")
@choosing
def dead_stats(wanted: "Wanted", *, config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """How many there are by reason, lane and route, when the first and the last died, and what to do."""
    from consumer.app import dead_told, told  # noqa: PLC0415

    setup = load(config, output)
    dead_told.tell_tallies(_shelf(setup, wanted).letters, told.Output(output))


@dead_app.command("show")
def dead_show(
    letter: Annotated[str, typer.Argument(help="The letter's id, or its beginning.")],
    *,
    reveal: Reveal = False,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """One letter: why it died, what to do about it, and the original record."""
    import asyncio  # noqa: PLC0415

    from consumer.app import dead_calls, dead_told, told  # noqa: PLC0415

    setup = load(config, output)
    found, lives = _or_leave(asyncio.run(dead_calls.shown(setup, brokers(setup), letter)))
    dead_told.tell_letter(found, lives, told.Output(output), reveal=reveal)


@dead_app.command("export")
@choosing
def dead_export(
    wanted: "Wanted",
    *,
    file: Annotated[Path | None, typer.Option("--file", help="Write here; to standard output without it.")] = None,
    reveal: Reveal = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """JSON lines, each with the original byte for byte. They have customers' data in them, so say --reveal."""
    import asyncio  # noqa: PLC0415

    from consumer.app import dead_calls, told  # noqa: PLC0415

    if not reveal:
        leave("an export has the originals, with customers' data in them: say --reveal if you may have it", USAGE)
    setup = load(config, Format.JSON)
    settings = brokers(setup)
    with nullcontext(sys.stdout) if file is None else _private(file) as sink:
        count = _or_leave(asyncio.run(dead_calls.export(setup, settings, wanted, sink.write)))
    if file is not None:
        told.say(f"Wrote {count:,} letters into {file}.")


@dead_app.command("redrive")
@choosing
def dead_redrive(  # noqa: PLR0913 - the options of a command, each with a name of its own
    wanted: "Wanted",
    letters: Letters = None,
    *,
    send: Annotated[bool, typer.Option("--send", help="Do it. Without it nothing is written.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more above 1,000 messages.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what was redriven already.")] = False,
    max_redrives: Annotated[int, typer.Option(min=1, max=20, help="How often one record goes out again.")] = 2,
    extend_ttl: Annotated[
        str | None, typer.Option(help="Tell news that is so much older than its ttl, e.g. 6h.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Send letters on their way again, through their lanes' backfill topics. A dry run, unless --send is said."""
    import asyncio  # noqa: PLC0415

    from consumer.app import dead_calls, dead_told, told  # noqa: PLC0415

    setup = load(config, output)
    asked = replace(_asked(wanted, extend_ttl), max_redrives=max_redrives, again=again)
    settings, names = brokers(setup), letters or ()
    agreed = partial(_agreed, send=send, yes=yes)
    survey = _or_leave(asyncio.run(dead_calls.redrive(setup, settings, asked, names, agreed)))
    dead_told.tell_survey(survey, asked.run, told.Output(output), sent=send)
    raise typer.Exit(_code(survey, sent=send))


# --- what was asked ---------------------------------------------------------------------------------------------------


def _asked(wanted: "Wanted", extend_ttl: str | None) -> "Asked":
    import secrets  # noqa: PLC0415
    import time  # noqa: PLC0415

    from consumer.app.dead_redrive import Asked  # noqa: PLC0415
    from consumer.core.units import parse_seconds  # noqa: PLC0415

    try:
        seconds = 0.0 if extend_ttl is None else parse_seconds(extend_ttl)
    except ValueError as error:
        leave(f"--extend-ttl: {error}", USAGE)
    return Asked(wanted, time.time(), secrets.token_hex(4), extend_ttl_seconds=seconds)


def _shelf(setup: "Setup", wanted: "Wanted") -> "Shelf":
    import asyncio  # noqa: PLC0415

    from consumer.app import dead_calls  # noqa: PLC0415

    return _or_leave(asyncio.run(dead_calls.read(setup, brokers(setup), wanted)))


def _or_leave(result: T | str) -> T:
    """What was found, or the end of the command with the reason why nothing was."""
    if isinstance(result, str):
        leave(result, FAILED)
    return result


def _private(file: Path) -> TextIO:
    """A file that nobody else may read."""
    try:
        return open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")  # noqa: PTH123
    except OSError as error:
        leave(f"{file} cannot be written: {error.strerror}", FAILED)


def _agreed(survey: "Survey", *, send: bool, yes: bool) -> bool:
    """Whether it goes out; the end of the command where it should and somebody says no, or nobody is there."""
    from consumer.app.confirming import confirmed  # noqa: PLC0415

    if not send:
        return False
    answer = confirmed(survey.told, f"{survey.told:,} messages would go out. Send them?", yes=yes)
    if isinstance(answer, str):
        leave(answer, USAGE)
    if not answer:
        raise typer.Abort
    return True


def _code(survey: "Survey", *, sent: bool) -> int:
    if survey.trouble is not None:
        return PARTLY if survey.published else FAILED
    return PARTLY if survey.refused or (sent and survey.published < survey.going) else FINE
