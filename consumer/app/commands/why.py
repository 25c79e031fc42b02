"""`vestnik why`: the story of one order, event, customer or command, from its record to the provider's answer."""

from typing import Annotated

import typer

from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    admin_ports_or_own,
    brokers,
    known_lanes,
    leave,
    load,
)


def why(  # noqa: PLR0913 - the options of a command, each with a name of its own
    what: Annotated[
        str,
        typer.Argument(
            metavar="ORDER|EVENT|CUSTOMER|COMMAND",
            help="An order's id, an event's, a customer's (or a phone), a command's, or topic:partition:offset.",
        ),
    ],
    *,
    since: Annotated[str, typer.Option(help="How far back to look: a span, a date or a time.")] = "1d",
    lane: Annotated[
        list[str] | None, typer.Option("--lane", help="Only these lanes; may be repeated.", autocompletion=lanes)
    ] = None,
    url: Annotated[
        list[str] | None, typer.Option("--url", help="Ask these admin ports what waits, not the configuration's.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show recipients as they are.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Why somebody was told, or was not: when it was seen, what each route said, what held it, and what came of it."""
    import asyncio  # noqa: PLC0415
    import time  # noqa: PLC0415

    from consumer.app import told, why_lines, why_told  # noqa: PLC0415
    from consumer.app.why import investigate  # noqa: PLC0415
    from consumer.app.why_dossier import Question  # noqa: PLC0415
    from consumer.core.model import Trouble  # noqa: PLC0415

    setup = load(config, output)
    wanted, addresses = known_lanes(setup, lane), admin_ports_or_own(setup, url)
    question = Question(what.strip(), _moment(since), time.time(), tuple(wanted), tuple(addresses))
    dossier = asyncio.run(investigate(setup, brokers(setup), question))
    if isinstance(dossier, Trouble):
        leave(f"{dossier.reason} {dossier.detail}".strip(), FAILED)
    if not dossier.found:
        why_told.tell_nothing(dossier, told.Output(output))
        raise typer.Exit(FAILED)
    why_told.tell_story(dossier, why_lines.tell(dossier, reveal=reveal), told.Output(output))


def _moment(since: str) -> float:
    from datetime import UTC, datetime  # noqa: PLC0415

    from consumer.app.moments import read_ago  # noqa: PLC0415

    moment = read_ago(since, datetime.now(UTC))
    if isinstance(moment, str):
        leave(f"--since: {moment}", USAGE)
    return moment.timestamp()
