"""`vestnik auth`: authorise our application at a provider."""

from typing import Annotated

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, FAILED, USAGE, ConfigPath, Format, leave, load

auth_app = typer.Typer(help="Authorise our application at a provider.", no_args_is_help=True)


@auth_app.callback()
def _auth() -> None:
    """Without it Typer takes the only command for the whole."""


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

    setup = load(config, Format.TABLE)
    account = auth.account_of(setup, lane)
    if isinstance(account, str):
        leave(account, USAGE)
    if code is None:
        typer.echo("Open this as an administrator of the portal, agree, and copy the code out of the address:")
        typer.echo(authorise_url(account.portal, account.client_id))
        code = typer.prompt("Code", hide_input=True)
    said = asyncio.run(auth.authorise(setup, lane, account, code, replace=replace))
    if not said.kept:
        leave(said.words, FAILED)
    typer.echo(said.words)
