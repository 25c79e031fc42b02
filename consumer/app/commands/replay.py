"""`vestnik replay`: old records once more, for those whom they still concern and who were not told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.completion import lanes as lane_names
from consumer.app.commands.shared import DEFAULT_CONFIG, USAGE, ConfigPath, Format, OutputFormat, leave, load

if TYPE_CHECKING:
    from consumer.app.replay_calls import Words

Many = list[str] | None


def replay(  # noqa: PLR0913 - the options of a command, each with a name of its own
    *,
    since: Annotated[
        str | None, typer.Option("--from", help="From this time on: a date, a time, how long ago (6h), or an offset.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this time or offset; until now without it.")] = None,
    topic: Annotated[Many, typer.Option(help="Only these topics; the configuration's sources without it.")] = None,
    partition: Annotated[list[int] | None, typer.Option(min=0, help="Only these partitions.")] = None,
    event_type: Annotated[Many, typer.Option("--type", help="Only these events, e.g. order.paid.")] = None,
    customer: Annotated[Many, typer.Option(help="Only of this customer: id, phone or install id.")] = None,
    order: Annotated[Many, typer.Option(help="Only of this order.")] = None,
    route: Annotated[Many, typer.Option(help="Only what these routes tell.")] = None,
    lane: Annotated[Many, typer.Option(help="Only on these lanes.", autocompletion=lane_names)] = None,
    lines: Annotated[Path | None, typer.Option(help="Read this file of records or events instead of Kafka.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Do it. Without it nothing is written.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; --send wants it, and it is recorded.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more above 1,000 people.")] = False,
    extend_ttl: Annotated[str | None, typer.Option(help="Tell news that is so much older than its ttl: 6h.")] = None,
    again: Annotated[bool, typer.Option("--again", help="ALSO TELL WHO WAS TOLD ALREADY.")] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with this replay where it ended.")] = None,
    ahead: Annotated[
        int, typer.Option(min=100, help="So many records may wait in a backfill topic before the replay waits too.")
    ] = 20_000,
    console: Annotated[bool, typer.Option("--console", help="Print what people would read; send nothing.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="With --console: recipients as they are.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Old records once more: who would be told, who not and why, and how long it takes. A dry run without --send.

    What the journal says was delivered is not sent again, and old news stays silent. What is sent goes through the
    lane's backfill topic, at the lowest weight: live news goes first. Ctrl-C is safe; --resume goes on.
    """
    from consumer.app import replay_calls  # noqa: PLC0415

    words = replay_calls.Words(
        since, until, topic or (), partition or (), event_type or (), customer or (), order or (), route or (),
        lane or (), str(lines) if lines is not None else None, extend_ttl, again, reason,
    )  # fmt: skip
    manner = replay_calls.Manner(
        send=send, yes=yes, console=console, reveal=reveal, json=output is Format.JSON, ahead_records=ahead
    )
    _check(words, manner, resume)
    setup = load(config, output)
    raise typer.Exit(replay_calls.run(setup, words, manner, resume))


def _check(words: "Words", manner: object, resume: str | None) -> None:
    """What needs no configuration to be wrong."""
    from consumer.app.replay_calls import wrong  # noqa: PLC0415

    trouble = wrong(words, manner, resume)  # type: ignore[arg-type]
    if trouble:
        leave(trouble, USAGE)
