"""The command line: `vestnik`. Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 partly done."""

import sys
from pathlib import Path

from consumer.app.signals import STOP

# Before the slow imports below: a process that is told to stop while they run must still stop cleanly.
if Path(sys.argv[0]).name in ("vestnik", "__main__.py", "cli.py") and sys.argv[1:2] == ["run"]:
    STOP.install()

from typing import Annotated, Literal

import typer

from consumer.app.commands.auth import auth_app
from consumer.app.commands.check import check
from consumer.app.commands.config import config_app
from consumer.app.commands.dead import dead_app
from consumer.app.commands.doctor import doctor
from consumer.app.commands.event import event_app
from consumer.app.commands.forget import forget
from consumer.app.commands.health import health
from consumer.app.commands.journal import journal_app
from consumer.app.commands.lag import lag
from consumer.app.commands.lane import lane_app
from consumer.app.commands.preview import preview
from consumer.app.commands.replay import replay
from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    leave,
    load,
)
from consumer.app.commands.suppress import suppress_app
from consumer.app.commands.topics import topics_app
from consumer.app.commands.why import why

app = typer.Typer(
    help="Order and bonus events from Kafka become push notifications.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(topics_app, name="topics")
app.add_typer(config_app, name="config")
app.add_typer(auth_app, name="auth")
app.add_typer(lane_app, name="lane")
app.add_typer(journal_app, name="journal")
app.add_typer(suppress_app, name="suppress")
app.add_typer(dead_app, name="dead")
app.command()(check)
app.command()(preview)
app.command()(why)
app.add_typer(event_app, name="event")
app.command()(health)
app.command()(doctor)
app.command()(forget)
app.command()(lag)
app.command()(replay)

LostOffsets = Annotated[
    Literal["latest", "earliest"] | None,
    typer.Option(help="Where to begin if a lane that has worked lost its offsets."),
]


# --- the work ---------------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: ConfigPath = DEFAULT_CONFIG,
    lines: Annotated[str | None, typer.Option(help="Read this file of records or events instead of Kafka.")] = None,
    out: Annotated[str, typer.Option(help="With --lines: where the journal and the dead letters go.")] = "out",
    once: Annotated[bool, typer.Option("--once", help="End when everything that there is has been settled.")] = False,
    lost_offsets: LostOffsets = None,
) -> None:
    """Read events, write texts, send pushes; until SIGTERM."""
    from consumer.app.service import Options, run_service  # noqa: PLC0415

    setup = load(config, Format.TABLE, lines=(lines, out) if lines is not None else None)
    if lost_offsets is not None:
        setup = setup.after_lost_offsets(lost_offsets)
    raise typer.Exit(run_service(setup, STOP, Options(once=once)))


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A folder; it may exist already.")] = Path()) -> None:
    """A first configuration, the catalogue of routes and their examples. Nothing is overwritten, nobody is told."""
    from consumer.app.beginning import NEXT, write_beginning  # noqa: PLC0415
    from consumer.catalogue import catalogue_files  # noqa: PLC0415

    written = write_beginning(folder, catalogue_files())
    if isinstance(written, str):
        leave(written, FAILED)
    typer.echo(f"Wrote {len(written)} files into {folder}.")
    typer.echo(NEXT.format(folder=folder), nl=False)


@app.command()
def version(output: OutputFormat = Format.TABLE) -> None:
    """The version of Vestnik, and whether its core is machine code (`compiled`) or plain Python (`plain`)."""
    import json  # noqa: PLC0415

    from consumer.app import build  # noqa: PLC0415

    told = {"version": build.version(), "core": build.core()}
    typer.echo(json.dumps(told) if output is Format.JSON else "{version} ({core} core)".format_map(told))


@app.command()
def send(  # noqa: PLR0913 - the options of a command, each with a name of its own
    lane: Annotated[str, typer.Argument(help="The lane's id.")],
    to: Annotated[str, typer.Option("--to", help="The recipient, as this lane's provider names people.")],
    text: Annotated[str, typer.Option(help="What to say.")],
    title: Annotated[str, typer.Option(help="And over it.")] = "",
    link: Annotated[str | None, typer.Option(help="What opens.")] = None,
    *,
    ttl: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds after which it is not said any more.")] = 3600,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """One message to one recipient through a lane: it waits for the lane's quota like every other."""
    import asyncio  # noqa: PLC0415
    import secrets  # noqa: PLC0415

    from consumer.app import send as sender  # noqa: PLC0415
    from consumer.core.sending import Sending  # noqa: PLC0415

    setup = load(config, Format.TABLE)
    why_not = sender.refusal(setup, lane, to)
    if why_not:
        leave(why_not, USAGE)
    sending = Sending(id=secrets.token_hex(8), recipient=to, title=title, text=text, link=link, ttl_seconds=float(ttl))
    trouble = asyncio.run(sender.send(setup, lane, sending))
    if trouble is not None:
        leave(f"not sent: {trouble.reason} {trouble.detail}".strip(), FAILED)
    typer.echo(f"Handed to the lane {lane} as {sending.id}; it goes out when the lane's quota lets it.")


# The demo brings the broker and half of the package with it: the commands above, called by name, do without.
_ABOVE = {getattr(each.callback, "__name__", "") for each in app.registered_commands}
_ABOVE |= {each.name for each in app.registered_groups if isinstance(each.name, str)}
if not _ABOVE.intersection(sys.argv[1:2]):
    from consumer.demo import commands as demo_commands
    from consumer.demo.olist_sample import olist_sample
    from consumer.simulate import commands as simulate_commands

    demo_commands.add_to(app)
    simulate_commands.add_to(app, olist_sample)


def main() -> None:
    """The entry point of `vestnik`."""
    app()


if __name__ == "__main__":
    main()
