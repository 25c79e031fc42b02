"""`vestnik check`: every mistake in the configuration, the routes, their examples and their snapshots, at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.shared import DEFAULT_CONFIG, FAILED, USAGE, ConfigPath, Format, OutputFormat, leave, load

if TYPE_CHECKING:
    from consumer.app.setup import Setup

Against = Annotated[
    Path | None,
    typer.Option(help="The configuration that is deployed: routes must keep their lane and to, lanes their shares."),
]


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputFormat = Format.TABLE,
    *,
    update_snapshots: Annotated[
        bool, typer.Option("--update-snapshots", help="Write down what is said of each example now.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are mistakes too.")] = False,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="This machine has no keys and needs none: no warning of that.")
    ] = False,
    against: Against = None,
) -> None:
    """Every mistake in the configuration, the routes and their examples, at once."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.checks import lane_facts, moved_shares  # noqa: PLC0415
    from consumer.app.snapshots import compare_snapshots  # noqa: PLC0415
    from consumer.core.reach import reaches  # noqa: PLC0415
    from consumer.core.succession import moved_routes  # noqa: PLC0415

    keys = not without_secrets
    setup = load(config, output, keys=keys)
    if update_snapshots:
        _write(setup)
    problems = list(compare_snapshots(setup))
    if against is not None:
        deployed = load(against, output, keys=keys)
        problems += [*moved_routes(deployed.routes, setup.routes), *moved_shares(deployed, setup)]
    if problems or (strict and setup.warnings):
        told.tell_problems(problems, told.Output(output), setup.warnings)
        raise typer.Exit(USAGE)
    routes = setup.routes.routes
    summary = {
        "lanes": len(setup.config.lanes),
        "routes": len(routes),
        "examples": sum(len(loaded.route.examples) for loaded in routes),
    }
    told.tell_sound(summary, setup.warnings, reaches(setup.routes, lane_facts(setup)), told.Output(output))


def _write(setup: "Setup") -> None:
    from consumer.app.snapshots import write_snapshots  # noqa: PLC0415

    written = write_snapshots(setup)
    if isinstance(written, str):
        leave(written, FAILED)
    typer.echo(f"{len(written)} {'snapshot' if len(written) == 1 else 'snapshots'} written.", err=True)
