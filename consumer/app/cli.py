"""The command line: `vestnik`. Exit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 3 partly done."""

import logging
import os
import sys
from pathlib import Path

from consumer.app.signals import STOP

# Before the slow imports below: a process that is told to stop while they run must still stop cleanly.
if Path(sys.argv[0]).name in ("vestnik", "__main__.py", "cli.py") and sys.argv[1:2] == ["run"]:
    STOP.install()

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from consumer.app.standing import lane_app

if TYPE_CHECKING:
    from consumer.app.setup import Setup
    from consumer.core.suppressions import Suppression
    from consumer.streams.settings import KafkaSettings
    from consumer.streams.topics import TopicSpec

FINE, FAILED, USAGE, PARTLY = 0, 1, 2, 3


class Format(StrEnum):
    """How a command prints."""

    TABLE = "table"
    JSON = "json"


app = typer.Typer(
    help="Order and bonus events from Kafka become push notifications.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="The topics that the lanes need.", no_args_is_help=True)
config_app = typer.Typer(help="The configuration told back.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(config_app, name="config")
suppress_app = typer.Typer(help="Who is not to be told, whatever happens to their orders.", no_args_is_help=True)
auth_app = typer.Typer(help="Authorise our application at a provider.", no_args_is_help=True)
app.add_typer(auth_app, name="auth")
app.add_typer(lane_app, name="lane")
app.add_typer(suppress_app, name="suppress")

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", envvar="VESTNIK_CONFIG", help="The configuration.", dir_okay=True)
]
OutputFormat = Annotated[Format, typer.Option("--output", "-o", help="For people, or for machines.")]
LostOffsets = Annotated[
    Literal["latest", "earliest"] | None,
    typer.Option(help="Where to begin if a lane that has worked lost its offsets."),
]
DEFAULT_CONFIG = Path("vestnik.yaml")


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

    setup = _setup(config, Format.TABLE, lines=(lines, out) if lines is not None else None)
    if lost_offsets is not None:
        setup = setup.after_lost_offsets(lost_offsets)
    raise typer.Exit(run_service(setup, STOP, Options(once=once)))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """Every mistake in the configuration, the routes and their examples, at once."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.checks import lane_facts  # noqa: PLC0415
    from consumer.core.reach import reaches  # noqa: PLC0415

    setup = _setup(config, output)
    routes = setup.routes.routes
    summary = {
        "lanes": len(setup.config.lanes),
        "routes": len(routes),
        "examples": sum(len(loaded.route.examples) for loaded in routes),
    }
    told.tell_sound(summary, setup.warnings, reaches(setup.routes, lane_facts(setup)), told.Output(output))


@app.command()
def preview(
    route: Annotated[str | None, typer.Argument(help="The route's id; all routes without one.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    event: Annotated[Path | None, typer.Option(help="A file with one event; the route's first example else.")] = None,
    locale: Annotated[str | None, typer.Option(help="Instead of the customer's own, e.g. en.")] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """What people would read: a route's wordings, the most personal first."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.examples import previewed  # noqa: PLC0415
    from consumer.core.templates import nearest  # noqa: PLC0415

    setup = _setup(config, output)
    known = {loaded.route.id: loaded for loaded in setup.routes.routes}
    if route is not None and route not in known:
        _leave(f'unknown route "{route}"; {nearest(route, dict(known))}', USAGE)
    failures = 0
    for name in [route] if route is not None else known:
        made = previewed(setup.config, known[name], event, locale)
        if isinstance(made, str):
            failures += 1
            told.complain(f"{name}: {made}")
        else:
            told.tell_wordings(name, made, told.Output(output))
    raise typer.Exit(_partly(failures, 1 if route is not None else len(known)))


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A folder; it may exist already.")] = Path()) -> None:
    """A first configuration, the catalogue of routes and their examples. Nothing is overwritten, nobody is told."""
    from consumer.app.beginning import NEXT, write_beginning  # noqa: PLC0415
    from consumer.catalogue import catalogue_files  # noqa: PLC0415

    written = write_beginning(folder, catalogue_files())
    if isinstance(written, str):
        _leave(written, FAILED)
    typer.echo(f"Wrote {len(written)} files into {folder}.")
    typer.echo(NEXT.format(folder=folder), nl=False)


@app.command()
def version() -> None:
    """The version of Vestnik."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    typer.echo(installed("vestnik"))


# --- topics -----------------------------------------------------------------------------------------------------------

Replicas = Annotated[int, typer.Option(min=1, max=9, help="How many brokers keep each record of ours.")]


@topics_app.command("create")
def topics_create(
    config: ConfigPath = DEFAULT_CONFIG, replicas: Replicas = 3, output: OutputFormat = Format.TABLE
) -> None:
    """Make the topics of ours that are missing. One that exists is left as it is."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.streams import topics  # noqa: PLC0415

    settings, specs = _topics(config, replicas, output)
    problems = asyncio.run(topics.create(settings, specs))
    told.tell_topics(problems, "All topics of ours are there.", told.Output(output))
    wide = any(not problem.topic for problem in problems)
    raise typer.Exit(FAILED if wide else _partly(len(problems), sum(spec.ours for spec in specs)))


@topics_app.command("check")
def topics_check(
    config: ConfigPath = DEFAULT_CONFIG,
    replicas: Replicas = 3,
    printed: Annotated[bool, typer.Option("--print", help="Print the commands that make them; ask no broker.")] = False,
    output: OutputFormat = Format.TABLE,
) -> None:
    """What is missing, or other than it should be."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.streams import topics  # noqa: PLC0415

    settings, specs = _topics(config, replicas, output)
    if printed:
        typer.echo(topics.script(specs, settings.bootstrap), nl=False)
        return
    problems = asyncio.run(topics.check(settings, specs))
    told.tell_topics(problems, "All topics are there, and as they should be.", told.Output(output))
    raise typer.Exit(FAILED if problems else FINE)


def _topics(config: Path, replicas: int, output: Format) -> "tuple[KafkaSettings, list[TopicSpec]]":
    from consumer.app.wiring import kafka_settings, wanted_topics  # noqa: PLC0415

    # What the library says of a broker that is not there, our own line says better.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    setup = _setup(config, output)
    if setup.config.kafka is None:
        _leave("the configuration has no kafka, so that there are no topics", USAGE)
    return kafka_settings(setup), wanted_topics(setup, replicas)


@app.command()
def doctor(config: ConfigPath = DEFAULT_CONFIG, replicas: Replicas = 3, output: OutputFormat = Format.TABLE) -> None:
    """Is everything there that the lanes need: secrets, brokers, topics, providers? Nobody is told anything."""
    import asyncio  # noqa: PLC0415

    from consumer.app import told  # noqa: PLC0415
    from consumer.app.doctor import diagnose  # noqa: PLC0415

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    rows = asyncio.run(diagnose(_setup(config, output), replicas))
    told.tell_diagnosis(rows, told.Output(output))
    raise typer.Exit(FAILED if any(row.state == "failed" for row in rows) else FINE)


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

    setup = _setup(config, Format.TABLE)
    why_not = sender.refusal(setup, lane, to)
    if why_not:
        _leave(why_not, USAGE)
    sending = Sending(id=secrets.token_hex(8), recipient=to, title=title, text=text, link=link, ttl_seconds=float(ttl))
    trouble = asyncio.run(sender.send(setup, lane, sending))
    if trouble is not None:
        _leave(f"not sent: {trouble.reason} {trouble.detail}".strip(), FAILED)
    typer.echo(f"Handed to the lane {lane} as {sending.id}; it goes out when the lane's quota lets it.")


# --- configuration ----------------------------------------------------------------------------------------------------


@config_app.command("show")
def config_show(config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """What is in force, and where each value came from. Secrets are stars."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.show import settings_of  # noqa: PLC0415

    told.tell_settings(settings_of(_setup(config, output)), told.Output(output))


@config_app.command("schema")
def config_schema(
    routes: Annotated[bool, typer.Option("--routes", help="Of a route file instead.")] = False,
) -> None:
    """JSON Schema of the configuration, for editors."""
    from consumer.app import show, told  # noqa: PLC0415

    told.as_json(show.routes_schema() if routes else show.config_schema())


# --- whom not to tell -------------------------------------------------------------------------------------------------

Recipients = Annotated[list[str], typer.Argument(help="As a lane names them: customer ids, phones with +, user ids.")]


@suppress_app.command("add")
def suppress_add(
    recipients: Recipients,
    config: ConfigPath = DEFAULT_CONFIG,
    reason: Annotated[str, typer.Option(help="Why, for people; nothing personal.")] = "",
    until: Annotated[str | None, typer.Option(help="Tell them again from then on, e.g. 2026-12-31.")] = None,
    lane: Annotated[list[str] | None, typer.Option(help="Only on this lane; may be repeated.")] = None,
) -> None:
    """Put recipients on the list. Only their keyed hashes leave this machine."""
    from consumer.app import suppressing  # noqa: PLC0415

    setup = _setup(config, Format.TABLE)
    suppression = suppressing.asked(reason, until, lane or (), list(setup.config.lanes))
    if isinstance(suppression, str):
        _leave(suppression, USAGE)
    _suppress(setup, recipients, suppression)


@suppress_app.command("remove")
def suppress_remove(recipients: Recipients, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Take recipients off the list."""
    _suppress(_setup(config, Format.TABLE), recipients, None)


def _suppress(setup: "Setup", recipients: list[str], suppression: "Suppression | None") -> None:
    import asyncio  # noqa: PLC0415

    from consumer.app import suppressing  # noqa: PLC0415

    failed = asyncio.run(suppressing.suppress(setup, recipients, suppression))
    if failed is not None:
        _leave(failed, FAILED)
    typer.echo(f"{len(recipients)} {'listed' if suppression is not None else 'taken off the list'}.")


@suppress_app.command("list")
def suppress_list(config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """Who is on the list, by hash: nobody can be read out of it."""
    import asyncio  # noqa: PLC0415

    from consumer.app import suppressing, told  # noqa: PLC0415

    found = asyncio.run(suppressing.listing(_setup(config, output)))
    if isinstance(found, str):
        _leave(found, FAILED)
    told.tell_listed(found, told.Output(output))


# --- authorisation ----------------------------------------------------------------------------------------------------


@auth_app.command("bitrix24")
def auth_bitrix24(
    lane: Annotated[str, typer.Argument(help="The lane of the portal.")],
    config: ConfigPath = DEFAULT_CONFIG,
    code: Annotated[str | None, typer.Option(help="It lives 30 seconds; asked for when left out.")] = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Also over a pair that cannot be opened.")] = False,
) -> None:
    """Exchange an administrator's code for the first token pair, and keep it where the lane looks for it."""
    import asyncio  # noqa: PLC0415

    from consumer.app import auth  # noqa: PLC0415
    from consumer.sinks.oauth import authorise_url  # noqa: PLC0415

    setup = _setup(config, Format.TABLE)
    account = auth.account_of(setup, lane)
    if isinstance(account, str):
        _leave(account, USAGE)
    if code is None:
        typer.echo("Open this as an administrator of the portal, agree, and copy the code out of the address:")
        typer.echo(authorise_url(account.portal, account.client_id))
        code = typer.prompt("Code", hide_input=True)
    said = asyncio.run(auth.authorise(setup, lane, account, code, replace=replace))
    if not said.kept:
        _leave(said.words, FAILED)
    typer.echo(said.words)


# --- what they share --------------------------------------------------------------------------------------------------


def _setup(config: Path, output: Format, lines: tuple[str, str] | None = None) -> "Setup":
    """The setup, or the end of the command with every mistake told."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.setup import load_setup  # noqa: PLC0415

    setup = load_setup(config / "vestnik.yaml" if config.is_dir() else config, os.environ, lines)
    if isinstance(setup, list):
        told.tell_problems(setup, told.Output(output))
        raise typer.Exit(USAGE)
    return setup


def _partly(failures: int, total: int) -> int:
    if failures == 0:
        return FINE
    return FAILED if failures >= total else PARTLY


def _leave(words: str, code: int) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(code)


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
