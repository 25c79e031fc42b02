"""`vestnik journal tail`: what a lane has written down."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    FINE,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    leave,
    load,
)

if TYPE_CHECKING:
    from consumer.core.ports import Entry

KINDS_HELP = "Only these: claim, attempt, landing, repeat, outcomes, parked, unreadable. May be repeated."

journal_app = typer.Typer(help="What lanes remember: their journals.", no_args_is_help=True)


@journal_app.callback()
def _journal() -> None:
    """Without it Typer takes the only command for the whole."""


@journal_app.command("tail")
def journal_tail(  # noqa: PLR0913 - the options of a command, each with a name of its own
    lane: Annotated[str, typer.Argument(help="The lane's id.", autocompletion=lanes)],
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[str, typer.Option(help="From then on: 30m, 2h, or 2026-12-31T18:00+03:00.")] = "1h",
    kind: Annotated[list[str] | None, typer.Option(help=KINDS_HELP)] = None,
    command: Annotated[str, typer.Option(help="Only what names the command whose id begins so.")] = "",
    reveal: Annotated[bool, typer.Option("--reveal", help="Show recipients whole.")] = False,
) -> None:
    """A lane's journal, one record a line: claims, attempts, landings, ends; JSON lines with -o json."""
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from consumer.app.journal_tail import Asked, read_all, readings  # noqa: PLC0415

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    asked = Asked(lane, since, tuple(kind or ()), command.lower(), follow)
    found = readings(load(config, output), asked, datetime.now(UTC))
    if isinstance(found, str):
        leave(found, USAGE)
    try:
        trouble = asyncio.run(read_all(found, _shown(output, reveal=reveal, named=len(found) > 1)))
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(FINE) from None
    if trouble is not None:
        leave(trouble, FAILED)


def _shown(output: Format, *, reveal: bool, named: bool) -> "Callable[[str, Entry], None]":
    """Prints a record. `named`: with the share whose it is."""
    import json  # noqa: PLC0415

    from consumer.app.journal_tail import line, plain  # noqa: PLC0415

    def show(share: str, entry: "Entry") -> None:
        if output is Format.JSON:
            whose = {"lane": share} if named else {}
            typer.echo(json.dumps(whose | plain(entry, reveal=reveal), ensure_ascii=False))
        else:
            typer.echo(f"{share}  " * named + line(entry, reveal=reveal))

    return show
