"""`vestnik config`: the configuration told back."""

from pathlib import Path
from typing import Annotated

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, ConfigPath, Format, OutputFormat, load

config_app = typer.Typer(help="The configuration told back.", no_args_is_help=True)


@config_app.command("show")
def config_show(config: ConfigPath = DEFAULT_CONFIG, output: OutputFormat = Format.TABLE) -> None:
    """What is in force, and where each value came from. Secrets are stars."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.show import settings_of  # noqa: PLC0415

    told.tell_settings(settings_of(load(config, output)), told.Output(output))


@config_app.command("schema")
def config_schema(
    routes: Annotated[bool, typer.Option("--routes", help="Of a route file instead.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="With --routes: offer this one's lanes and own events too.")
    ] = None,
) -> None:
    """JSON Schema of the configuration, for editors."""
    from consumer.app import show, told  # noqa: PLC0415
    from consumer.app.route_schema import routes_schema  # noqa: PLC0415
    from schemas.events import EVENT_TYPES  # noqa: PLC0415

    if not routes:
        told.as_json(show.config_schema())
    elif config is None:
        told.as_json(routes_schema(EVENT_TYPES))
    else:
        setup = load(config, Format.TABLE)
        told.as_json(routes_schema(setup.sources.types.models, list(setup.config.lanes)))
