"""`vestnik suppress`: whom not to tell."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, FAILED, USAGE, ConfigPath, Format, OutputFormat, leave, load

if TYPE_CHECKING:
    from consumer.app.setup import Setup
    from consumer.core.suppressions import Suppression

suppress_app = typer.Typer(help="Who is not to be told, whatever happens to their orders.", no_args_is_help=True)

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

    setup = load(config, Format.TABLE)
    suppression = suppressing.asked(reason, until, lane or (), setup.config)
    if isinstance(suppression, str):
        leave(suppression, USAGE)
    _suppress(setup, recipients, suppression)


@suppress_app.command("remove")
def suppress_remove(recipients: Recipients, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Take recipients off the list."""
    _suppress(load(config, Format.TABLE), recipients, None)


def _suppress(setup: "Setup", recipients: list[str], suppression: "Suppression | None") -> None:
    import asyncio  # noqa: PLC0415

    from consumer.app import suppressing  # noqa: PLC0415

    failed = asyncio.run(suppressing.suppress(setup, recipients, suppression))
    if failed is not None:
        leave(failed, FAILED)
    typer.echo(f"{len(recipients)} {'listed' if suppression is not None else 'taken off the list'}.")


@suppress_app.command("list")
def suppress_list(config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """Who is on the list, by hash: nobody can be read out of it."""
    import asyncio  # noqa: PLC0415

    from consumer.app import suppressing, told  # noqa: PLC0415

    found = asyncio.run(suppressing.listing(load(config, output)))
    if isinstance(found, str):
        leave(found, FAILED)
    told.tell_listed(found, told.Output(output))
